"""Every way in which an upstream may fail, and what Entrepot's clients see meanwhile (promises §2)."""

import contextlib
import datetime
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field
from email.utils import format_datetime
from enum import Enum

import trustme

from tests.faults.shelf import BIG
from tests.rogue import (
    Fault,
    Page,
    Rogue,
    Seen,
    answers,
    drip_head,
    endless,
    flip_bit,
    gzip_bomb,
    instead,
    login_page,
    long_body,
    not_modified,
    pattern,
    redirect,
    reset_anywhere,
    reset_before_answer,
    short_body,
    silence,
    stall_at,
    truncated_gzip,
    undelimited_cut,
    unending_chunks,
)
from tests.rogue.page import Framing
from tests.rogue.tls import server_context

WAIT_SECONDS = 120
"""What the origins write into Retry-After."""


class Want(Enum):
    """What a client is to get."""

    RIGHT = "right"
    """200, complete, and the bytes that were published."""
    ERROR = "error"
    """A 5xx of ours; nothing is stored."""
    NOT_WHOLE = "not whole"
    """A 5xx, or a transfer without its end; nothing is stored."""
    PASSED = "passed"
    """Complete, as far as anybody can tell; not stored."""
    BOUNDED = "bounded"
    """What Content-Length says and the right bytes, or a 5xx; stored only if the digest is known."""
    STALE = "stale"
    """The stored document, marked as stale."""
    ABSENT = "absent"
    """404, because that is the truth."""
    NOTHING = "not tried"
    """The fault cannot be told from a good answer, or does not touch this."""


Strike = Callable[[Rogue], AbstractContextManager[object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    name: str
    """As promises §2 has it."""
    strike: Strike
    """Makes an origin fail, for as long as the context lasts or until it is calmed."""
    known: Want
    """For a cold artifact whose digest is known."""
    free: Want
    """For one whose digest is not."""
    stale: Want
    """For an index beyond its lifetime; upstream has a new one by now."""
    statuses: frozenset[int] = frozenset({502})
    """Of ERROR and NOT_WHOLE."""
    contact: bool = False
    """Whether there is no answer at all, or an answer that counts as none: the third in a row opens the breaker."""
    seconds: float = 2.0
    """In which a cold request is answered; a campaign looks at it."""
    look: Callable[[list[Seen]], str] = field(default=lambda _: "")
    """Judges the requests for the cold artifact of `look_at`, whose digest is pinned; a complaint, or nothing."""
    look_at: str = "small"
    parsed_only: bool = False
    """Whether only those indexes can show the fault that Entrepot reads."""
    things: int = 8
    """How many cold artifacts are tried: fewer where each takes long."""
    total: int | None = None
    """The most requests that all cold artifacts together may cause; None: any number."""
    tls: bool = False


def disturbed(fault: Fault, times: int | None = None) -> Strike:
    """So many times at each path; None: always."""

    def strike(rogue: Rogue) -> AbstractContextManager[object]:
        for path in rogue.paths:
            # A wrong side file would be believed: nothing vouches for it.
            if fault.flip is None or not path.endswith(".sha256"):
                rogue.disturb(path, fault, times)
        return nullcontext()

    return strike


# --- strikes that need more than a fault ------------------------------------------------------------------------------


@contextlib.contextmanager
def _refuses(rogue: Rogue) -> Iterator[None]:
    rogue.goes_dark()
    with socket.socket() as bound:
        # Bound and not listening: nobody else gets the port meanwhile.
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((rogue.host, rogue.port))
        yield
    rogue.comes_back()


@contextlib.contextmanager
def _swallows(rogue: Rogue) -> Iterator[None]:
    """A listening socket whose queue is full answers no SYN."""
    rogue.goes_dark()
    with ExitStack() as stack:
        listening = stack.enter_context(socket.socket())
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((rogue.host, rogue.port))
        listening.listen(0)
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listening.getsockname())
        yield
    rogue.comes_back()


def _certified(context: Callable[[], ssl.SSLContext]) -> Strike:
    """The same port, with another certificate."""

    @contextlib.contextmanager
    def strike(rogue: Rogue) -> Iterator[None]:
        rogue.goes_dark()
        with Rogue(port=rogue.port, tls=context()) as other:
            other.serve("/", b"never to be asked")
            yield
        rogue.comes_back()

    return strike


def _led_astray(rogue: Rogue) -> AbstractContextManager[object]:
    """Each path is redirected to another place that is not public."""
    places = [
        f"http://127.0.0.1:{rogue.port + 1}/",
        "https://10.1.2.3/x",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/x",
        "https://localhost/x",
        "https://0x7f000001/x",
        "https://[::ffff:192.168.1.1]/x",
        "https://2130706433/x",
        "file:///etc/passwd",
        "https://user:secret@files.example/x",
    ]
    for position, path in enumerate(rogue.paths):
        rogue.disturb(path, redirect(places[position % len(places)]))
    return nullcontext()


def _busy_until() -> Fault:
    moment = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=WAIT_SECONDS)
    return answers(429, retry_after=format_datetime(moment, usegmt=True))


def _busy_by_date(rogue: Rogue) -> AbstractContextManager[object]:
    rogue.disturb("*", _busy_until())
    return nullcontext()


def _claims_a_gibibyte() -> Fault:
    page = Page(
        body=pattern(64 << 10),
        content_type="application/json",
        headers=(("Content-Length", str(1 << 30)),),
        framing=Framing.CLOSE,
    )
    return Fault(page=page, endless=True)


# --- what the requests upstream must look like ------------------------------------------------------------------------


def _resumed(seen: list[Seen]) -> str:
    if len(seen) != 2:
        return f"{len(seen)} requests instead of one and a resumption"
    if not seen[1].range.startswith("bytes=") or "if-range" not in seen[1].headers:
        return f"resumed by {seen[1].range!r}, If-Range {seen[1].headers.get('if-range')!r}"
    return ""


def _asked_around(seen: list[Seen]) -> str:
    if len(seen) != 2:
        return f"{len(seen)} requests instead of one and one with no-cache"
    return "" if seen[1].headers.get("cache-control") == "no-cache" else "asked again without no-cache"


def _asked_once(seen: list[Seen]) -> str:
    return "" if len(seen) <= 1 else f"{len(seen)} requests"


def _asked_thrice(seen: list[Seen]) -> str:
    return "" if len(seen) <= 3 else f"{len(seen)} requests: more than two retries"


def _followed_few(seen: list[Seen]) -> str:
    return "" if len(seen) <= 6 else f"{len(seen)} requests: more than five redirects were followed"


_TLS_EXPIRED = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
_PAGE_OF_ANOTHER_KIND = instead(Page(body=b"Please log in.\n", etag="", last_modified=""))
_HTML = instead(
    Page(body=b"<!doctype html><title>Links for you</title>", content_type="text/html", etag="", last_modified="")
)

CASES = (
    Case(
        name="connection refused",
        strike=_refuses,
        known=Want.ERROR,
        free=Want.ERROR,
        stale=Want.STALE,
        contact=True,
        seconds=1.0,
    ),
    Case(
        name="SYN black hole",
        strike=_swallows,
        known=Want.ERROR,
        free=Want.ERROR,
        stale=Want.STALE,
        statuses=frozenset({504}),
        contact=True,
    ),
    Case(
        name="accepts and sends nothing",
        strike=disturbed(silence()),
        known=Want.ERROR,
        free=Want.ERROR,
        stale=Want.STALE,
        statuses=frozenset({504}),
        contact=True,
        seconds=5.0,
        look=_asked_thrice,
    ),
    Case(
        name="reset before the answer",
        strike=disturbed(reset_before_answer()),
        known=Want.ERROR,
        free=Want.ERROR,
        stale=Want.STALE,
        contact=True,
        look=_asked_thrice,
    ),
    Case(
        name="headers dripped",
        strike=disturbed(drip_head()),
        known=Want.ERROR,
        free=Want.ERROR,
        stale=Want.STALE,
        statuses=frozenset({504}),
        contact=True,
        seconds=5.0,
        look=_asked_thrice,
    ),
    Case(
        name="body stalls at 50 %, once",
        strike=disturbed(stall_at(BIG // 2), times=1),
        known=Want.RIGHT,
        free=Want.RIGHT,
        stale=Want.RIGHT,
        seconds=3.0,
        look=_resumed,
        look_at="big",
    ),
    Case(
        name="body stalls, always",
        things=4,
        strike=disturbed(stall_at(1)),
        known=Want.NOT_WHOLE,
        free=Want.NOT_WHOLE,
        stale=Want.STALE,
        statuses=frozenset({502, 504}),
        seconds=5.0,
        look=_asked_thrice,
    ),
    Case(
        name="reset at a random offset, twice",
        strike=disturbed(reset_anywhere(seed=7), times=2),
        known=Want.RIGHT,
        free=Want.RIGHT,
        stale=Want.RIGHT,
    ),
    Case(
        name="body shorter than Content-Length",
        strike=disturbed(short_body(by=10)),
        known=Want.NOT_WHOLE,
        free=Want.NOT_WHOLE,
        stale=Want.STALE,
        look=_asked_thrice,
    ),
    Case(
        name="body longer than Content-Length",
        strike=disturbed(long_body()),
        known=Want.BOUNDED,
        free=Want.BOUNDED,
        stale=Want.NOTHING,
        statuses=frozenset({502, 503}),
    ),
    Case(
        name="chunked without an end",
        strike=disturbed(unending_chunks()),
        known=Want.NOT_WHOLE,
        free=Want.NOT_WHOLE,
        stale=Want.STALE,
    ),
    Case(
        name="close-delimited and cut",
        parsed_only=True,
        strike=disturbed(undelimited_cut(at=20)),
        known=Want.NOT_WHOLE,
        free=Want.PASSED,
        stale=Want.STALE,
    ),
    Case(
        name="close-delimited, to its end",
        strike=disturbed(undelimited_cut()),
        known=Want.RIGHT,
        free=Want.PASSED,
        stale=Want.RIGHT,
        look=_asked_once,
    ),
    Case(
        name="one bit flipped",
        parsed_only=True,
        strike=disturbed(flip_bit(at=0)),
        known=Want.NOT_WHOLE,
        free=Want.NOTHING,
        stale=Want.STALE,
        look=_asked_around,
    ),
    *(
        Case(
            name=f"status {status}",
            strike=disturbed(answers(status)),
            known=Want.ERROR,
            free=Want.ERROR,
            stale=Want.STALE,
            contact=True,
            look=_asked_thrice,
        )
        for status in (500, 502, 503, 504)
    ),
    Case(
        name="status 403",
        strike=disturbed(answers(403)),
        known=Want.ERROR,
        free=Want.ERROR,
        stale=Want.STALE,
        look=_asked_once,
    ),
    Case(
        name="429 with Retry-After in seconds",
        total=1,
        strike=disturbed(answers(429, retry_after=WAIT_SECONDS)),
        known=Want.ERROR,
        free=Want.ERROR,
        stale=Want.STALE,
        statuses=frozenset({503}),
        look=_asked_once,
    ),
    Case(
        name="429 with Retry-After as a date",
        total=1,
        strike=_busy_by_date,
        known=Want.ERROR,
        free=Want.ERROR,
        stale=Want.STALE,
        statuses=frozenset({503}),
        look=_asked_once,
    ),
    Case(
        name="200 with a login page",
        parsed_only=True,
        strike=disturbed(login_page()),
        known=Want.ERROR,
        free=Want.ERROR,
        stale=Want.STALE,
    ),
    Case(
        name="200 with a login text",
        parsed_only=True,
        strike=disturbed(_PAGE_OF_ANOTHER_KIND),
        known=Want.ERROR,
        free=Want.NOTHING,
        stale=Want.STALE,
    ),
    Case(
        name="304 that nobody asked for",
        strike=disturbed(not_modified()),
        known=Want.ERROR,
        free=Want.ERROR,
        stale=Want.NOTHING,
        look=_asked_once,
    ),
    Case(
        name="redirect loop",
        strike=disturbed(redirect("?again")),
        known=Want.ERROR,
        free=Want.ERROR,
        stale=Want.STALE,
        look=_followed_few,
    ),
    Case(
        name="redirect to an undeclared host",
        strike=disturbed(redirect("https://elsewhere.example/x")),
        known=Want.ERROR,
        free=Want.ERROR,
        stale=Want.STALE,
        look=_asked_once,
    ),
    Case(
        name="redirect to what is not public",
        strike=_led_astray,
        known=Want.ERROR,
        free=Want.ERROR,
        stale=Want.STALE,
        look=_asked_once,
    ),
    Case(
        name="TLS: unknown issuer",
        strike=_certified(lambda: server_context(issuer=trustme.CA())),
        known=Want.ERROR,
        free=Want.ERROR,
        stale=Want.STALE,
        contact=True,
        tls=True,
    ),
    Case(
        name="TLS: expired",
        strike=_certified(lambda: server_context(not_after=_TLS_EXPIRED)),
        known=Want.ERROR,
        free=Want.ERROR,
        stale=Want.STALE,
        contact=True,
        tls=True,
    ),
    Case(
        name="TLS: another name",
        strike=_certified(lambda: server_context("elsewhere.example")),
        known=Want.ERROR,
        free=Want.ERROR,
        stale=Want.STALE,
        contact=True,
        tls=True,
    ),
    Case(
        name="index that says it has 1 GiB",
        parsed_only=True,
        strike=disturbed(_claims_a_gibibyte()),
        known=Want.NOTHING,
        free=Want.NOTHING,
        stale=Want.STALE,
    ),
    Case(
        name="index without an end",
        parsed_only=True,
        strike=disturbed(endless()),
        known=Want.NOTHING,
        free=Want.NOTHING,
        stale=Want.STALE,
    ),
    Case(
        name="index as a gzip bomb of 1 GiB",
        parsed_only=True,
        strike=disturbed(gzip_bomb()),
        known=Want.NOTHING,
        free=Want.NOTHING,
        stale=Want.STALE,
    ),
    Case(
        name="index in damaged gzip",
        parsed_only=True,
        strike=disturbed(truncated_gzip(b"{}" * 1000)),
        known=Want.NOTHING,
        free=Want.NOTHING,
        stale=Want.STALE,
    ),
)
