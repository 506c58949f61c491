"""Settings of mirror jobs: how they run, and which run by themselves."""

from datetime import UTC, datetime
from typing import Annotated, Literal, Self

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from entrepot.config.names import Name
from entrepot.config.units import Age
from entrepot.errors import BadRequest
from entrepot.model.platforms import parse_platform
from entrepot.model.purl import parse_purl

SHORTEST_INTERVAL = 60.0
"""Seconds."""
_ANY_TIME = datetime(2026, 1, 1, tzinfo=UTC)


def parse_cron(value: str) -> str:
    """Minute, hour, day, month and weekday. Raises ValueError."""
    try:
        if value and len(value.split()) != 5:
            raise CronSimError("it has not five fields")
        if value:
            next(CronSim(value, _ANY_TIME))
    except (CronSimError, StopIteration) as error:
        raise ValueError(f'{value!r} is no time in cron\'s words: {error}; write it like "0 3 * * *"') from error
    return value


def _purl(value: str) -> str:
    try:
        parse_purl(value)
    except BadRequest as error:
        raise ValueError(str(error)) from error
    return value


def _platform(value: str) -> str:
    try:
        parse_platform(value)
    except BadRequest as error:
        raise ValueError(str(error)) from error
    return value


class Mirroring(BaseModel):
    """How mirror jobs run ([mirror](mirror.md))."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    concurrency: int = Field(
        default=16, ge=1, le=256, description="Files fetched at a time, for each job that does not say otherwise."
    )
    jobs: int = Field(default=2, ge=1, le=64, description="Jobs at the same time; others wait.")
    per_token: int = Field(
        default=100, ge=1, description="Jobs of one token that have not ended; beyond it orders are answered 429."
    )
    attempts: int = Field(
        default=3, ge=1, le=10, description="How often each file is tried before it counts as failed."
    )
    keep: Age = Field(default=30 * 86400.0, description="How long jobs can be looked up after their end.")


class Schedule(BaseModel):
    """An order that is carried out again and again: `[[mirror]]`. Paths are relative to the configuration."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name = Field(description="What its jobs are called.")
    purls: tuple[Annotated[str, AfterValidator(_purl)], ...] = Field(default=(), description="Package URLs.")
    sboms: tuple[str, ...] = Field(default=(), description="Paths of bills of materials, read anew each time.")
    lockfiles: tuple[str, ...] = Field(default=(), description="Paths of lock files, read anew each time.")
    trees: tuple[str, ...] = Field(default=(), description="Directories of ours: `/REPOSITORY/FOLDER/`.")
    dependencies: Literal["none", "runtime", "all"] = Field(
        default="none", description="Which dependencies come along."
    )
    platforms: tuple[Annotated[str, AfterValidator(_platform)], ...] = Field(
        default=(), description="Where the packages will be used, like `linux/amd64`; empty: everywhere."
    )
    latest: int | None = Field(
        default=None, ge=1, description="Only so many of the newest versions, where none is named; unset: all."
    )
    repositories: tuple[str, ...] = Field(
        default=(), description="The only repositories to use; empty: whichever serves the kind."
    )
    every: Age | None = Field(default=None, description="Time from the start of one run to that of the next.")
    cron: Annotated[str, AfterValidator(parse_cron)] = Field(
        default="", description="In place of `every`: minute, hour, day, month and weekday of each start, in UTC."
    )
    jitter: Age = Field(
        default=60.0, description="Each start is put off by a random time up to this, so that not all come at once."
    )

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if (self.every is None) == (not self.cron):
            raise ValueError('it needs one of every and cron; write every = "1d" or cron = "0 3 * * *"')
        if self.every is not None and self.every < SHORTEST_INTERVAL:
            raise ValueError('every is shorter than a minute; write "1m" or more')
        if not (self.purls or self.sboms or self.lockfiles or self.trees):
            raise ValueError("it mirrors nothing; give purls, sboms, lockfiles or trees")
        return self
