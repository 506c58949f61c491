"""Everything that apt will ask for to install packages: roots, indexes, translations and package files."""

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace

from entrepot.contracts.closure import Closure, Need, Reading, Skipped
from entrepot.ecosystems.apt_depends import Offer, Package, Relation, exactly, needed, package_of
from entrepot.ecosystems.apt_packages import read_stanzas
from entrepot.ecosystems.apt_release import NamedFile, Release, read_release
from entrepot.ecosystems.apt_versions import DEBIAN
from entrepot.errors import Absent, BadRequest, DigestMismatch
from entrepot.model.constraints import parse_constraint
from entrepot.model.platforms import Platform, parse_platform
from entrepot.model.resource import Resource
from entrepot.model.selection import Depth, Selection

CODINGS = (".zst", ".xz", ".bz2", ".lzma", ".gz", "")
"""In apt's order of preference; what only lz4 unpacks is not read here."""
_PROCESSORS = {"386": "i386", "arm": "armhf", "ppc64le": "ppc64el"}
_FOLDERS = {"sha512": "SHA512", "sha256": "SHA256", "sha1": "SHA1", "md5": "MD5Sum"}

ResourceOf = Callable[[str], Resource]
"""What a decoded path below the repository is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the configuration says of suites. All may be empty."""

    suites: tuple[str, ...]
    components: tuple[str, ...]
    architectures: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Suite:
    folder: str
    """Of its root, without slash at the end; empty for a flat archive at the base."""
    base: str
    """What the names of files are told from, with a slash at the end, or empty."""
    is_flat: bool
    release: Release


def close_packages(selection: Selection, wanted: Wanted, resource_of: ResourceOf) -> Closure:
    """Raises BadRequest, Absent, DigestMismatch, UnreadableIndex."""
    arches = _architectures(selection, wanted)
    offers = {arch: Offer() for arch in arches}
    bases: dict[int, str] = {}
    for name in _suites(selection, wanted):
        suite = yield from _open(name, resource_of)
        for arch, path in _indexes(suite, wanted, arches):
            reading = yield from _index(suite, path, resource_of, reads=True)
            if reading is None:
                continue
            for stanza in read_stanzas(reading.document.body, reading.document.place):
                package = package_of(stanza)
                if package is not None:
                    offers[arch].add(package)
                    bases[id(package)] = _base_of(suite, package)
        for path in _translations(suite, wanted):
            yield from _index(suite, path, resource_of, reads=False)
    found = 0
    for arch, offer in offers.items():
        offer.sort()
        chosen = list(_chosen(selection, offer, arch))
        found += len(chosen)
        yield from _files(selection, offer, chosen, arch, lambda one: resource_of(bases[id(one)] + one.file.path))
    if not found:
        raise Absent(f"{selection} (in none of the indexes of {', '.join(_suites(selection, wanted))})")


def _suites(selection: Selection, wanted: Wanted) -> tuple[str, ...]:
    told = dict(selection.qualifiers).get("distro", "")
    # `debian-12` names a release, not a suite: then the configuration's count.
    named = tuple(one for one in wanted.suites if one.rstrip("/").rpartition("/")[2] == told)
    if named:
        return named
    if wanted.suites:
        return wanted.suites
    if told and "-" not in told:
        return (told,)
    raise BadRequest(f"{selection}: which suite? set the repository's option suites, or write ?distro=SUITE")


def _architectures(selection: Selection, wanted: Wanted) -> tuple[str, ...]:
    told = dict(selection.qualifiers).get("arch", "")
    if told and told not in ("all", "source"):
        return (told,)
    platforms = (parse_platform(text) for text in selection.extent.platforms)
    named = tuple(_arch_of(one) if isinstance(one, Platform) else one for one in platforms)
    if named or wanted.architectures:
        return tuple(dict.fromkeys(named or wanted.architectures))
    raise BadRequest(
        f"{selection}: for which architecture? set the repository's option architectures, write ?arch=amd64, or name a "
        "platform"
    )


def _arch_of(platform: Platform) -> str:
    return _PROCESSORS.get(platform.processor, platform.processor)


# --- indexes ----------------------------------------------------------------------------------------------------------


def _open(name: str, resource_of: ResourceOf) -> Generator[Need | Selection | Skipped, Reading | None, _Suite]:
    """The suite's root, as clients ask for it. Raises Absent."""
    is_flat = name.endswith("/")
    path = name if is_flat or "dists/" in name else f"dists/{name}"
    folder = "/".join(part for part in path.split("/") if part not in ("", "."))
    base = "" if is_flat else folder.rpartition("dists/")[0]
    prefix = f"{folder}/" if folder else ""
    reading = yield Need(resource=resource_of(f"{prefix}InRelease"), reads=True, absent="maybe")
    if reading is None:
        reading = yield Need(resource=resource_of(f"{prefix}Release"), reads=True)
        yield Need(resource=resource_of(f"{prefix}Release.gpg"), absent="maybe")
    if reading is None:
        raise Absent(f"{prefix}Release")
    release = read_release(reading.document.body, reading.document.place)
    return _Suite(folder=prefix, base=base, is_flat=is_flat, release=release)


def _indexes(suite: _Suite, wanted: Wanted, arches: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Architecture and path without coding of each index of packages."""
    if suite.is_flat:
        yield from ((arch, "Packages") for arch in arches)
        return
    for component in wanted.components or suite.release.fields.get("Components", "").split():
        for arch in arches:
            yield arch, f"{_below(suite, component)}/binary-{arch}/Packages"


def _translations(suite: _Suite, wanted: Wanted) -> Iterator[str]:
    """Descriptions in English: the only language that every client asks for."""
    if not suite.is_flat:
        for component in wanted.components or suite.release.fields.get("Components", "").split():
            yield f"{_below(suite, component)}/i18n/Translation-en"


def _below(suite: _Suite, component: str) -> str:
    """apt looks for `updates/main` in the folder `main`, too, where its Release has no other."""
    if any(path.startswith(f"{component}/") for path in suite.release.files):
        return component
    return component.rpartition("/")[2]


def _index(
    suite: _Suite, path: str, resource_of: ResourceOf, *, reads: bool
) -> Generator[Need | Selection | Skipped, Reading | None, Reading | None]:
    """One index as apt asks for it: by its digest where the suite has that."""
    found = next((file for coding in CODINGS if (file := suite.release.files.get(f"{path}{coding}"))), None)
    if found is None:
        return None
    resource = resource_of(f"{suite.folder}{_name_of(found, suite.release)}")
    reading: Reading | None = yield Need(resource=resource, reads=reads)
    return reading


def _name_of(file: NamedFile, release: Release) -> str:
    if not release.has_by_hash:
        return file.path
    folder, slash, _ = file.path.rpartition("/")
    digest = file.strongest
    return f"{folder}{slash}by-hash/{_FOLDERS[digest.algorithm]}/{digest.value}"


# --- packages ---------------------------------------------------------------------------------------------------------


def _base_of(suite: _Suite, package: Package) -> str:
    """As `releases` has it: paths in a flat archive are told from its folder or from the one above."""
    if not suite.is_flat or not suite.folder:
        return suite.base
    path = package.file.path.removeprefix("./")
    parts = suite.folder.rstrip("/").split("/")
    for size in range(len(parts), 0, -1):
        if path.startswith("/".join(parts[-size:]) + "/"):
            above = "/".join(parts[:-size])
            return f"{above}/" if above else ""
    return suite.folder


def _chosen(selection: Selection, offer: Offer, arch: str) -> Iterator[Package]:
    """What was asked for by name: the newest, or what the order says of its version."""
    yield from _of_name(selection, selection.package, selection.version, offer, arch)
    for part in selection.parts:
        name, _, version = part.partition("=")
        found = list(_of_name(replace(selection, within=""), name, version, offer, arch))
        if not found:
            raise Absent(f"{part} (in none of the indexes that were read)")
        yield from found


def _of_name(selection: Selection, name: str, version: str, offer: Offer, arch: str) -> Iterator[Package]:
    found = [one for one in offer.packages.get(name, ()) if one.arch in (arch, "all", "")]
    if version:
        yield from exactly(found, version)[:1]
        return
    if selection.within:
        constraint = parse_constraint(selection.within, DEBIAN, str(selection))
        found = [one for one in found if constraint.admits(one.version)]
    if not found and (provider := offer.named(Relation(name), arch)):
        found = [provider]
    latest = selection.extent.latest
    yield from found[: 1 if selection.extent.depth is not Depth.NONE else latest]


def _files(
    selection: Selection,
    offer: Offer,
    chosen: Sequence[Package],
    arch: str,
    place: Callable[[Package], Resource],
) -> Closure:
    depth = selection.extent.depth
    if depth is Depth.NONE:
        for package in chosen:
            yield from _file(selection, package, place)
        return
    for found in needed(offer, chosen, arch, recommends=depth is Depth.ALL):
        if isinstance(found, Package):
            yield from _file(selection if found in chosen else replace(selection, digests=()), found, place)
        else:
            yield Skipped(subject=f"{found[1]} (of {found[0]})", reason="no package in these suites is or provides it")


def _file(selection: Selection, package: Package, place: Callable[[Package], Resource]) -> Closure:
    wanted = {digest.algorithm: digest for digest in selection.digests}
    for digest in package.file.digests:
        if digest.algorithm in wanted and wanted[digest.algorithm] != digest:
            raise DigestMismatch(package.file.path, str(wanted[digest.algorithm]), str(digest))
    yield Need(resource=place(package))
