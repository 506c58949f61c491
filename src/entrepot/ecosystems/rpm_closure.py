"""What dnf needs of a package, so that it works without upstream: the metadata of its repository, and the files."""

from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import TypeVar

from entrepot.contracts.closure import Closure, Need, Reading, Skipped
from entrepot.ecosystems.rpm_lists import Specs
from entrepot.ecosystems.rpm_primary import Package, read_packages
from entrepot.ecosystems.rpm_repomd import FOLDER, ROOT, Named, read_repomd
from entrepot.ecosystems.rpm_resources import resource_at
from entrepot.ecosystems.rpm_solving import NOARCH, Shelf, Wanted, with_all_they_want
from entrepot.ecosystems.rpm_versions import RPM, join_evr, split_evr
from entrepot.errors import Absent, BadRequest, ConfigError, DigestMismatch
from entrepot.model.constraints import parse_constraint
from entrepot.model.paths import decode_segment
from entrepot.model.platforms import Platform, parse_platform
from entrepot.model.purl import Purl
from entrepot.model.resource import Resource
from entrepot.model.selection import Depth, Extent, Selection

_T = TypeVar("_T")
Steps = Generator[Need | Selection | Skipped, Reading | None, _T]

_SIDE_FILES = (f"{ROOT}.asc", f"{ROOT}.key")
_NOT_ASKED = "_db"
"""How kinds of metadata end that no client of today reads."""
_ARCHITECTURES = {
    "amd64": ("x86_64",),
    "386": ("i686", "i586", "i386"),
    "arm64": ("aarch64",),
    "arm": ("armv7hl", "armv7hnl", "armhfp"),
}


def select(purl: Purl, extent: Extent) -> Selection:
    """The namespace says who distributes it: there is one repository here, so it says nothing more."""
    version, epoch = purl.version, purl.qualifier("epoch")
    exact = bool(version) and not any(sign in version for sign in "<>=!,* |")
    if exact and epoch not in ("", "0") and ":" not in version:
        version = f"{epoch}:{version}"
    return Selection(
        package=purl.name,
        version=version if exact else "",
        within="" if exact else version,
        qualifiers=tuple(pair for pair in purl.qualifiers if pair[0] != "epoch"),
        extent=extent,
    )


def close(paths: Sequence[str], selection: Selection) -> Closure:
    """`paths`: of the repositories below the upstream, decoded and without slashes at their ends."""
    deep = selection.extent.depth is not Depth.NONE
    told = dict(selection.qualifiers).get("path")
    wanted = _Wish(selection)
    shelf = Shelf()
    for path in paths if told is None else (told.strip("/"),):
        document = yield from _metadata([part for part in path.split("/") if part])
        only = "" if deep or selection.parts else selection.package
        for package in read_packages(document.document, name=only, relations=deep):
            if package.key:
                wanted.look_at(package)
            if package.key and deep:
                shelf.add(package)
    chosen = wanted.chosen()
    for one in with_all_they_want(chosen, shelf, _archs_around(selection)) if deep else chosen:
        if isinstance(one, Wanted):
            yield Skipped(
                subject=f"{one.by.name} {one.by.version} requires {_text_of(one)}",
                reason="no package of this repository says that it provides it",
            )
        else:
            yield _need_of(one, selection)
    if wanted.specs.missing:
        # What else the list names is held all the same.
        raise Absent(f"{', '.join(wanted.specs.missing)} in the metadata of the repository")


class _Wish:
    """What a selection names, found among the packages of one repository after the other."""

    def __init__(self, selection: Selection) -> None:
        self._selection, self._archs = selection, _archs_of(selection)
        self._found: list[Package] = []
        self.specs = Specs(selection.parts)

    def look_at(self, package: Package) -> None:
        if self._archs and package.arch not in self._archs:
            return
        if self._selection.parts:
            self.specs.look_at(package)
        elif package.name == self._selection.package:
            self._found.append(package)

    def chosen(self) -> list[Package]:
        """Raises Absent, DigestMismatch, BadRequest."""
        return self.specs.found if self._selection.parts else _chosen(self._found, self._selection)


def _metadata(segments: list[str]) -> Steps[Reading]:
    """What names the packages, after everything that clients ask for besides."""
    folder = [*segments, FOLDER]
    root = yield Need(resource=resource_at([*folder, ROOT], ""), reads=True)
    if root is None:
        raise Absent("/".join([*folder, ROOT]))
    named = [one for one in read_repomd(root.document) if not one.kind.endswith(_NOT_ASKED)]
    for name in _SIDE_FILES:
        yield Need(resource=resource_at([*folder, name], ""), absent="maybe")
    primary = next((one for kind in ("primary", "primary_zck") for one in named if one.kind == kind), None)
    if primary is None:
        raise Absent(f"{'/'.join(folder)}: metadata of the kind primary")
    for one in named:
        if one is not primary:
            yield Need(resource=_resource_of(one))
    reading = yield Need(resource=_resource_of(primary), reads=True)
    if reading is None:
        raise Absent(primary.key)
    return reading


def _resource_of(named: Named) -> Resource:
    return resource_at([decode_segment(part) for part in named.key.split("/")], "")


def _need_of(package: Package, selection: Selection) -> Need:
    resource = resource_at([decode_segment(part) for part in package.key.split("/")], "")
    digest = package.digest or next(iter(selection.digests), None)
    return Need(resource=replace(resource, digest=digest, size_bytes=package.size_bytes))


def _text_of(wanted: Wanted) -> str:
    one = wanted.capability
    return " ".join(part for part in (one.name, one.comparison, one.version) if part)


# --- which of them ----------------------------------------------------------------------------------------------------


def _archs_of(selection: Selection) -> frozenset[str]:
    """Of the package that is named; empty: all."""
    told = dict(selection.qualifiers).get("arch", "")
    return frozenset({told}) if told else _archs_around(selection)


def _archs_around(selection: Selection) -> frozenset[str]:
    """Of what it brings along; empty: all."""
    told = dict(selection.qualifiers).get("arch", NOARCH)
    found = {told} - {NOARCH}
    for text in selection.extent.platforms:
        platform = parse_platform(text)
        if isinstance(platform, Platform):
            found.update(_ARCHITECTURES.get(platform.processor, (platform.processor,)))
        else:
            found.add(platform)
    return frozenset({*found, NOARCH}) if found else frozenset()


def _chosen(found: Sequence[Package], selection: Selection) -> list[Package]:
    """Raises Absent, DigestMismatch, BadRequest."""
    chosen = [one for one in found if _is_named(one, selection)]
    if not chosen:
        raise Absent(f"{selection} in the metadata of the repository")
    if selection.digests:
        chosen = _with_digest(chosen, selection)
    if selection.version or selection.extent.latest is None:
        return chosen
    versions = sorted({one.version for one in chosen}, key=lambda version: RPM.key(version) or (), reverse=True)
    newest = frozenset(versions[: selection.extent.latest])
    return [one for one in chosen if one.version in newest]


def _is_named(package: Package, selection: Selection) -> bool:
    if selection.files and package.key.rpartition("/")[2] not in selection.files:
        return False
    if selection.version:
        return _is_version(package.version, selection.version)
    if not selection.within:
        return True
    try:
        return bool(parse_constraint(selection.within, RPM, selection.package).admits(package.version))
    except ConfigError as error:
        raise BadRequest(str(error)) from error


def _is_version(version: str, wanted: str) -> bool:
    """Bills often leave out the epoch, and people the release: then any will do."""
    mine, its = split_evr(version), split_evr(wanted)
    if mine is None or its is None:
        return version == wanted
    same_epoch = mine[0] == its[0] or ":" not in wanted
    return same_epoch and mine[1] == its[1] and its[2] in ("", mine[2])


def _with_digest(chosen: Sequence[Package], selection: Selection) -> list[Package]:
    kinds = {digest.algorithm for digest in selection.digests}
    right = [one for one in chosen if one.digest in selection.digests]
    comparable = [one for one in chosen if one.digest is not None and one.digest.algorithm in kinds]
    if not right and comparable:
        raise DigestMismatch(str(selection), str(selection.digests[0]), str(comparable[0].digest))
    return right or list(chosen)


def purl_of(resource: Resource, version: str, vendor: str, arch: str) -> Purl | None:
    """Of a package's file."""
    parts = split_evr(version or resource.version)
    if parts is None:
        return None
    qualifiers = {"arch": arch, "epoch": str(parts[0] or "")}
    return Purl(
        type="rpm",
        namespace=vendor,
        name=resource.about,
        version=join_evr("", parts[1], parts[2]),
        qualifiers=tuple((key, value) for key, value in sorted(qualifiers.items()) if value),
    )
