"""What an operator points at: a path of a repository, a URL of ours, or a package URL. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from entrepot.cache.repository import Repository
from entrepot.errors import BadRequest, EntrepotError, NotServed
from entrepot.model.purl import parse_purl
from entrepot.model.resource import Kind, Reply, Request, Resource


@dataclass(frozen=True, slots=True)
class PathTarget:
    """REPOSITORY, REPOSITORY/PATH, or REPOSITORY/PREFIX*."""

    repository: Repository
    path: str
    """Below the repository, without leading slash; empty: all of it."""

    def __str__(self) -> str:
        return f"{self.repository.name}/{self.path}"

    @property
    def is_one(self) -> bool:
        return bool(self.path) and not self.path.endswith("*")

    def stored_key(self) -> str:
        """The key of the one thing that is named, by way of the ecosystem, so that every spelling will do. Raises
        NotServed, BadRequest."""
        path, _, query = self.path.partition(" ")[0].partition("?")
        resource = self.repository.ecosystem.route(Request(method="GET", path=path, query=query))
        if isinstance(resource, Reply) or resource.kind is Kind.PASS:
            raise BadRequest(f"{self} names nothing that is stored")
        return resource.stored_key

    def covers(self, stored_key: str) -> bool:
        if not self.is_one:
            return stored_key.startswith(self.prefix())
        # One path can be stored in several representations.
        return _bare(stored_key) == _bare(self.stored_key())

    def prefix(self) -> str:
        """What the keys of everything it covers begin with."""
        return _bare(self.stored_key()) if self.is_one else self.path.removesuffix("*")


@dataclass(frozen=True, slots=True)
class PackageTarget:
    """A package, with its indexes and files, or with the indexes and the files of one version."""

    repository: Repository
    package: str
    """Native name."""
    version: str

    def __str__(self) -> str:
        return f"{self.repository.name}: {self.package}{f' {self.version}' if self.version else ''}"

    def covers(self, stored_key: str) -> bool:
        if self.repository.ecosystem.spelled(self.package) not in stored_key:
            return False
        resource = resource_of(self.repository, stored_key)
        if resource is None or resource.about != self.package:
            return False
        return not self.version or resource.kind is Kind.INDEX or self._is_of_version(resource)

    def covers_file(self, stored_key: str) -> bool:
        """The same for files only: what is remembered of them is kept apart from indexes."""
        resource = resource_of(self.repository, stored_key) if self.covers(stored_key) else None
        return resource is not None and resource.kind is Kind.ARTIFACT

    def prefix(self) -> str:
        return ""

    def _is_of_version(self, resource: Resource) -> bool:
        if resource.version:
            return resource.version == self.version
        # Where only the index tells versions (npm), the file's name is a convention that nearly everybody keeps.
        file = resource.key.rpartition("/")[2]
        return re.search(rf"[-_@]{re.escape(self.version)}(?:\.[a-z]|\Z)", file) is not None


Target = PathTarget | PackageTarget


def find_targets(text: str, repositories: Mapping[str, Repository]) -> tuple[Target, ...]:
    """What is meant; several where several repositories have the package's ecosystem. Raises NotServed, BadRequest."""
    if text.lower().startswith("pkg:"):
        return _find_package(text, repositories)
    path = urlsplit(text)._replace(scheme="", netloc="", fragment="").geturl() if "://" in text else text
    path = path.strip("/") if path.strip("/").count("/") == 0 else path.lstrip("/")
    if path.startswith("~"):
        path = path.partition("/")[2]
    path = _below_repository(path, repositories)
    name, _, rest = path.partition("/")
    repository = repositories.get(name)
    if repository is None:
        raise NotServed(f"there is no repository {name!r}; there are: {', '.join(repositories)}")
    return (PathTarget(repository, rest),)


def _below_repository(path: str, repositories: Mapping[str, Repository]) -> str:
    """What some clients ask for as `SEGMENT/REPOSITORY/…` is `REPOSITORY/SEGMENT/…`."""
    segment, _, rest = path.partition("/")
    name, _, below = rest.partition("/")
    if segment in repositories or name not in repositories:
        return path
    return f"{name}/{segment}/{below}" if repositories[name].ecosystem.root_path == segment else path


def _find_package(text: str, repositories: Mapping[str, Repository]) -> tuple[Target, ...]:
    purl = parse_purl(text)
    found = [one for one in repositories.values() if purl.type in one.ecosystem.purl_types]
    if not found:
        raise NotServed(f"{text}: no repository serves packages of type {purl.type!r}")
    return tuple(PackageTarget(one, one.ecosystem.package_of(purl.namespace, purl.name), purl.version) for one in found)


def _bare(stored_key: str) -> str:
    """Without the representation that was asked of upstream."""
    return stored_key.partition(" ")[0]


def resource_of(repository: Repository, stored_key: str) -> Resource | None:
    """The resource behind a stored key: `route` of the key gives the key again."""
    path, _, query = _bare(stored_key).partition("?")
    try:
        resource = repository.ecosystem.route(Request(method="GET", path=path, query=query))
    except EntrepotError:
        return None  # Stored by an older version, or under other options: no package's.
    return resource if isinstance(resource, Resource) else None
