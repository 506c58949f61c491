"""One count and one line for each request; and what it is told of the cache in its answer."""

from dataclasses import dataclass
from math import floor, inf
from time import perf_counter

from entrepot.cache.answer import Answer, Trace
from entrepot.cache.counters import Counters, Counts
from entrepot.web.access import AccessLog, quoted
from entrepot.web.mounts import Mounted
from entrepot.web.visit import Visit

_COUNTED = {
    "hit": "hits",
    "stale": "stale",
    "miss": "misses",
    "joined": "joined",
    "revalidated": "revalidated",
    "pass": "passed",
    "redirected": "redirected",
    "refused": "refused",
    "absent": "absent",
    "error": "errors",
}


class Ledger:
    def __init__(self, counters: Counters, log: AccessLog) -> None:
        self._counters, self._log = counters, log

    def book(self, visit: Visit) -> None:
        trace, mounted = visit.trace, visit.mounted
        if mounted is not None:
            self._count(self._counters.of(mounted.repository.name), visit)
            if mounted.session:
                self._count_in_session(mounted, visit)
        elif visit.counted_as:
            self._count(self._counters.of(visit.counted_as), visit)
        if self._log.enabled:
            client = visit.scope["client"]
            line = self.line(visit, mounted, visit.status, visit.sent, trace)
            token = visit.principal.logged if visit.principal is not None else ""
            self._log.add(
                f'{{"time":"{self._log.stamp()}","client":"{client[0] if client else ""}"{token},{line},'
                f'"wait_ms":{max(0.0, visit.started - visit.began) * 1000:.2f},'
                f'"ms":{(perf_counter() - visit.began) * 1000:.2f}}}'
            )

    def _count(self, counts: Counts, visit: Visit) -> None:
        counts.requests += 1
        counts.bytes_sent += visit.sent
        name = _COUNTED[visit.trace.outcome]
        setattr(counts, name, getattr(counts, name) + 1)
        if visit.trace.outcome in ("hit", "stale", "joined", "revalidated"):
            counts.bytes_saved += visit.sent

    def _count_in_session(self, mounted: Mounted, visit: Visit) -> None:
        """For a repository upstream's part is counted where upstream is asked, which knows of no sessions."""
        counts = self._counters.of_session(mounted.session, mounted.repository.name)
        self._count(counts, visit)
        asked = _asked_upstream(visit.trace)
        if asked is not None:
            counts.upstream_requests += asked.requests
            counts.upstream_bytes += asked.bytes

    def line(self, visit: Visit, mounted: Mounted | None, status: int, sent: int, trace: Trace) -> str:
        """The access log's fields, without time, duration and who asked."""
        path = visit.scope["raw_path"].decode("latin-1")
        fields = [f'"method":{quoted(visit.method)}', f'"path":{quoted(path)}', f'"status":{status}', f'"bytes":{sent}']
        if mounted is not None:
            fields.append(f'"repository":"{mounted.repository.name}"')
            if mounted.session:
                fields.append(f'"session":"{mounted.session}"')
        fields.append(f'"cache":"{trace.outcome}"')
        for name, value in (("detail", trace.detail), ("key", trace.key), ("error", trace.error)):
            if value:
                fields.append(f'"{name}":{quoted(value)}')
        fields += _upstream_fields(trace)
        return ",".join(fields)


def cache_status(answer: Answer, now: float) -> str:
    """What became of the request in this cache (RFC 9211): answered from the store, or forwarded, and why."""
    trace = answer.trace
    parts = ["entrepot", *_course(trace)]
    if answer.entry is not None and answer.fresh_until < inf:
        parts.append(f"ttl={floor(answer.fresh_until - now)}")
    if trace.detail:
        parts.append(f"detail={trace.detail}")
    return "; ".join(parts)


def _course(trace: Trace) -> list[str]:
    match trace.outcome:
        case "hit":
            return ["hit"]
        case "stale" if trace.flight is None:
            return ["hit"]
        case "stale" | "revalidated":
            return ["fwd=stale", *_upstream_status(trace)]
        case "joined":
            return ["fwd=miss", "collapsed"]
        case "pass":
            return ["fwd=bypass", *_upstream_status(trace)]
        case "redirected":
            return []
    return ["fwd=miss", *_upstream_status(trace)]


def _upstream_status(trace: Trace) -> list[str]:
    status = trace.flight.trace.status if trace.flight is not None else trace.upstream_status
    return [f"fwd-status={status}"] if status else []


def validated_at(answer: Answer) -> float:
    """Seconds since the epoch from which the answer's Age counts."""
    assert answer.entry is not None
    age = answer.entry.headers.get("age")
    return answer.entry.validated_at.timestamp() - (float(age) if age.isascii() and age.isdigit() else 0.0)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What upstream was asked for one request, not counting what others asked."""

    name: str
    status: int
    bytes: int
    requests: int


def _asked_upstream(trace: Trace) -> _Asked | None:
    asked = _Asked(trace.upstream, trace.upstream_status, 0, 1 if trace.upstream_status else 0)
    if trace.flight is not None and trace.outcome != "joined":
        flight = trace.flight.trace
        asked = _Asked(flight.upstream, flight.status, flight.bytes, flight.requests)
    return asked if asked.requests else None


def _upstream_fields(trace: Trace) -> list[str]:
    asked = _asked_upstream(trace)
    if asked is None:
        return []
    return [
        f'"upstream":{quoted(asked.name)}',
        f'"upstream_status":{asked.status}',
        f'"upstream_bytes":{asked.bytes}',
        f'"upstream_requests":{asked.requests}',
    ]
