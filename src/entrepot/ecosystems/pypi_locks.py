"""What the lock files of uv, Poetry, PDM and PEP 751 pin: TOML tables of packages, their files and digests."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from urllib.parse import unquote, urlsplit

import msgspec

from entrepot.contracts.ecosystem import LockText, Skipped, Unread
from entrepot.ecosystems.pypi_markers import Environment, environments_of, locked_for
from entrepot.ecosystems.pypi_names import project_of
from entrepot.ecosystems.pypi_wheels import Candidate, Target, fitting, targets_of
from entrepot.errors import BadRequest, UnreadableLock
from entrepot.model.digest import Digest, parse_hex, strongest_first
from entrepot.model.selection import Depth, Extent, Selection
from entrepot.model.toml import load_toml

_TABLE = re.compile(r"^[ \t]*\[\[[ \t]*packages?[ \t]*\]\]", re.MULTILINE)
_LINE = re.compile(r"\(at line ([0-9]+), column")
_ITEM = re.compile(r"\$\.packages?\[([0-9]+)\]")
_ELSEWHERE = {
    **dict.fromkeys(("git", "hg", "svn", "bzr", "vcs"), "it comes from version control"),
    **dict.fromkeys(("url", "archive"), "it comes from a URL that no index names"),
    **dict.fromkeys(("path", "file", "directory", "editable", "virtual"), "it is a local path"),
}


class _File(msgspec.Struct):
    name: str = ""
    file: str = ""
    filename: str = ""
    url: str = ""
    path: str = ""
    hash: str = ""
    hashes: dict[str, str] = {}

    @property
    def called(self) -> str:
        last = (urlsplit(self.url).path or self.path.replace("\\", "/")).rpartition("/")[2]
        return self.name or self.file or self.filename or unquote(last)

    @property
    def digest(self) -> Digest | None:
        told = [*self.hashes.items(), (self.hash.partition(":")[0], self.hash.partition(":")[2])]
        known = [digest for algorithm, value in told if (digest := parse_hex(algorithm, value))]
        return next(iter(strongest_first(known)), None)


class _Package(msgspec.Struct):
    """The fields of all formats: none uses one of these names for something else."""

    name: str
    version: str = ""
    marker: str = ""
    markers: str | dict[str, str] = ""
    source: dict[str, object] = {}
    sdist: _File | None = None
    wheels: list[_File] = []
    files: list[_File] = []
    git: str = ""
    url: str = ""
    path: str = ""
    vcs: dict[str, object] = {}
    directory: dict[str, object] = {}
    archive: dict[str, object] = {}
    index: str = ""

    @property
    def all_markers(self) -> list[str]:
        return list(self.markers.values()) if isinstance(self.markers, dict) else [self.marker or self.markers]

    @property
    def registry(self) -> str:
        """The index it comes from; empty where the lock file does not tell."""
        told = self.source.get("registry") or (self.source.get("type") == "legacy" and self.source.get("url"))
        return told if isinstance(told, str) else self.index

    @property
    def elsewhere(self) -> str:
        """Why no index has it; empty: an index has."""
        if self.registry and not self.registry.startswith(("http://", "https://")):
            return "it comes from a local index"
        kinds = [str(self.source["type"])] if "type" in self.source else list(self.source)
        kinds += [name for name in ("git", "url", "path", "vcs", "directory", "archive") if getattr(self, name)]
        return next((_ELSEWHERE[one] for one in kinds if one in _ELSEWHERE), "")

    @property
    def is_own(self) -> bool:
        """Whether it is the project that the lock file belongs to."""
        return any(self.source.get(kind) == "." for kind in ("editable", "virtual"))


class _Metadata(msgspec.Struct):
    files: dict[str, list[_File]] = {}
    """Where Poetry before 1.5 and PDM before 2.8 had them: by name, or by name and version."""


class _Lock(msgspec.Struct):
    package: list[_Package] = []
    packages: list[_Package] = []
    metadata: _Metadata | None = None


@dataclass(frozen=True, slots=True)
class _Reader:
    """One format."""

    title: str
    mark: str
    """A key that each of its files has at the top, and other TOML files have not."""
    major: str = ""
    """Of the format, where the mark tells it."""

    def __call__(self, text: LockText) -> Iterable[Selection | Skipped | Unread]:
        """Raises UnreadableLock."""
        source = decoded(text)
        raw = _parsed(text, source)
        self._check(text, raw)
        try:
            lock = msgspec.convert(raw, _Lock)
        except (msgspec.ValidationError, RecursionError) as error:
            found = _ITEM.search(str(error))
            raise unreadable(text, str(error), _line_of(source, int(found[1])) if found else None) from error
        places = _Places(text.extent)
        old = lock.metadata.files if lock.metadata else {}
        return list(dict.fromkeys(_read_all(text, source, [*lock.package, *lock.packages], old, places)))

    def _check(self, text: LockText, raw: dict[str, object]) -> None:
        told = raw.get(self.mark)
        if told is None:
            keys = ", ".join(sorted(raw)[:8]) or "none"
            raise unreadable(
                text, f"this is TOML, but no {self.title}: that has {self.mark!r}; the keys here are {keys}"
            )
        if self.major and str(told).partition(".")[0] != self.major:
            raise unreadable(text, f"{self.title} in version {told} is not known here, only {self.major}")


class _Places:
    """Where the packages will be used."""

    def __init__(self, extent: Extent) -> None:
        self.names = " or ".join(extent.platforms)
        self.targets: tuple[Target, ...] = targets_of(extent.platforms)
        self.environments: tuple[Environment, ...] = environments_of(self.targets)

    def has(self, package: _Package) -> bool:
        return not self.targets or any(locked_for(marker, self.environments) for marker in package.all_markers)


def _read_all(
    text: LockText, source: str, packages: list[_Package], old: dict[str, list[_File]], places: _Places
) -> Iterator[Selection | Skipped | Unread]:
    for number, package in enumerate(packages):
        if package.is_own:
            continue
        try:
            files = [*package.wheels, *([package.sdist] if package.sdist else ()), *package.files]
            files = files or old.get(f"{package.name} {package.version}") or old.get(package.name, [])
            yield _read(package, files, text.extent, places)
        except (BadRequest, ValueError) as error:
            told = unreadable(text, f"package {number + 1}: {error}", _line_of(source, number))
            yield Unread(subject=f"{package.name} {package.version}".strip(), error=told)


def _read(package: _Package, files: list[_File], extent: Extent, places: _Places) -> Selection | Skipped:
    project, subject = project_of(package.name), f"{package.name} {package.version}".strip()
    if package.elsewhere:
        return Skipped(subject=subject, reason=package.elsewhere)
    if not places.has(package):
        return Skipped(subject=subject, reason=f"it is not used on {places.names}")
    names = fitting([Candidate(name=file.called) for file in files if file.called], places.targets)
    wanted = [file for file in files if file.called in names]
    if files and not wanted:
        return Skipped(subject=subject, reason=f"none of its files fits {places.names}")
    if not files and not package.version:
        return Skipped(subject=subject, reason="neither a version nor a file of it is locked")
    return Selection(
        package=project,
        version=package.version,
        files=tuple(dict.fromkeys(file.called for file in wanted)),
        digests=digests_in(file.digest for file in wanted),
        qualifiers=from_index(package.registry),
        extent=complete(extent),
    )


def complete(extent: Extent) -> Extent:
    """A lock file names already what an installation brings along: older versions than the newest."""
    return replace(extent, depth=Depth.NONE) if extent.depth is Depth.RUNTIME else extent


def digests_in(digests: Iterable[Digest | None]) -> tuple[Digest, ...]:
    """All of them; none where one file has none, because then a digest that is not among them proves nothing."""
    known = list(dict.fromkeys(digests))
    return () if None in known else tuple(digest for digest in known if digest)


def from_index(url: str) -> tuple[tuple[str, str], ...]:
    """The qualifier that tells where a package comes from; without credentials."""
    parts = urlsplit(url)
    plain = parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()
    return (("repository_url", plain),) if plain else ()


def decoded(text: LockText) -> str:
    """UTF-8, or what a byte order mark tells: some shells of Windows write UTF-16. Raises UnreadableLock."""
    body = text.body
    encoding = "utf-16" if body[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return body.decode(encoding)
    except UnicodeDecodeError as error:
        line = body[: error.start].count(b"\n") + 1
        raise unreadable(text, f"this is no {error.encoding} text: {error.reason}", line) from error


def unreadable(text: LockText, problem: str, line: int | None = None) -> UnreadableLock:
    return UnreadableLock(f"{text.name}: {f'line {line}: ' if line else ''}{problem}")


def _parsed(text: LockText, source: str) -> dict[str, object]:
    try:
        return load_toml(source)
    except (ValueError, RecursionError) as error:
        found = _LINE.search(str(error))
        line = int(found[1]) if found else None
        before = len(_TABLE.findall("\n".join(source.split("\n")[:line])))
        raise unreadable(text, f"this is no TOML: {error}; packages begun before: {before}", line) from error


def _line_of(source: str, number: int) -> int | None:
    """Where the table of a package begins; None where they are no tables."""
    tables = list(_TABLE.finditer(source))
    return source.count("\n", 0, tables[number].start()) + 1 if number < len(tables) else None


read_uv = _Reader("uv.lock", "version", "1")
read_poetry = _Reader("poetry.lock", "metadata")
read_pdm = _Reader("pdm.lock", "metadata")
read_pylock = _Reader("pylock.toml", "lock-version", "1")
