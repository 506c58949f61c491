"""Faults that are more than a bad answer: bytes that change or vanish, lies about what is unchanged, by-standers."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from functools import partial

from tests.faults.cases import Want
from tests.faults.shelf import Thing
from tests.faults.stand import PAST_MEMORY, Origin, Stand
from tests.faults.trial import Cell
from tests.rogue import (
    Page,
    Rogue,
    answers,
    endless,
    gzip_bomb,
    not_modified,
    redirect,
    reset_at,
)
from tests.rogue.tls import server_context
from tests.waiting import wait_for

Situations = Mapping[str, Cell]
"""By the name of the situation: "cold artifact", "warm artifact", "fresh index", "stale index"."""

BAD = frozenset({502})
HOUR = 3600
MEMORY_BYTES = 64 << 20
"""What a document that is too large may cost the server."""
LARGE = "160MiB"
"""The largest index that is read, for these rows: much more than the memory it may cost."""


def _tried(stand: Stand, things: Iterable[Thing], want: Want, statuses: frozenset[int] = BAD) -> Cell:
    cell = Cell()
    for thing in things:
        cell.add(thing, stand.get(thing, PAST_MEMORY), want, statuses)
    return cell


def _lose(stand: Stand, things: Iterable[Thing]) -> None:
    """Remove the stored bytes, as an eviction or a lost disk would."""
    for thing in things:
        sha256 = thing.sha256
        (stand.server.data / "blobs" / sha256[:2] / sha256[2:]).unlink()


def unchanged_though_lost(stand: Stand) -> Situations:
    """Upstream says 304 whatever is asked, while our bytes are gone."""
    origin = stand.take()
    shelf, rogue = origin.shelf, origin.rogue
    found = {}
    for name, things in (
        ("warm artifact", shelf.artifacts("warm")),
        ("fresh index", shelf.indexes("fresh")),
        ("stale index", shelf.indexes("stale")),
    ):
        stand.warm(things)
        _lose(stand, [thing if thing.sha256 else shelf.stored(thing) for thing in things])
        for path in rogue.paths:
            rogue.disturb(path, not_modified())
        cell = found[name] = _tried(stand, things, Want.ERROR)
        rogue.calm()
        for thing in things:
            cell.add(thing, stand.get(thing, PAST_MEMORY), Want.RIGHT, BAD)
    return found


def same_version_other_bytes(stand: Stand) -> Situations:
    """What was fetched once has other bytes upstream."""
    origin = stand.take()
    shelf = origin.shelf
    warm = shelf.artifacts("warm")
    stand.warm(warm)
    stand.warm(shelf.indexes("stale"))
    shelf.replace(thing.upstream for thing in warm)
    found = {"warm artifact": _tried(stand, warm, Want.RIGHT)}
    _lose(stand, warm)
    # Known by their first digest, though nothing of them is stored any more.
    found["cold artifact"] = _tried(stand, warm, Want.NOT_WHOLE)
    found["stale index"] = _tried(stand, shelf.indexes("stale"), Want.RIGHT)
    shelf.stock()
    for thing in warm:
        found["cold artifact"].add(thing, stand.get(thing, PAST_MEMORY), Want.RIGHT, BAD)
    return found


def version_withdrawn(stand: Stand) -> Situations:
    """The indexes name it no more, and its files are gone: that is the truth, not an outage."""
    origin = stand.take()
    shelf = origin.shelf
    wheel, tarball = shelf.wheel("warm"), shelf.tarball("warm")
    stand.warm([wheel, tarball, *shelf.indexes("fresh"), *shelf.indexes("stale")])
    shelf.withdraw()
    origin.rogue.forget()
    found = {
        "warm artifact": _tried(stand, [wheel, tarball], Want.RIGHT),
        "fresh index": _tried(stand, shelf.indexes("fresh"), Want.RIGHT),
    }
    if origin.rogue.seen:
        found["warm artifact"].complaints.append(f"upstream was asked for {origin.rogue.seen[0].target}")
    found["stale index"] = cell = Cell()
    for thing in shelf.indexes("stale"):
        got = stand.get(thing)
        cell.add(thing, got, Want.RIGHT, BAD)
        if b"1.0.0" in got.body:
            cell.complaints.append(f"{thing.path} still names what was withdrawn")
    withdrawn = [shelf.wheel("cold"), shelf.tarball("cold"), shelf.file("free", "cold", "small")]
    found["cold artifact"] = _tried(stand, withdrawn, Want.ABSENT)
    return found


def changed_while_it_was_sent(stand: Stand) -> Situations:
    """The connection breaks half-way; what upstream has afterwards is another file."""
    origin = stand.take()
    shelf, rogue = origin.shelf, origin.rogue
    cell = Cell()
    for group in ("free", "pinned"):
        thing = shelf.file(group, "cold", "big")
        first = shelf.body(thing.upstream)
        rogue.serve(thing.upstream, Page(body=partial(_first_then_reversed, first)))
        rogue.disturb(thing.upstream, reset_at(len(first) // 2), times=1)
        cell.add(thing, stand.get(thing), Want.NOT_WHOLE, BAD)
    _expect_no_strangers(stand, cell)
    return {"cold artifact": cell}


def _first_then_reversed(body: bytes, asked: int) -> bytes:
    return bytes(reversed(body)) if asked else body


def led_to_bystanders(stand: Stand) -> Situations:
    """Redirects to servers on this machine that nobody configured: none of them hears of it."""
    origin = stand.take()
    shelf, rogue = origin.shelf, origin.rogue
    things = shelf.artifacts("cold")
    stand.warm(shelf.indexes("stale"))
    shelf.revise("second")
    with ExitStack() as stack:
        plain, secure = stack.enter_context(Rogue()), stack.enter_context(Rogue(tls=server_context()))
        for position, path in enumerate(rogue.paths):
            bystander = (plain, secure)[position % 2]
            host = ("127.0.0.1", "localhost")[position // 2 % 2]
            rogue.disturb(path, redirect(f"{bystander.base.replace('127.0.0.1', host)}/x"))
        found = {
            "cold artifact": _tried(stand, things, Want.ERROR),
            "stale index": _tried(stand, shelf.indexes("stale"), Want.STALE),
        }
        for bystander in (plain, secure):
            if bystander.connections:
                found["cold artifact"].complaints.append(f"{bystander.base} was contacted")
    rogue.calm()
    return found


def documents_without_measure(stand: Stand) -> Situations:
    """Indexes that would fill memory or disk, asked for the first time."""
    cell = Cell()
    stand.server.forget_peak()
    before = stand.server.memory()
    for fault in (endless(), gzip_bomb()):
        origin = stand.take()
        for path in origin.rogue.paths:
            origin.rogue.disturb(path, fault)
        things = [thing for thing in origin.shelf.indexes("fresh") if thing.parsed]
        for thing in things:
            cell.add(thing, stand.get(thing), Want.ERROR, BAD)
        origin.rogue.calm()
    grown = stand.server.memory("VmHWM") - before
    cell.notes.append(f"+{grown >> 20} MiB")
    if grown > MEMORY_BYTES:
        cell.complaints.append(f"the server's memory grew by {grown >> 20} MiB")
    _expect_no_strangers(stand, cell)
    return {"fresh index": cell}


def asked_to_wait(stand: Stand) -> Situations:
    """After the time that Retry-After names, upstream is asked again, and not before."""
    origin = stand.take()
    rogue, thing = origin.rogue, origin.shelf.file("free", "cold", "small")
    cell = Cell()
    rogue.disturb(thing.upstream, answers(429, retry_after=2), times=1)
    cell.add(thing, stand.get(thing), Want.ERROR, frozenset({503}))
    asked = wait_for(lambda: _answers(stand, origin, thing), "upstream is asked again")
    cell.add(thing, stand.get(thing, PAST_MEMORY), Want.RIGHT, BAD)
    # Retry-After has whole seconds; the second request may come at most a clock tick early.
    if asked < 1.9:
        cell.complaints.append(f"upstream was asked again after {asked:.2f} s instead of 2 s")
    return {"cold artifact": cell}


def _answers(stand: Stand, origin: Origin, thing: Thing) -> float:
    """Seconds between the first and the second request upstream; 0 while there is none."""
    stand.get(thing)
    seen = origin.rogue.requests(thing.upstream)
    return seen[1].at - seen[0].at if len(seen) > 1 else 0.0


def an_hour_later(stand: Stand) -> Situations:
    """The clock says that an hour has passed, and upstream is gone. The server stays in that hour."""
    origin = stand.take()
    shelf = origin.shelf
    stand.warm([*shelf.artifacts("warm"), *shelf.indexes("fresh")])
    stand.server.stop()
    origin.rogue.goes_dark()
    stand.server.start(offset=HOUR + 1)
    found = {"warm artifact": _tried(stand, shelf.artifacts("warm"), Want.RIGHT), "stale index": Cell()}
    for thing in shelf.indexes("fresh"):
        got = stand.get(thing)
        found["stale index"].add(thing, got, Want.STALE, BAD)
        age = int(got.headers.get("age", "0"))
        if not HOUR <= age <= HOUR + 600:
            found["stale index"].complaints.append(f"{thing.path}: Age is {age}")
    return found


def _expect_no_strangers(stand: Stand, cell: Cell) -> None:
    strangers = stand.strangers()
    if strangers:
        cell.complaints.append(f"stored what nobody published: {', '.join(sorted(strangers))}")


ROWS: Mapping[str, Callable[[Stand], Situations]] = {
    "304 while our body is missing": unchanged_though_lost,
    "same version, other bytes": same_version_other_bytes,
    "version withdrawn": version_withdrawn,
    "other bytes after a reset": changed_while_it_was_sent,
    "redirect to a server on this machine": led_to_bystanders,
    "first index of 1 GiB, endless, or a bomb": documents_without_measure,
    "Retry-After is over": asked_to_wait,
    "an hour later, upstream gone": an_hour_later,
}
ORIGINS = len(ROWS) + 1
"""That all rows together take."""
