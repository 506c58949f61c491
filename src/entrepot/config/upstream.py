"""Settings of one upstream: its address, what it may be asked, and how we identify ourselves to it."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, WithJsonSchema, model_validator

from entrepot.config.names import OptionalUrl, ProxyUrl, Url
from entrepot.config.units import Duration, Size


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

    kind: Literal["http", "vcs"] = Field(
        default="http", description="`http`, or `vcs`: Go modules from git repositories, through the go command."
    )
    url: OptionalUrl = Field(
        default="", description="Base URL (http or https); user:password in it is refused. Required but for `vcs`."
    )
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
    token_realms: tuple[Url, ...] = Field(
        default=(),
        description='Addresses ("https://auth.example/token") of services that give tokens for this upstream and may '
        "be shown our credentials for them; its own origin may always.",
    )
    modules: tuple[str, ...] = Field(
        default=(),
        description='For vcs: modules ("corp.example/*") that are asked here and only here; empty: any.',
    )
    netrc_file: str = Field(
        default="", description="For vcs: netrc file with a login for each host; it is read at the start."
    )
    go_command: str = Field(default="go", min_length=1, description="For vcs: the go command, or its path.")
    timeout: Duration = Field(default=300.0, description="For vcs: how long one question may take.")
    max_size: Size = Field(default=2 << 30, description="For vcs: disk that one question may take meanwhile.")
    max_commands: int = Field(default=4, ge=1, le=64, description="For vcs: questions at the same time, per worker.")

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        given = self.model_fields_set
        if self.kind == "http":
            surplus = given & {"modules", "netrc_file", "go_command", "timeout", "max_size", "max_commands"}
        else:
            surplus = given & {"url", "auth", "download_hosts", "max_connections", "token_realms"}
        if surplus:
            raise ValueError(f"kind {self.kind!r} has no use for {', '.join(sorted(surplus))}; remove it")
        return self

    @property
    def has_credentials(self) -> bool:
        """Whether it tells us more than it tells a stranger."""
        return self.auth is not None or bool(self.netrc_file)
