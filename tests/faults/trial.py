"""One fault tried in four situations, and what is wrong with what was seen."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from tests.faults.cases import Case, Want
from tests.faults.shelf import Thing
from tests.faults.stand import Origin, Stand
from tests.faults.wire import Got
from tests.waiting import wait_for

OPENS_AFTER = 3
"""Failed contacts in a row, after which the breaker is open."""
HEALED_SECONDS = 90.0


@dataclass(slots=True, kw_only=True)
class Cell:
    """What was seen in one situation."""

    seen: list[str] = field(default_factory=list)
    """The answers in short: "200", "200 cut", "502"."""
    notes: list[str] = field(default_factory=list)
    """What else was measured."""
    complaints: list[str] = field(default_factory=list)
    wrong: int = 0
    """Complete artifacts that are not the published bytes, though the digest was known."""
    lies: int = 0
    """Outages that were spelled 404."""
    slowest: float = 0.0
    """Seconds."""

    def add(self, thing: Thing, got: Got, want: Want, statuses: frozenset[int]) -> None:
        answer = str(got.status) if got.complete else f"{got.status} cut"
        self.seen.append(answer)
        self.slowest = max(self.slowest, got.seconds)
        if thing.known and got.is_whole and got.sha256 != thing.sha256:
            self.wrong += 1
        if got.status == 404 and want is not Want.ABSENT:
            self.lies += 1
        if not _FULFILLED[want](thing, got, statuses):
            text = got.body[:160].decode(errors="replace") if got.status != 200 else ""
            self.complaints.append(
                f"{thing.path}: wanted {want.value}, got {answer} {got.end} [{got.cache_status}] {text}"
            )


def _is_right(thing: Thing, got: Got) -> bool:
    return got.is_whole and thing.sha256 in ("", got.sha256)


def _is_error(got: Got, statuses: frozenset[int]) -> bool:
    return got.complete and got.status in statuses


_FULFILLED: dict[Want, Callable[[Thing, Got, frozenset[int]], bool]] = {
    Want.RIGHT: lambda thing, got, _: _is_right(thing, got),
    Want.ERROR: lambda _, got, statuses: _is_error(got, statuses),
    Want.NOT_WHOLE: lambda _, got, statuses: _is_error(got, statuses) or (got.status == 200 and not got.complete),
    Want.PASSED: lambda _, got, __: got.is_whole,
    Want.BOUNDED: lambda thing, got, statuses: _is_right(thing, got) or _is_error(got, statuses),
    Want.STALE: lambda _, got, __: got.is_whole and "stale" in got.cache_status and "age" in got.headers,
    Want.ABSENT: lambda _, got, __: got.complete and got.status == 404,
    Want.NOTHING: lambda *_: True,
}


def origins_for(case: Case) -> int:
    """How many origins a trial takes: one for the stale index where its failures would close the door to others."""
    return 2 if case.contact or case.total is not None else 1


class Trial:
    """A fault in four situations. They may be tried in any order."""

    def __init__(self, stand: Stand, case: Case) -> None:
        self._stand, self._case = stand, case
        self._origin: Origin | None = None

    def cold_artifact(self) -> Cell:
        case, origin = self._case, self._prepared()
        cell = Cell()
        things = origin.shelf.artifacts("cold")[: OPENS_AFTER if case.contact else case.things]
        origin.rogue.forget()
        with self._struck(origin):
            for thing in things:
                want = case.known if thing.known else case.free
                if want is not Want.NOTHING:
                    cell.add(thing, self._stand.get(thing), want, case.statuses)
            if case.contact:
                self._add_refused_by_breaker(cell, origin)
            cell.complaints += self._complaints_about_requests(origin)
        self._check_store(cell, things)
        return cell

    def warm_artifact(self) -> Cell:
        origin = self._prepared()
        return self._without_contact(origin, origin.shelf.artifacts("warm"))

    def fresh_index(self) -> Cell:
        origin = self._prepared()
        return self._without_contact(origin, origin.shelf.indexes("fresh"))

    def stale_index(self) -> Cell:
        case = self._case
        origin = self._prepared() if origins_for(case) == 1 else self._stand.take(tls=case.tls)
        cell = Cell()
        things = [thing for thing in origin.shelf.indexes("stale") if thing.parsed or not case.parsed_only]
        before = self._stand.warm(things)
        origin.shelf.revise("second")
        with self._struck(origin):
            for thing in things if case.stale is not Want.NOTHING else ():
                got = self._stand.get(thing)
                cell.add(thing, got, case.stale, case.statuses)
                is_old = got.body == before[thing.path].body
                if got.is_whole and is_old != (case.stale is Want.STALE):
                    cell.complaints.append(f"{thing.path}: the {'old' if is_old else 'new'} document was served")
        self._check_store(cell, [])
        return cell

    def afterwards(self) -> Cell:
        """The fault is over: everything comes right, once breaker or Retry-After allow contact."""
        cell = Cell()
        things = self._prepared().shelf.artifacts("cold")
        for thing in things if self._case.total is None else ():
            got = wait_for(partial(self._right, thing), f"{thing.path} comes right", HEALED_SECONDS)
            cell.add(thing, got, Want.RIGHT, frozenset())
        return cell

    def _right(self, thing: Thing) -> Got | None:
        got = self._stand.get(thing)
        return got if got.sha256 == thing.sha256 else None

    # --- parts --------------------------------------------------------------------------------------------------------

    def _prepared(self) -> Origin:
        if self._origin is None:
            self._origin = self._stand.take(tls=self._case.tls)
            shelf = self._origin.shelf
            self._stand.warm([*shelf.artifacts("warm"), *shelf.indexes("fresh")])
        return self._origin

    @contextmanager
    def _struck(self, origin: Origin) -> Iterator[None]:
        with self._case.strike(origin.rogue):
            yield
        origin.rogue.calm()

    def _without_contact(self, origin: Origin, things: list[Thing]) -> Cell:
        cell = Cell()
        with self._struck(origin):
            origin.rogue.forget()
            for thing in things:
                cell.add(thing, self._stand.get(thing), Want.RIGHT, frozenset())
            if origin.rogue.seen:
                cell.complaints.append(f"upstream was asked for {origin.rogue.seen[0].target}")
        return cell

    def _add_refused_by_breaker(self, cell: Cell, origin: Origin) -> None:
        thing = origin.shelf.artifacts("cold")[OPENS_AFTER]
        before = len(origin.rogue.seen)
        got = self._stand.get(thing)
        cell.add(thing, got, Want.ERROR, frozenset({503}))
        if "retry-after" not in got.headers:
            cell.complaints.append("the open breaker does not say when to try again")
        if len(origin.rogue.seen) != before:
            cell.complaints.append("upstream was asked though the breaker is open")

    def _complaints_about_requests(self, origin: Origin) -> Iterator[str]:
        looked_at = origin.shelf.file("pinned", "cold", self._case.look_at)
        complaint = self._case.look(origin.rogue.requests(looked_at.upstream))
        if complaint:
            yield f"{looked_at.upstream}: {complaint}"
        total = self._case.total
        if total is not None and len(origin.rogue.seen) > total:
            yield f"{len(origin.rogue.seen)} requests in all, where {total} were allowed"

    def _check_store(self, cell: Cell, things: list[Thing]) -> None:
        strangers = self._stand.strangers()
        if strangers:
            cell.complaints.append(f"stored what nobody published: {', '.join(sorted(strangers))}")
        stored = self._stand.server.blobs()
        for thing in things:
            want = self._case.known if thing.known else self._case.free
            may_be_stored = want in (Want.RIGHT, Want.NOTHING) or (want is Want.BOUNDED and thing.known)
            if not may_be_stored and thing.sha256 in stored:
                cell.complaints.append(f"{thing.path}: was stored")
