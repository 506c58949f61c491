"""Settings of one upstream: its address, what it may be asked, and how we identify ourselves to it."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, WithJsonSchema, model_validator

from entrepot.config.names import ProxyUrl, Url


def _hosts(value: object) -> str | tuple[str, ...]:
    if value == "index":
        return "index"
    if isinstance(value, list | tuple) and all(isinstance(item, str) and item for item in value):
        return tuple(value)
    raise ValueError(f'{value!r}: write "index", or a list of host patterns such as ["files.example", "*.cdn.example"]')


DownloadHosts = Annotated[
    str | tuple[str, ...],
    PlainValidator(_hosts),
    WithJsonSchema({"type": ["string", "array"], "title": '"index" or list of host patterns'}),
]


class Auth(BaseModel):
    """How we identify ourselves; secrets stand in a file or a variable, never in the configuration."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["bearer", "basic", "header"] = Field(
        description="bearer (token), basic (username and password) or header (name and token)."
    )
    token_file: str = Field(
        default="", description="File that holds the token (bearer), or the field's value (header)."
    )
    token_env: str = Field(default="", description="Environment variable that holds it.")
    username: str = Field(default="", description="For basic.")
    password_file: str = Field(default="", description="For basic: file that holds the password.")
    password_env: str = Field(default="", description="For basic: environment variable that holds it.")
    name: str = Field(default="", pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]*$", description="For header: the field's name.")

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        needed = {"bearer": "token", "basic": "password", "header": "token"}[self.kind]
        given = {name for name, value in self if value and name != "kind"}
        also = {"bearer": "", "basic": "username", "header": "name"}[self.kind]
        if also and also not in given:
            raise ValueError(f"kind {self.kind!r} needs {also}")
        if len(given & {f"{needed}_file", f"{needed}_env"}) != 1:
            raise ValueError(f"kind {self.kind!r} needs either {needed}_file or {needed}_env")
        if surplus := given - {f"{needed}_file", f"{needed}_env", also}:
            raise ValueError(f"kind {self.kind!r} has no use for {', '.join(sorted(surplus))}; remove it")
        return self


class Upstream(BaseModel):
    """A named origin: `[upstreams.NAME]`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: Url = Field(description="Base URL (http or https); user:password in it is refused.")
    auth: Auth | None = Field(default=None, description="How we identify ourselves, on exactly this origin.")
    download_hosts: DownloadHosts = Field(
        default="index",
        description="Other hosts that files may come from: those that an index names for its own files, or a list.",
    )
    ca_file: str = Field(default="", description="PEM file with further certificate authorities.")
    http_proxy: ProxyUrl = Field(
        default="", repr=False, description="HTTP proxy on the way to this upstream; may hold its user:password."
    )
    max_connections: int = Field(default=32, ge=1, le=1024, description="Connections at the same time.")
    owns: tuple[str, ...] = Field(default=(), description='Package names ("acme-*") that are asked only here.')
