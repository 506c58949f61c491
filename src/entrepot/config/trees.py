"""Settings of mirrored trees: `[[repositories.NAME.trees]]`."""

import re
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema

from entrepot.config.units import Duration, Size
from entrepot.errors import BadRequest
from entrepot.model.trees import Budget, Tree, folder_key

_BUDGET = re.compile(r"(?:(?P<entries>[0-9]{1,9})|(?P<share>[0-9]{1,3}(?:\.[0-9]+)?) ?%)\Z", re.ASCII)


def _path(value: object) -> str:
    try:
        if isinstance(value, str):
            return folder_key(value)
    except BadRequest as error:
        raise ValueError(f"{value!r} is no path of a folder: {error}") from error
    raise ValueError(f'{value!r} is no path; write the folder below the repository, such as "/acme/releases/"')


def _budget(value: object) -> Budget:
    if isinstance(value, Budget):
        return value
    budget = Budget(entries=0, share=0.0)
    for part in str(value).split(" or "):
        found = _BUDGET.match(part.strip())
        if not found or float(found["share"] or 0) > 100:
            raise ValueError(
                f'{value!r} is no budget; write a number of entries, a share such as "10%", or both: "100 or 10%"'
            )
        if found["entries"]:
            budget = Budget(entries=int(found["entries"]), share=budget.share)
        else:
            budget = Budget(entries=budget.entries, share=float(found["share"]) / 100)
    return budget


def _written(budget: Budget) -> str:
    return f"{budget.entries} or {budget.share * 100:g}%"


PurgeBudget = Annotated[
    Budget,
    BeforeValidator(_budget),
    PlainSerializer(_written, return_type=str),
    WithJsonSchema({"type": "string", "title": "entries or share", "examples": ["100 or 10%"]}),
]

FolderPath = Annotated[
    str,
    BeforeValidator(_path),
    PlainSerializer(lambda key: f"/{key}", return_type=str),
    WithJsonSchema({"type": "string", "title": "path", "examples": ["/acme/releases/"]}),
]
"""The key of a folder."""


class TreeSettings(BaseModel):
    """A folder that is mirrored as a whole, walked when somebody reads something in it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: FolderPath = Field(
        description='The folder below the repository; "/" is all of it. Of several that hold a path the longest counts.'
    )
    min_interval: Duration = Field(
        default=3600.0, description="Between the starts of two walks that accesses begin; walks by hand need not wait."
    )
    jitter: Duration = Field(
        default=360.0, description="By how much min_interval is longer at most, by chance, so that walks spread."
    )
    purge: Literal["never", "confirmed", "always"] = Field(
        default="confirmed",
        description="What upstream removed: kept, removed after two complete walks in a row did not find it, or at "
        "once; always within purge_budget.",
    )
    purge_budget: PurgeBudget = Field(
        default=Budget(),
        description="Most entries, or share of the known ones, that one walk may remove; of two the larger counts. "
        "Above it nothing is removed.",
    )
    max_depth: int = Field(default=32, ge=1, le=1000, description="Folders in one another that are followed.")
    max_entries: int = Field(
        default=100_000, ge=1, le=10_000_000, description="Names in one listing, and in all of one walk."
    )
    max_listing: Size = Field(default=16 << 20, description="Largest listing that is read.")
    concurrency: int = Field(
        default=4, ge=1, le=64, description="Listings and files of one walk that are fetched at a time."
    )

    def tree(self) -> Tree:
        return Tree(
            path=self.path,
            min_interval=self.min_interval,
            jitter=self.jitter,
            purge=self.purge,
            budget=self.purge_budget,
            max_depth=self.max_depth,
            max_entries=self.max_entries,
            max_listing_bytes=self.max_listing,
            concurrency=self.concurrency,
        )
