"""Every way in which an upstream may fail, and what Entrepot's clients see meanwhile (promises §2)."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

import trustme

from tests.faults.shelf import BIG
from tests.faults.strikes import (
    PAGE_OF_ANOTHER_KIND,
    TLS_EXPIRED,
    WAIT_SECONDS,
    Strike,
    asked_around,
    asked_once,
    asked_thrice,
    busy_by_date,
    certified,
    claims_a_gibibyte,
    disturbed,
    followed_few,
    led_astray,
    refuses,
    resumed,
    swallows,
)
from tests.rogue import (
    Seen,
    answers,
    drip_head,
    endless,
    flip_bit,
    gzip_bomb,
    login_page,
    long_body,
    not_modified,
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
from tests.rogue.tls import server_context


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


CASES = (
    Case(
        name="connection refused",
        strike=refuses,
        known=Want.ERROR,
        free=Want.ERROR,
        stale=Want.STALE,
        contact=True,
        seconds=1.0,
    ),
    Case(
        name="SYN black hole",
        strike=swallows,
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
        look=asked_thrice,
    ),
    Case(
        name="reset before the answer",
        strike=disturbed(reset_before_answer()),
        known=Want.ERROR,
        free=Want.ERROR,
        stale=Want.STALE,
        contact=True,
        look=asked_thrice,
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
        look=asked_thrice,
    ),
    Case(
        name="body stalls at 50 %, once",
        strike=disturbed(stall_at(BIG // 2), times=1),
        known=Want.RIGHT,
        free=Want.RIGHT,
        stale=Want.RIGHT,
        seconds=3.0,
        look=resumed,
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
        look=asked_thrice,
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
        look=asked_thrice,
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
        look=asked_once,
    ),
    Case(
        name="one bit flipped",
        parsed_only=True,
        strike=disturbed(flip_bit(at=0)),
        known=Want.NOT_WHOLE,
        free=Want.NOTHING,
        stale=Want.STALE,
        look=asked_around,
    ),
    *(
        Case(
            name=f"status {status}",
            strike=disturbed(answers(status)),
            known=Want.ERROR,
            free=Want.ERROR,
            stale=Want.STALE,
            contact=True,
            look=asked_thrice,
        )
        for status in (500, 502, 503, 504)
    ),
    Case(
        name="status 403",
        strike=disturbed(answers(403)),
        known=Want.ERROR,
        free=Want.ERROR,
        stale=Want.STALE,
        look=asked_once,
    ),
    Case(
        name="429 with Retry-After in seconds",
        total=1,
        strike=disturbed(answers(429, retry_after=WAIT_SECONDS)),
        known=Want.ERROR,
        free=Want.ERROR,
        stale=Want.STALE,
        statuses=frozenset({503}),
        look=asked_once,
    ),
    Case(
        name="429 with Retry-After as a date",
        total=1,
        strike=busy_by_date,
        known=Want.ERROR,
        free=Want.ERROR,
        stale=Want.STALE,
        statuses=frozenset({503}),
        look=asked_once,
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
        strike=disturbed(PAGE_OF_ANOTHER_KIND),
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
        look=asked_once,
    ),
    Case(
        name="redirect loop",
        strike=disturbed(redirect("?again")),
        known=Want.ERROR,
        free=Want.ERROR,
        stale=Want.STALE,
        look=followed_few,
    ),
    Case(
        name="redirect to an undeclared host",
        strike=disturbed(redirect("https://elsewhere.example/x")),
        known=Want.ERROR,
        free=Want.ERROR,
        stale=Want.STALE,
        look=asked_once,
    ),
    Case(
        name="redirect to what is not public",
        strike=led_astray,
        known=Want.ERROR,
        free=Want.ERROR,
        stale=Want.STALE,
        look=asked_once,
    ),
    Case(
        name="TLS: unknown issuer",
        strike=certified(lambda: server_context(issuer=trustme.CA())),
        known=Want.ERROR,
        free=Want.ERROR,
        stale=Want.STALE,
        contact=True,
        tls=True,
    ),
    Case(
        name="TLS: expired",
        strike=certified(lambda: server_context(not_after=TLS_EXPIRED)),
        known=Want.ERROR,
        free=Want.ERROR,
        stale=Want.STALE,
        contact=True,
        tls=True,
    ),
    Case(
        name="TLS: another name",
        strike=certified(lambda: server_context("elsewhere.example")),
        known=Want.ERROR,
        free=Want.ERROR,
        stale=Want.STALE,
        contact=True,
        tls=True,
    ),
    Case(
        name="index that says it has 1 GiB",
        parsed_only=True,
        strike=disturbed(claims_a_gibibyte()),
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
