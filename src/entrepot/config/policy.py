"""Settings of policy: what may be had, how a miss is answered, and how old a version must be."""

import base64
import binascii
import difflib
import re
from typing import Annotated, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from entrepot.config.names import OptionalHook, OptionalUpstream, OptionalUrl
from entrepot.config.units import Age, Duration, EndOfDay, RuleLifetime, StartOfDay

MODES: Final = ("sync", "async", "redirect", "async_redirect", "none", "deny")
"""What a miss can get."""
REDIRECTS: Final = ("redirect", "async_redirect")

NetworkMode = Literal["online", "prefer_cache", "offline"]


def parse_mode(value: str) -> str:
    """A mode. Raises ValueError."""
    if value not in MODES:
        near = difflib.get_close_matches(value, MODES, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"write one of {', '.join(MODES)}"
        raise ValueError(f"{value!r} is no mode; {hint}")
    return value


def parse_repository_mode(value: str) -> str:
    """A mode, or where a download file is: "file:PATH" or "custom:BASE64". Raises ValueError."""
    kind, colon, rest = value.partition(":")
    if not colon or kind not in ("file", "custom"):
        return parse_mode(value)
    if not rest:
        raise ValueError(f'{value!r} names no download file; write "file:policy.hcl" or "custom:<base64>"')
    if kind == "custom":
        decode_download_file(rest)
    return value


def decode_download_file(text: str) -> str:
    """The download file in "custom:…": standard base64 with padding, as Athens has it. Raises ValueError."""
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ValueError(
            f"the download file in custom:… is no base64 of a text ({error}); make it with `base64 -w0 policy.hcl`"
        ) from error


def _as_number(value: object) -> object:
    """The environment knows texts only."""
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value


def _as_text(value: object) -> object:
    return str(value) if type(value) is int else value


Mode = Annotated[str, AfterValidator(parse_mode), WithJsonSchema({"type": "string", "enum": [*MODES]})]
RepositoryMode = Annotated[str, AfterValidator(parse_repository_mode)]
RedirectStatus = Annotated[Literal[302, 301, 307], BeforeValidator(_as_number)]
OfflineMiss = Annotated[Literal["504", "404"], BeforeValidator(_as_text)]


class CooldownException(BaseModel):
    """Versions that may be used at any age, for a while: `[[repositories.NAME.cooldown.exceptions]]`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    package: str = Field(
        min_length=1, description="A glob on the package's name, or a purl without version (`pkg:npm/left-*`)."
    )
    version: str = Field(
        default="", description='A version or a constraint (">=2.0.1,<3"), in the ecosystem\'s order; empty: all.'
    )
    reason: str = Field(min_length=1, description="Why, for those who read this later.")
    until: StartOfDay = Field(
        description="The first moment at which it counts no more; a day stands for its beginning (UTC)."
    )


class Cooldown(BaseModel):
    """How old a version must be before it may be used: `[repositories.NAME.cooldown]`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    default: Age | None = Field(
        default=None, description="Minimum age of every version; unset: that of the top-level [cooldown]."
    )
    packages: dict[str, Age] = Field(
        default={},
        description="Minimum age by package: a glob or a purl without version; the first that matches counts.",
    )
    unknown_date: Literal["refuse", "first-seen", "allow"] = Field(
        default="refuse",
        description="What becomes of a version without a date, or with one in the future: it is refused, its age "
        "counts from when it was first seen here, or it is allowed.",
    )
    baseline: Literal["trust", "distrust"] = Field(
        default="trust",
        description="Whether the author's date counts for versions that were there when a list was first read, "
        "or (distrust) the time of that reading.",
    )
    as_of: EndOfDay = Field(
        default=None,
        description="Show the world as it was: nothing newer exists; a day stands for its end (UTC). Empty: today.",
    )
    exceptions: tuple[CooldownException, ...] = ()


class GlobalCooldown(BaseModel):
    """How old a version must be, in every repository that does not say so itself."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    default: Age = Field(default=0.0, description='Minimum age of every version; "0": none.')


class Rule(BaseModel):
    """What holds for some packages, versions or paths: `[[repositories.NAME.rules]]`; the first that matches counts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    package: str = Field(
        default="", description="A glob on the package's name, or a purl without version (`pkg:npm/@acme/*`)."
    )
    version: str = Field(default="", description='A version or a constraint (">=1.2,<2"), in the ecosystem\'s order.')
    path: str = Field(
        default="",
        description="An expression (RE2) for the whole decoded path below the repository; it begins with a slash.",
    )
    klass: Literal["immutable", "mutable", "uncacheable"] | None = Field(
        default=None,
        alias="class",
        description="Whether the bytes under such a name never change, may change, or are not stored.",
    )
    mutable_ttl: RuleLifetime = Field(default=None, description="As in [freshness], for these.")
    immutable_ttl: Duration | None = Field(default=None, description="As in [freshness], for these.")
    revalidate: Literal["conditional", "unconditional"] | None = Field(
        default=None, description="As in [freshness], for these."
    )
    while_revalidate: Duration | None = Field(default=None, description="As in [stale], for these.")
    if_error: Duration | None = Field(default=None, description="As in [stale], for these.")
    mode: Mode | None = Field(default=None, description="What a miss gets; unset: what the repository says.")
    redirect_url: OptionalUrl = Field(default="", description="Where a redirect leads; empty: the repository's.")
    redirect_status: RedirectStatus | None = Field(
        default=None, description="Status of a redirect; unset: the repository's."
    )
    upstream: OptionalUpstream = Field(
        default="",
        description="The one upstream these are fetched from: a name from [upstreams]; empty: all, in order.",
    )

    @field_validator("path")
    @classmethod
    def _is_rooted(cls, value: str) -> str:
        if re.match(r"\^?[\w@-]", value):
            raise ValueError(
                f"{value!r} would never match: paths begin with a slash; write {'/' + value.lstrip('^')!r}"
            )
        return value

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if not (self.package or self.version or self.path):
            raise ValueError("the rule names nothing; give it package, version or path")
        for ttl, klass in (("mutable_ttl", "mutable"), ("immutable_ttl", "immutable")):
            if getattr(self, ttl) is not None and self.klass not in (None, klass):
                raise ValueError(f'{ttl} has no use where class = "{self.klass}"; remove one of them')
        return self

    @property
    def names_download(self) -> bool:
        """Whether it says how a miss is answered."""
        return bool(self.mode or self.redirect_url or self.redirect_status or self.upstream)


class Validator(BaseModel):
    """A service that is asked whether a version may be used (Athens's hook)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: OptionalHook = Field(default="", description="Where each version is posted to; empty: nobody is asked.")
    timeout: Duration = Field(default=5.0, description="How long it may take; without an answer nothing is served.")
    cache: Duration = Field(default=300.0, description="How long its answer for a version counts.")
