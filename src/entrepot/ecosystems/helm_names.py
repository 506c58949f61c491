"""Names of charts, and the paths under which we serve their archives."""

import re

from entrepot.errors import BadRequest, NotServed
from entrepot.model.paths import decode_segment, encode_segment
from entrepot.model.release import Location, locate
from entrepot.model.resource import BASE

_CHART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,249}\Z", re.ASCII)
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::[0-9]{1,5})?\Z", re.ASCII)


def is_chart(name: str) -> bool:
    return _CHART.match(name) is not None


def place_of(url: str, upstream: str) -> Location | None:
    """Where an archive lies; None for what is never fetched: other schemes (`oci://`), addresses with a query."""
    found = locate(url.partition("#")[0], upstream)
    if found is None or "?" in found.path or not (found.origin == BASE or _HOST.match(found.origin)):
        return None
    try:
        return Location(found.origin, "/" + "/".join(canonical(found.path[1:].split("/"))))
    except BadRequest:
        return None


def canonical(raw: list[str]) -> list[str]:
    """Segments in our spelling. Raises BadRequest."""
    return [encode_segment(decode_segment(segment)) for segment in raw]


def chart_link(chart: str, place: Location) -> str:
    """The path below the repository; `parse_link` reads it."""
    start = f"charts/{chart}" if place.origin == BASE else f"-/{place.origin}/{chart}"
    return start + place.path


def parse_link(path: str) -> tuple[str, Location]:
    """The chart and the place of its archive. Raises NotServed, BadRequest."""
    match path.split("/"):
        case ["charts", chart, *rest] if rest and is_chart(chart):
            return chart, Location(BASE, "/" + "/".join(canonical(rest)))
        case ["-", host, chart, *rest] if rest and is_chart(chart) and _HOST.match(host):
            return chart, Location(host, "/" + "/".join(canonical(rest)))
    raise NotServed("a chart repository has index.yaml, and the archives that are named in it")
