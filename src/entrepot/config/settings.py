"""The tree of settings: what there is, its unit, its default, and what it means. The reference is made from it."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from entrepot.config.build_caches import BuildCache
from entrepot.config.bundles import Bundles
from entrepot.config.fills import Fills
from entrepot.config.mirror import Mirroring, Schedule
from entrepot.config.names import (
    Listener,
    Name,
    Network,
    OptionalUrl,
    RepositoryName,
)
from entrepot.config.policy import GlobalCooldown, NetworkMode, Validator
from entrepot.config.repository import Repository
from entrepot.config.sessions import Sessions
from entrepot.config.tokens import Token
from entrepot.config.units import Duration, Size, SizeOrOff
from entrepot.config.upstream import Upstream


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Server(Section):
    """How Entrepot listens and what it calls itself."""

    listen: Listener = Field(default="127.0.0.1:8080", description="HOST:PORT to listen on; port 0 takes a free one.")
    public_url: OptionalUrl = Field(
        default="", description="Our address as clients see it, used in links; empty: the Host of the request."
    )
    allowed_hosts: tuple[str, ...] = Field(
        default=(), description="Names besides loopback and our own addresses that a request may have as Host."
    )
    trusted_proxies: tuple[Network, ...] = Field(
        default=(),
        description="Addresses or networks whose Forwarded, X-Forwarded-Host and X-Forwarded-Proto fields count.",
    )
    workers: int = Field(default=1, ge=1, le=64, description="Processes that serve.")
    tls_certificate: str = Field(default="", description="PEM file with our certificate chain; empty: no TLS.")
    tls_key: str = Field(default="", description="PEM file with its key.")
    open: bool = Field(
        default=False,
        description="Whether anybody who can reach us may read, but for repositories that use credentials; beyond "
        "loopback either this or tokens are needed.",
    )
    registry_mirror: str = Field(
        default="",
        description="Repository of images that is meant below /v2/ where none is named: docker's registry mirrors are "
        "asked there. Empty: none.",
    )
    access_log: str = Field(default="stdout", min_length=1, description='The access log: "stdout", "off" or a file.')
    shutdown_timeout: Duration = Field(
        default=30.0, description="How long downloads may go on after a request to stop."
    )
    http: Literal["1", "2", "auto"] = Field(default="1", description="HTTP version that is spoken with clients.")

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if bool(self.tls_certificate) != bool(self.tls_key):
            raise ValueError("tls_certificate and tls_key come together; set both or neither")
        return self


class Storage(Section):
    """Where bytes live and how many."""

    directory: str = Field(
        default="",
        description="Data directory; empty: $ENTREPOT_DATA, $XDG_DATA_HOME/entrepot or ~/.local/share/entrepot.",
    )
    max_size: SizeOrOff = Field(
        default=None, description="Stored bytes above which the least recently used are evicted."
    )
    sweep_interval: Duration = Field(
        default=7 * 86400.0, description="Within it every stored file is read and checked."
    )
    memory: Size = Field(default=64 << 20, description="Memory for bodies that are asked for often, per worker.")
    open_files: int = Field(default=512, ge=16, description="Stored files that are kept open, per worker.")


class Metrics(Section):
    """Prometheus metrics."""

    open: bool = Field(default=False, description="Whether /metrics answers everybody who can reach us.")


class Flight(Section):
    """One download that many readers share."""

    range_wait: Duration = Field(
        default=2.0,
        description="How long to wait for a range that is still arriving, before asking upstream for it.",
    )
    resumes: int = Field(
        default=2, ge=0, le=2, description="How often an interrupted body is resumed by a range request."
    )
    hold: Size = Field(
        default=1 << 20,
        description="Bodies up to this size whose digest is known are verified before their first byte leaves.",
    )
    window: Size = Field(
        default=8 << 20,
        description="Memory a download may use to go on when the disk takes nothing, for its slowest reader.",
    )


class Fetch(Section):
    """The client that speaks with upstreams."""

    queue_timeout: Duration = Field(
        default=60.0, description="Waiting for one of an upstream's connections to be free."
    )
    connect_timeout: Duration = Field(
        default=10.0, description="Name lookup, connection and TLS, with all redirects and retries of one request."
    )
    first_byte_timeout: Duration = Field(default=30.0, description="From the connection to the answer, for each try.")
    read_timeout: Duration = Field(default=30.0, description="Silence in a body after which it counts as broken.")
    retries: int = Field(default=2, ge=0, le=2, description="Further tries of a request that got no answer.")
    retry_delay: Duration = Field(default=0.2, description="Longest pause before the first further try; it doubles.")
    max_redirects: int = Field(default=5, ge=0, le=20, description="Redirects that are followed for one request.")
    trust_env: bool = Field(
        default=False, description="Whether HTTP_PROXY, HTTPS_PROXY and NO_PROXY of the environment count."
    )


class Limits(Section):
    """Ceilings, so that no document can take all memory."""

    parsed_index: Size = Field(default=512 << 20, description="Largest index that is read; above it the answer is 502.")
    rendered_index: Size = Field(
        default=64 << 20, description="Largest index that is rendered; above it the answer is 502."
    )
    artifact: SizeOrOff = Field(default=None, description="Largest artifact that is fetched.")
    request_body: Size = Field(
        default=8 << 20, description="Largest body of a request that is passed through; above it 413."
    )
    views: Size = Field(default=64 << 20, description="Memory for rendered indexes, per worker.")


class Catalog(Section):
    """Where facts live."""

    backup_interval: Duration = Field(default=3600.0, description="Time between online backups of the catalog.")


class Compat(Section):
    """Habits of older software."""

    warning_header: bool = Field(
        default=False, description="Whether stale answers also carry the retired `Warning: 110`."
    )


class Settings(Section):
    """Everything that can be set."""

    network: NetworkMode = Field(
        default="online",
        description="Whether upstreams are asked: `online`; `prefer_cache`: only for what is not stored, and what is "
        "stored is served at any age; `offline`: never, no connection is opened.",
    )
    server: Server = Server()
    storage: Storage = Storage()
    metrics: Metrics = Metrics()
    flight: Flight = Flight()
    fetch: Fetch = Fetch()
    limits: Limits = Limits()
    catalog: Catalog = Catalog()
    fills: Fills = Fills()
    bundles: Bundles = Bundles()
    sessions: Sessions = Sessions()
    mirroring: Mirroring = Mirroring()
    mirror: tuple[Schedule, ...] = ()
    compat: Compat = Compat()
    cooldown: GlobalCooldown = GlobalCooldown()
    validator: Validator = Validator()
    tokens: tuple[Token, ...] = ()
    upstreams: dict[Name, Upstream] = {}
    repositories: dict[RepositoryName, Repository] = {}
    build_caches: dict[RepositoryName, BuildCache] = {}
