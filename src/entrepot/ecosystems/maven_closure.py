"""Everything that Maven and Gradle will ask for of a package: its POM, its files, what tells their digests, and the
POMs that its own is made of. What it depends on is not resolved: a bill of materials or a recorded session names that.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace

from entrepot.contracts.closure import Closure, Need, Reading, Skipped
from entrepot.ecosystems.maven_metadata import SnapshotFile, listed_versions, snapshot_files
from entrepot.ecosystems.maven_names import check_package, check_version, is_snapshot
from entrepot.ecosystems.maven_pom import Pom, read_pom
from entrepot.ecosystems.maven_resources import file_of, list_of, side_file, snapshots_of
from entrepot.ecosystems.maven_versions import MAVEN, version_key
from entrepot.errors import Absent, BadRequest, ConfigError, UnreadableIndex
from entrepot.model.constraints import parse_constraint
from entrepot.model.digest import Digest
from entrepot.model.purl import Purl
from entrepot.model.resource import Kind, Resource
from entrepot.model.selection import Depth, Extent, Selection

_EXTENSIONS = {
    "bundle": "jar",
    "eclipse-plugin": "jar",
    "ejb": "jar",
    "ejb-client": "jar",
    "hk2-jar": "jar",
    "java-source": "jar",
    "javadoc": "jar",
    "jar": "jar",
    "maven-archetype": "jar",
    "maven-plugin": "jar",
    "orbit": "jar",
    "test-jar": "jar",
}
"""Packagings and types whose files end otherwise (Maven, artifact handlers)."""
_CLASSIFIERS = {"ejb-client": "client", "java-source": "sources", "javadoc": "javadoc", "test-jar": "tests"}
_POM = "pom"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wish:
    """Which files of a version."""

    type: str
    classifier: str

    @property
    def rest(self) -> str:
        """What follows artifact and version in the file's name."""
        classifier = self.classifier or _CLASSIFIERS.get(self.type, "")
        return f"{'-' if classifier else ''}{classifier}.{_EXTENSIONS.get(self.type, self.type)}"


def select(purl: Purl, package: str, extent: Extent) -> Selection:
    """Raises BadRequest."""
    exact = bool(purl.version) and not any(sign in purl.version for sign in "<>=!,|* ")
    if exact:
        check_version(purl.version)
    return Selection(
        package=package,
        version=purl.version if exact else "",
        within="" if exact else purl.version,
        qualifiers=tuple(pair for pair in purl.qualifiers if pair[0] in ("classifier", "type")),
        extent=extent,
    )


def close(selection: Selection, checksums: str) -> Closure:
    """`checksums`: by which side files are checked. Raises Absent, BadRequest, UnreadableIndex."""
    check_package(selection.package)
    if ":" not in selection.package:
        raise BadRequest(f"{selection.package}: a Maven package is a group and an artifact, like org.example:library")
    if not selection.version:
        yield from _choose(selection)
        return
    yield Need(resource=list_of(selection.package), absent="maybe")
    if is_snapshot(selection.version):
        yield from _close_snapshot(selection, checksums)
    else:
        yield from _close_version(selection, checksums)


def _choose(selection: Selection) -> Closure:
    reading = yield Need(resource=list_of(selection.package), reads=True)
    if reading is None:
        raise Absent(str(selection))
    try:
        constraint = parse_constraint(selection.within, MAVEN, selection.package) if selection.within else None
    except ConfigError as error:
        raise BadRequest(str(error)) from error
    left = [
        version
        for version in listed_versions(reading.document)
        if version not in reading.hidden and (constraint is None or constraint.admits(version))
    ]
    if not left:
        raise Absent(str(selection))
    for version in _newest_first(left)[: selection.extent.latest]:
        yield replace(selection, version=version, within="")


def _newest_first(versions: Sequence[str]) -> list[str]:
    """Those that cannot be compared come last."""
    keys = {version: version_key(version) for version in versions}
    known = [(key, version) for version, key in keys.items() if key is not None]
    return [
        *(version for _, version in sorted(known, reverse=True)),
        *(version for version in reversed(keys) if keys[version] is None),
    ]


# --- one version --------------------------------------------------------------------------------------------------


def _close_version(selection: Selection, checksums: str) -> Closure:
    known = dict(selection.qualifiers)
    wanted = known.get("type", "")
    is_pom = wanted == _POM and not known.get("classifier")
    held = file_of(selection.package, selection.version, ".pom", checksums)
    reading = yield Need(resource=_vouched(held, selection.digests if is_pom else ()), reads=True)
    yield from _beside(held)
    if reading is None:
        return
    try:
        pom = read_pom(reading.document)
    except UnreadableIndex as error:
        # Maven may be able to read it, and then it needs the file all the same.
        yield Skipped(subject=str(selection), reason=f"what its POM is made of is not known: {error}")
        pom = Pom(packaging="jar", has_module=False, references=())
    yield from _references(selection, pom)
    if pom.has_module:
        module = file_of(selection.package, selection.version, ".module", checksums)
        yield Need(resource=module, absent="maybe")
        yield from _beside(module)
    if not is_pom:
        yield from _main(selection, _Wish(type=wanted, classifier=known.get("classifier", "")), pom, checksums)
    if selection.extent.depth is not Depth.NONE:
        yield Skipped(
            subject=str(selection),
            reason="what it depends on is not resolved here: order a bill of materials, or what a session recorded",
        )


def _main(selection: Selection, wish: _Wish, pom: Pom, checksums: str) -> Closure:
    kind = wish.type or ("jar" if wish.classifier else pom.packaging)
    if kind == _POM:
        return
    held = file_of(selection.package, selection.version, replace(wish, type=kind).rest, checksums)
    # A packaging that nobody knows may be a plugin's own, whose files are jars.
    guessed = not wish.type and kind not in _EXTENSIONS
    yield Need(resource=_vouched(held, selection.digests), absent="maybe" if guessed else "no")
    yield from _beside(held)
    if guessed and kind != "jar":
        jar = file_of(selection.package, selection.version, replace(wish, type="jar").rest, checksums)
        yield Need(resource=jar, absent="maybe")
        yield from _beside(jar)


def _vouched(resource: Resource, digests: Sequence[Digest]) -> Resource:
    return replace(resource, digest=digests[0]) if digests and resource.kind is Kind.ARTIFACT else resource


def _beside(resource: Resource) -> Closure:
    """What tells a file's digest: Maven asks for `.sha1`, and where there is none for `.md5`."""
    if resource.listed_in is not None:
        yield Need(resource=resource.listed_in, absent="maybe")
    found = yield from _had(side_file(resource, "sha1"))
    if not found:
        yield Need(resource=side_file(resource, "md5"), absent="maybe")


def _had(resource: Resource) -> Generator[Need, Reading | None, bool]:
    reading = yield Need(resource=resource, reads=True, absent="maybe")
    return reading is not None


def _references(selection: Selection, pom: Pom) -> Closure:
    for reference in pom.references:
        if reference.is_literal:
            extent = replace(selection.extent, depth=Depth.NONE)
            yield Selection(
                package=reference.package, version=reference.version, qualifiers=(("type", _POM),), extent=extent
            )
        else:
            yield Skipped(
                subject=f"{reference.package}:{reference.version}"[:200],
                reason=f"the {reference.kind} of {selection} is told by properties or a range, which are not read here",
            )


# --- a snapshot ---------------------------------------------------------------------------------------------------


def _close_snapshot(selection: Selection, checksums: str) -> Closure:
    """Of a snapshot the build that is the newest now, under the names that clients find in its metadata."""
    reading = yield Need(resource=snapshots_of(selection.package, selection.version), reads=True, absent="maybe")
    files = snapshot_files(reading.document) if reading is not None else []
    if not files:
        yield from _close_version(selection, checksums)
        return
    known = dict(selection.qualifiers)
    wish = _Wish(type=known.get("type", "jar"), classifier=known.get("classifier", ""))
    for file in _chosen(files, wish):
        held = file_of(selection.package, file.version, _rest_of(file), checksums)
        yield Need(resource=held)
        yield from _beside(held)


def _chosen(files: Sequence[SnapshotFile], wish: _Wish) -> list[SnapshotFile]:
    if not files[0].extension:
        rests = dict.fromkeys((".pom", wish.rest if wish.type != _POM else ".pom"))
        return [_with(files[0], rest) for rest in rests]
    return [file for file in files if _rest_of(file) in (".pom", wish.rest)]


def _with(file: SnapshotFile, rest: str) -> SnapshotFile:
    classifier, _, extension = rest.partition(".")
    return replace(file, classifier=classifier.removeprefix("-"), extension=extension)


def _rest_of(file: SnapshotFile) -> str:
    return f"{'-' if file.classifier else ''}{file.classifier}.{file.extension}"
