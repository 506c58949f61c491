"""What an ecosystem tells the engine. Pure functions and declarations in one file."""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import BinaryIO, ClassVar, Literal
from urllib.parse import unquote

from entrepot.contracts.closure import Closure
from entrepot.contracts.closure import Skipped as Skipped
from entrepot.errors import ConfigError, EntrepotError, NotServed, UnreadableLock
from entrepot.model.digest import Digest
from entrepot.model.headers import Headers
from entrepot.model.listing import Listing
from entrepot.model.names import ReservedNames
from entrepot.model.purl import Purl
from entrepot.model.release import Document, Location, Release, ReleaseFile, Rendered
from entrepot.model.resource import Kind, Reply, Request, Resource
from entrepot.model.selection import Extent, Selection
from entrepot.model.versions import NATURAL, VersionOrder

_COMPARED = re.compile(r"[<>=!,^~*| ]")


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Everything that a rendering depends on besides the document. Plain, picklable data."""

    form: str
    base: str
    """Our absolute URL of the repository without trailing slash, for ecosystems with `absolute_links`; else empty."""
    hidden: frozenset[str] = frozenset()
    """Versions (or file names) that this client may not see."""
    now: datetime | None = None
    revision: str = ""
    """Of the policy."""
    reasons: tuple[tuple[str, str], ...] = ()
    """Hidden versions that exist, and why they may not be had."""


@dataclass(frozen=True, slots=True)
class Pass:
    """A request that is forwarded as it is and never stored."""

    method: str
    pattern: re.Pattern[str]
    """Matches the whole path below the repository."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    parsed_index_bytes: int = 512 << 20
    rendered_index_bytes: int = 64 << 20
    artifact_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A file that the root of a group names, with the digest that it has in this generation."""

    role: str
    """What it is in every generation, however it is called in this one: "main/binary-amd64/Packages.xz", "primary". A
    role whose file was held in one generation is brought for the next before that is published."""
    resource: Resource
    """Under a plain name (SIGNED, with `snapshot`), or under one that tells its digest (ARTIFACT)."""
    digest: Digest
    """The strongest that the root tells."""
    size_bytes: int | None = None
    also: Resource | None = None
    """Of one with a plain name: the same bytes under a name that never means others. They are fetched from there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigFile:
    """A generated file for a client that has no environment variable for what it needs."""

    variable: str
    """The environment variable that names the file to the client; empty where arguments do."""
    name: str
    """May have folders in it."""
    content: str
    """May hold `{url}`, our URL of the repository without trailing slash."""
    per_host: str = ""
    """Further text for each host that a repository stands for, of all repositories with such a client: may hold
    `{host}`, `{registry}` (our host and path, as names of images have it), `{insecure}` (no TLS: true or false),
    `{name}` (the host without port) and `{proxy}` (our address as a proxy, with the session as the user)."""
    value: str = "{path}"
    """What the variable gets: may hold `{path}`, `{folder}` (where the file is) and `{own}` (what the variable holds
    already)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundAt:
    """Where a client's own configuration may say which registry it uses."""

    path: str
    """May start with `~/`, and hold `$VARIABLE`s; relative paths are searched from the working directory upwards. The
    last part of an absolute one may hold `*`."""
    read: Callable[[str], str | None]
    """The file's text to the registry's URL, credentials left out; None when it names none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A package manager: how to point it at us, and how to find where it points today."""

    name: str
    command: str
    variables: Mapping[str, str] = field(default_factory=dict)
    """Environment variables; values may hold `{url}` (our URL of the repository, no trailing slash) and `{host}`."""
    files: Sequence[ConfigFile] = ()
    arguments: Sequence[str] = ()
    """What `run` puts before the command's own arguments, where no variable and no file of its own can point the
    client at us. May hold `{url}` and `{directory}` (below which its files are)."""
    asks: Sequence[Sequence[str]] = ()
    """Commands that print the client's registry (`npm config get registry`), tried in order; optional tools."""
    found_at: Sequence[FoundAt] = ()
    further: Sequence[str] = ()
    """Environment variables that name more sources: what comes from these does not come through us."""
    mute_agent: str = ""
    """How the User-Agent of a client begins that shows people nothing of a refusal but its status and its address."""
    setup: str = ""
    """The lines a person types to point this client at us for good; may hold `{url}`, `{host}` and `{registry}` (host,
    port and repository, as names of images have it)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lockfile:
    """A lock file's name and, where it may come to name our address, what to do about it."""

    name: str
    """A glob over the file's name."""
    remedy: str
    read: "Callable[[LockText], Iterable[Selection | Skipped | Unread]] | None" = None
    """What such a file pins. Raises UnreadableLock, with file, line and what was understood instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LockText:
    """A lock file as it was handed in."""

    name: str
    """Its file name, for messages."""
    body: bytes
    extent: Extent


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """An entry of a lock file that cannot be understood. The others count."""

    subject: str
    error: UnreadableLock


Dating = Generator[Resource, Document | None, datetime | None]
"""Yields documents that are to be read, is sent them (None: it cannot be had), and returns the date, or None."""


class Ecosystem(ABC):
    """One package ecosystem. Instances are made per repository from its `options` and hold nothing else."""

    name: ClassVar[str]
    title: ClassVar[str]
    purl_types: ClassVar[tuple[str, ...]] = ()
    versions: ClassVar[VersionOrder] = NATURAL
    passes: ClassVar[tuple[Pass, ...]] = ()
    clients: ClassVar[tuple[Client, ...]] = ()
    lockfiles: ClassVar[tuple[Lockfile, ...]] = ()
    limits: ClassVar[Limits] = Limits()
    token_hint: ClassVar[str] = "send it as the Basic password of any user, or as a Bearer token"
    """How a person gives a token to a client; may hold `{host}`, our name and port."""
    absolute_links: ClassVar[bool] = False
    """Whether rendered documents name our own address."""
    revision: ClassVar[int] = 1
    """Raised when `render` or `releases` would say something else about the same bytes."""
    dates: ClassVar[Literal["registry", "author", "none"]] = "none"
    """Who sets the dates of versions. An author's can be set back, so first seen counts besides."""
    files_have_ages: ClassVar[bool] = False
    """Whether files come to old versions, so that each has its own age; `View.hidden` then holds names of files."""
    dated_by_field: ClassVar[bool] = False
    """Whether the date of a version is when what `dated_by` names was last modified, as upstream's fields tell it. Of
    what never changes the earliest that was ever told is kept: registries that move tell later ones."""
    dates_in_files: ClassVar[bool] = False
    """Whether the files themselves tell their dates (`dating`), and what a name means is remembered: then lists are
    judged only by what newly appeared in them."""
    hashes_are_of_files: ClassVar[bool] = True
    """Whether bills of materials mean the bytes of a package's file when they tell its hash. Go's are of what is packed
    in it, and are spelled as SHA-256 all the same."""
    settled: ClassVar[str] = ""
    """How the keys begin of which `settlement` is told; empty: there is nothing to settle."""
    named_by_address: ClassVar[bool] = False
    """Whether package URLs tell in `repository_url` where a package is: `select` is told that, below the upstream."""
    root_path: ClassVar[str] = ""
    """Where at a server's root its clients ask, whatever the path of their registry is ("v2"): repositories are served
    there, too. Such an ecosystem takes the paths below it with this segment in front."""
    proxied: ClassVar[bool] = False
    """Whether clients may use us as their HTTP proxy: what they ask of the host of an upstream is served."""
    views_by_generation: ClassVar[bool] = False
    """Whether there are dated views though nothing has a date: of signed groups, as they were when we had them."""
    option_names: ClassVar[Mapping[str, str]] = {}
    """Options a repository of this ecosystem takes, with one line on each; values reach `__init__` as given."""

    def __init__(self, options: Mapping[str, object] | None = None, reserved: ReservedNames | None = None) -> None:
        """`reserved`: names that only their owners are told. Raises ConfigError for an unknown option or a value that
        does not fit."""
        self.options = dict(options or {})
        self.reserved = reserved or ReservedNames()
        unknown = sorted(set(self.options) - set(self.option_names))
        if unknown:
            known = ", ".join(self.option_names) or "none"
            raise ConfigError(f"{self.name}: unknown option {unknown[0]!r}; known are: {known}")

    @classmethod
    def default_upstream(cls) -> str | None:
        """The public registry's base URL from a public table in a library; None where there is none."""
        return None

    def names_our_address(self, form: str) -> bool:
        """Whether documents of this form name our own address: only these are told `View.base` and kept per address."""
        return self.absolute_links

    def package_of(self, namespace: str, name: str) -> str:
        """The native name, as in `Resource.about`, of what a package URL calls so. Raises BadRequest."""
        return f"{namespace}/{name}" if namespace else name

    def pattern_of(self, glob: str) -> str:
        """A glob on names as people spell them, made one on native names."""
        return glob

    def index_of(self, package: str) -> Resource | None:
        """The document that lists a package's versions; None where no document does. Raises NotServed, BadRequest."""
        return None

    def spelled(self, package: str) -> str:
        """How a package's native name stands in the keys of its files."""
        return package

    @abstractmethod
    def route(self, request: Request) -> Resource | Reply:
        """What the client asks for, or the answer itself. Raises NotServed, BadRequest, MethodRefused."""

    def releases(self, document: Document) -> Iterator[Release]:
        """What an index says. Raises UnreadableIndex."""
        return iter(())

    def members(self, root: Document) -> Iterator[Member]:
        """What a signed root names of its group, each role once. Nothing: what is stored of the group is brought for a
        new root as upstream has it. Raises UnreadableIndex for what is no root: it is neither served nor stored."""
        return iter(())

    def expires(self, root: Document) -> datetime | None:
        """From when on clients refuse a root (apt's `Valid-Until`); None: never. Raises UnreadableIndex."""
        return None

    def link(self, package: str, file: ReleaseFile) -> str:
        """The path below the repository under which we serve the file: the key of its Resource."""
        raise NotImplementedError

    def locate(self, resource: Resource, document: Document) -> Location:
        """Where upstream has a file, told by the document that it is `located_by`. What an index says of the file has
        no location then (an empty path). Raises UnreadableIndex, also for a place that is never asked."""
        raise NotImplementedError

    def render(self, resource: Resource, documents: Sequence[Document], view: View) -> Rendered | None:
        """The document as this client may see it; None: send the stored bytes untouched. The first document is the
        resource's own. Raises UnreadableIndex, or Absent when nothing is left to show."""
        return None

    def dated_by(self, package: str, version: str) -> Resource | None:
        """The document that tells a version's date, where its list does not."""
        return None

    def last_change(self, document: Document) -> datetime | None:
        """Since when a list is what it is: nothing that it names is younger. Saves asking for each version's own date.
        None where it does not say. Raises UnreadableIndex."""
        return None

    def announced_in(self, package: str, version: str) -> Resource | None:
        """The one list in which a version appears first; None: any document that names it."""
        return None

    def others_than(self, resource: Resource) -> Resource | None:
        """The list with other versions, where a document describes one version that this client may not see; its
        place then takes what `dated_by` says of the newest that is left. None: the document is refused."""
        return None

    def newest_of(self, versions: Iterable[str]) -> str | None:
        """The one that a client is told who asks for no version in particular."""
        return None

    def scrub(self, resource: Resource, body: bytes, encoding: str, may_tell: Callable[[str], bool]) -> bytes | Reply:
        """The body of a request that is passed on, without names that upstream may not be told, in the same content
        coding; or the answer, where there is nothing left to ask. Raises BadRequest for a body that cannot be read."""
        return body

    @property
    def stands_for(self) -> tuple[str, ...]:
        """Hosts by which what this repository serves is called, besides those of its upstreams."""
        return ()

    def listing(self, request: Request) -> Listing | None:
        """Whether this asks what the repository has stored. `-/` is nobody's package in the registries that have it."""
        return Listing.at(request, prefix="-/")

    def select(self, purl: Purl, extent: Extent) -> Selection:
        """What a package URL means here. `purl.version` may be comparisons. Raises BadRequest."""
        exact = bool(purl.version) and not _COMPARED.search(purl.version)
        return Selection(
            package=self.package_of(purl.namespace, purl.name),
            version=purl.version if exact else "",
            within="" if exact else purl.version,
            qualifiers=purl.qualifiers,
            extent=extent,
        )

    def told_digest(self, headers: Headers) -> Digest | None:
        """The digest of the whole body, where an answer's own fields tell it."""
        return None

    def named_by(self, resource: Resource, digest: Digest) -> Resource:
        """Of one that is `probed`: these bytes under the name that never means others."""
        raise NotImplementedError

    def dating(self, resource: Resource) -> Dating | None:
        """How to find out when the author of this file dated it; None for what has no age. Only with
        `dates_in_files`."""
        return None

    def shown(self, resource: Resource, headers: Headers, sha256: str) -> Iterable[tuple[str, str]]:
        """Fields that clients want with an answer besides those that every file has. `headers`: what is kept of
        upstream's; `sha256`: of the body as upstream has it, empty where that is not known yet. A `link` that begins
        with a question mark leads to the same path."""
        return ()

    def closure(self, selection: Selection) -> Closure:
        """Everything that clients will ask for: artifacts, indexes, side files, and the paths they probe in vain. An
        ecosystem whose packages cannot be enumerated raises NotServed at once."""
        raise NotServed(f"{self.title}: packages of this kind cannot be mirrored by name")

    def settlement(self, keys: Iterable[str]) -> Closure:
        """What must be held besides, because clients check what is held against each other: told when everything of an
        order is planned. `keys`: those in the store and those planned that begin with `settled`."""
        yield from ()

    def purl_of(self, resource: Resource, version: str) -> Purl | None:
        """How bills of materials call what a file belongs to; None for what is in none."""
        if not self.purl_types or not resource.about:
            return None
        namespace, _, name = resource.about.rpartition("/")
        return Purl(type=self.purl_types[0], namespace=namespace, name=name, version=version)

    def billed_as(self, resource: Resource) -> str:
        """The name under which a bill of materials lists a file, as in `ReleaseFile.name`; empty for what only tells
        about files, and comes along with them by itself."""
        return unquote(resource.key.rpartition("/")[2]) if resource.kind is Kind.ARTIFACT else ""

    def check(self, resource: Resource, file: BinaryIO, published: Digest) -> Digest | None:
        """The file's digest by an algorithm that is not over its bytes (`h1`), to be compared with `published`;
        None when this algorithm is not known here. Runs in a thread."""
        return None

    def examine(self, resource: Resource, document: Document) -> None:
        """A file of which the resource says that it is `examined`, before it is served or stored. Raises BadContent
        for what cannot be what its name says. Runs in a thread."""
        return

    def problem(self, error: EntrepotError) -> Reply:
        """Say no in the words that this ecosystem's clients show to a person."""
        return Reply(status=error.status, body=f"{error}\n".encode())
