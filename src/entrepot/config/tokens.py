"""Settings of a token: who may ask, and for what (policy §8)."""

import re
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from entrepot.config.names import Name
from entrepot.config.units import EndOfDay

ALL: Final = "*"
_SHA256: Final = re.compile(r"[0-9a-fA-F]{64}\Z", re.ASCII)

Right = Literal["read", "write", "trigger", "admin"]


def parse_sha256(value: str) -> str:
    """64 hexadecimal digits, made small. Raises ValueError."""
    if not _SHA256.match(value):
        # It is not repeated: somebody may have put the token itself here.
        raise ValueError("it should be 64 hexadecimal digits; `entrepot token new NAME` prints them")
    return value.lower()


class Token(BaseModel):
    """Somebody who may ask, and what for: `[[tokens]]`. `entrepot token new NAME` makes one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name = Field(description="What the access log calls whoever sends it.")
    sha256: Annotated[str, AfterValidator(parse_sha256)] = Field(
        description="Digest of the token; the token itself is written nowhere."
    )
    repositories: tuple[str, ...] = Field(
        description='Names of the repositories and build caches it is for, or ["*"] for all.'
    )
    rights: tuple[Right, ...] = Field(
        default=("read",),
        description="What for: `read` (packages), `write` (putting entries into build caches), `trigger` (have fills "
        "and mirror jobs start), `admin` (/metrics and the interface for programs). None of them includes another.",
    )
    until: EndOfDay = Field(default=None, description="The last moment at which it counts; empty: for good.")

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if not self.repositories or not self.rights:
            raise ValueError('it is good for nothing; name repositories (or "*") and rights')
        if "admin" in self.rights and ALL not in self.repositories:
            raise ValueError('the right admin is for the whole server; set repositories = ["*"], or leave it out')
        return self
