"""Settings of the results of other people's builds, kept apart from everything that is verified."""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from entrepot.config.units import Size


class BuildCache(BaseModel):
    """A Gradle build cache at `/NAME/`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_size: Size = Field(
        default=10 << 30, description="Bytes above which the entries that were not used for longest go."
    )
    max_entry: Size = Field(default=100 << 20, description="Largest entry that is taken; a larger one gets 413.")
    replace: bool = Field(
        default=False,
        description="Whether an entry that is there may be replaced; otherwise what came first stays, and whoever "
        "sends another one is told that all is well.",
    )

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if self.max_entry > self.max_size:
            raise ValueError("max_entry is more than max_size; make one entry fit")
        return self
