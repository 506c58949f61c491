"""Everything that npm's clients ask for when they install a package: documents, tarballs, and what signs them.

Not a resolver: of each dependency the version is taken that npm would choose for this one wish alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import msgspec

from entrepot.contracts.closure import Closure, Need, Skipped
from entrepot.ecosystems.npm_choice import choose, read_page
from entrepot.ecosystems.npm_packument import decode, read_releases, read_shasum
from entrepot.ecosystems.npm_platforms import read_machines
from entrepot.ecosystems.npm_resources import KEYS, attestations, packument, tarball
from entrepot.ecosystems.npm_specs import read_spec, source_of
from entrepot.errors import Absent, DigestMismatch, NotServed
from entrepot.model.digest import Digest, parse_sri
from entrepot.model.release import Document, ReleaseFile
from entrepot.model.resource import Resource
from entrepot.model.selection import Depth, Selection


class _Dist(msgspec.Struct, frozen=True):
    integrity: object = None
    shasum: object = None
    attestations: object = None


class _Manifest(msgspec.Struct, frozen=True, rename="camel"):
    """Old documents have all sorts of values, which are nothing then."""

    dist: _Dist | None = None
    os: object = None
    cpu: object = None
    libc: object = None
    dependencies: object = None
    optional_dependencies: object = None
    peer_dependencies: object = None
    peer_dependencies_meta: object = None
    dev_dependencies: object = None
    bundle_dependencies: object = None
    bundled_dependencies: object = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Version:
    selection: Selection
    name: str
    manifest: _Manifest
    file: ReleaseFile | None

    @property
    def title(self) -> str:
        return f"{self.selection.package}@{self.name}"

    @property
    def runs(self) -> bool:
        """On one of the order's platforms."""
        machines = read_machines(self.manifest.os, self.manifest.cpu, self.manifest.libc)
        return machines.include(self.selection.extent.platforms)

    @property
    def dist(self) -> _Dist:
        return self.manifest.dist or _Dist()


def close_package(selection: Selection) -> Closure:
    """Raises BadRequest, Absent, PolicyRefused, DigestMismatch, NotServed and UnreadableIndex."""
    reading = yield Need(resource=packument(selection.package), reads=True)
    if reading is None:
        raise Absent(selection.package)
    yield Need(resource=KEYS, absent="maybe")
    for version in _versions(selection, reading.document, reading.hidden):
        if not version.runs:
            reason = f"it does not run on {' or '.join(selection.extent.platforms)}"
            yield Skipped(subject=version.title, reason=reason)
            continue
        yield from _needs(version)
        if version.name not in reading.hidden:
            yield from _optional_documents(version)
            yield from _dependencies(version)


def _versions(selection: Selection, document: Document, hidden: frozenset[str]) -> Iterator[_Version]:
    page = read_page(document)
    files = {release.version: release.files for release in read_releases(document)}
    for name in choose(page, selection, hidden):
        manifest = decode(page.versions[name], _Manifest, document.url)
        file = next(iter(files.get(name, ())), None)
        yield _Version(selection=selection, name=name, manifest=manifest, file=file)


def _needs(version: _Version) -> Iterator[Need | Skipped]:
    file, selection = version.file, version.selection
    if file is None:
        problem = "its document lists no tarball that may be fetched"
        if selection.version:
            raise NotServed(f"{version.title}: {problem}")
        yield Skipped(subject=version.title, reason=problem)
    elif not selection.files or file.name in selection.files:
        resource = replace(tarball(selection.package, file.name), version=version.name)
        yield Need(resource=_checked(version, resource))
        if isinstance(version.dist.attestations, dict):
            yield Need(resource=attestations(selection.package, version.name), absent="maybe")


def _checked(version: _Version, resource: Resource) -> Resource:
    """Raises DigestMismatch where the order means another file. What cannot be compared here is when it arrives."""
    wanted, published = version.selection.digests, _digests(version.dist)
    known = {digest.algorithm for digest in published}
    comparable = [digest for digest in wanted if digest.algorithm in known]
    if comparable and not set(comparable) & set(published):
        raise DigestMismatch(version.title, " or ".join(map(str, comparable)), " and ".join(map(str, published)))
    return resource if comparable or not wanted else replace(resource, digest=wanted[0])


def _digests(dist: _Dist) -> tuple[Digest, ...]:
    integrity, shasum = (value if isinstance(value, str) else "" for value in (dist.integrity, dist.shasum))
    return *parse_sri(integrity), *read_shasum(shasum)


def _optional_documents(version: _Version) -> Iterator[Need]:
    """npm asks about optional dependencies that a lock file leaves out: one that nobody answers for costs more than a
    minute, one that does not exist nothing."""
    inside = _bundled(version.manifest)
    for name, spec in _texts(version.manifest.optional_dependencies).items():
        found = read_spec(name, spec)
        if found and name not in inside:
            yield Need(resource=packument(found[0]), absent="maybe")


def _dependencies(version: _Version) -> Iterator[Selection | Skipped]:
    extent = version.selection.extent
    if extent.depth is Depth.NONE:
        return
    # The newest that fits of each. What developing it takes is only for the package itself.
    further = replace(extent, depth=Depth.RUNTIME, latest=1)
    for name, spec in _wishes(version.manifest, extent.depth):
        found = read_spec(name, spec)
        if found:
            yield Selection(package=found[0], within=found[1], extent=further)
        else:
            yield Skipped(subject=name[:214], reason=f"{version.title} depends on it from {source_of(spec)}")


def _wishes(manifest: _Manifest, depth: Depth) -> Iterator[tuple[str, str]]:
    """Names and what is wanted of them, except what is inside the tarball."""
    inside = _bundled(manifest)
    everything = depth is Depth.ALL
    for kind in (
        manifest.dependencies,
        manifest.optional_dependencies,
        manifest.dev_dependencies if everything else {},
    ):
        yield from ((name, spec) for name, spec in _texts(kind).items() if name not in inside)
    meta = manifest.peer_dependencies_meta if isinstance(manifest.peer_dependencies_meta, dict) else {}
    for name, spec in _texts(manifest.peer_dependencies).items():
        facts = meta.get(name)
        if name not in inside and not (isinstance(facts, dict) and facts.get("optional") is True):
            yield name, spec


def _bundled(manifest: _Manifest) -> frozenset[str]:
    names: set[str] = set()
    for value in (manifest.bundle_dependencies, manifest.bundled_dependencies):
        if value is True:
            names.update(_texts(manifest.dependencies))
        elif isinstance(value, list):
            names.update(name for name in value if isinstance(name, str))
    return frozenset(names)


def _texts(value: object) -> dict[str, str]:
    members = value.items() if isinstance(value, dict) else ()
    return {name: text for name, text in members if isinstance(name, str) and isinstance(text, str)}
