"""What helm asks for of a chart: the index, the archive, its provenance, and where that is wanted its dependencies."""

import re
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urlsplit

from entrepot.contracts.closure import Closure, Need, Skipped
from entrepot.contracts.ecosystem import LockText
from entrepot.ecosystems.helm_index import PROVENANCE, Chart, read_charts
from entrepot.ecosystems.helm_names import chart_link
from entrepot.ecosystems.helm_resources import archive, index
from entrepot.ecosystems.helm_yaml import Value, load
from entrepot.errors import Absent, BadRequest, ConfigError, DigestMismatch, UnreadableIndex, UnreadableLock
from entrepot.model.constraints import parse_constraint
from entrepot.model.selection import Depth, Selection
from entrepot.model.versions import SEMVER, VersionKey

_RANGE = re.compile(
    r"(?P<sign>\^|~>?)?v?(?P<major>\d+)(?:\.(?P<minor>\d+|[xX*]))?(?:\.(?P<patch>\d+|[xX*]))?(?P<rest>-\S+)?\Z"
)


def close_chart(selection: Selection) -> Closure:
    """Archives carry the charts that they depend on; their own repositories are asked for them only by those who build
    charts, so they come along only with `--deps`."""
    reading = yield Need(resource=index(), reads=True)
    assert reading is not None
    place = urlsplit(reading.document.upstream)
    every = [chart for chart in read_charts(reading.document) if chart.name == selection.package]
    shown = [chart for chart in every if chart_link(chart.name, chart.location) not in reading.hidden]
    for chart in _chosen(shown, selection):
        yield from _close(chart, selection)
        if selection.extent.depth is not Depth.NONE:
            yield from _dependencies(chart, selection, f"{place.netloc}{place.path}".rstrip("/"))


def _chosen(charts: list[Chart], selection: Selection) -> list[Chart]:
    """Raises Absent, BadRequest."""
    newest_first = sorted(charts, key=lambda chart: _key_of(chart.version), reverse=True)
    if selection.version:
        found = [chart for chart in charts if chart.version.removeprefix("v") == selection.version.removeprefix("v")]
    else:
        found = [chart for chart in newest_first if _is_within(chart.version, selection.within)]
        found = found[: selection.extent.latest]
    if not found:
        raise Absent(f"{selection}, as a chart of this repository")
    return found


def _key_of(version: str) -> VersionKey:
    return SEMVER.key(version.removeprefix("v")) or ()


def _is_within(version: str, within: str) -> bool:
    if not within:
        return True
    told = [_as_comparisons(one) for one in within.split("||")]
    if "" in told:
        return True
    try:
        ranges = [parse_constraint(one, SEMVER, within) for one in told]
    except ConfigError as error:
        raise BadRequest(str(error)) from error
    return any(one.admits(version.removeprefix("v")) is True for one in ranges)


def _as_comparisons(text: str) -> str:
    """Helm's ranges (Masterminds/semver) as plain comparisons: `^1.2`, `~1.2.3`, `1.x`, `>=1, <2`."""
    joined = re.sub(r"([<>=!~^])\s+", r"\1", text)
    return ", ".join(found for part in re.split(r"[,\s]+", joined.strip()) if (found := _expanded(part)))


def _expanded(part: str) -> str:
    found = _RANGE.match(part)
    if found is None:
        return "" if part in ("*", "x", "X") else part
    numbers = [found[name] for name in ("major", "minor", "patch")]
    known = [int(number) for number in numbers if number is not None and number.isdigit()]
    sign = found["sign"]
    if sign is None and len(known) == 3:
        return f"={part}"
    low = ".".join(map(str, [*known, 0, 0][:3])) + (found["rest"] or "")
    if sign == "^":
        fixed = next((place for place, number in enumerate(known) if number), len(known) - 1)
    else:
        fixed = min(len(known) - 1, 1)
    high = [*known[:fixed], known[fixed] + 1, 0, 0][:3]
    return f">={low}, <{'.'.join(map(str, high))}"


def _close(chart: Chart, selection: Selection) -> Iterator[Need]:
    resource = archive(chart_link(chart.name, chart.location))
    wanted = selection.digests
    if wanted and chart.digest is not None and chart.digest not in wanted:
        raise DigestMismatch(f"{chart.name} {chart.version}", str(wanted[0]), str(chart.digest))
    yield Need(resource=resource)
    yield Need(resource=archive(resource.key + PROVENANCE), absent="maybe")


def _dependencies(chart: Chart, selection: Selection, here: str) -> Closure:
    """Those that this repository has; those of others are told."""
    for one in chart.dependencies:
        name, version, place = (str(one.get(key) or "") for key in ("name", "version", "repository"))
        parts = urlsplit(place)
        if not place or parts.scheme == "file":
            continue  # It is in the archive.
        if f"{parts.netloc}{parts.path}".rstrip("/") == here:
            yield replace(
                selection,
                package=name,
                version="",
                within=version,
                digests=(),
                extent=replace(selection.extent, latest=1),
            )
        else:
            yield Skipped(subject=f"{name} {version}", reason=f"{chart.name} takes it from {place}")


def read_chart_lock(text: LockText) -> Iterator[Selection | Skipped]:
    """`Chart.lock`: the versions of dependencies, each with its repository. Raises UnreadableLock."""
    try:
        found = load(text.body, text.name)
    except UnreadableIndex as error:
        raise UnreadableLock(str(error)) from error
    listed = found.get("dependencies") if isinstance(found, dict) else None
    if not isinstance(listed, list):
        raise UnreadableLock(f"{text.name}: expected the member `dependencies`, a list, found none")
    for one in listed:
        yield _pin(one, text)


def _pin(one: Value, text: LockText) -> Selection | Skipped:
    members = one if isinstance(one, dict) else {}
    name, version, place = (str(members.get(key) or "") for key in ("name", "version", "repository"))
    if not name or not version:
        raise UnreadableLock(f"{text.name}: a dependency without name and version")
    if not place or place.startswith(("file:", "oci:", "alias:", "@")):
        return Skipped(subject=f"{name} {version}", reason=f"it comes from {place or 'the chart itself'}")
    return Selection(package=name, version=version, qualifiers=(("repository_url", place),), extent=text.extent)
