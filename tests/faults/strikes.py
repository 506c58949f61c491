"""How an origin is made to fail, and what Entrepot's requests to it must look like meanwhile."""

import contextlib
import datetime
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext
from email.utils import format_datetime

from tests.rogue import (
    Fault,
    Page,
    Rogue,
    Seen,
    answers,
    instead,
    pattern,
    redirect,
)
from tests.rogue.page import Framing

WAIT_SECONDS = 120
"""What the origins write into Retry-After."""

Strike = Callable[[Rogue], AbstractContextManager[object]]
"""Makes an origin fail, for as long as the context lasts or until it is calmed."""


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
def refuses(rogue: Rogue) -> Iterator[None]:
    rogue.goes_dark()
    with socket.socket() as bound:
        # Bound and not listening: nobody else gets the port meanwhile.
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((rogue.host, rogue.port))
        yield
    rogue.comes_back()


@contextlib.contextmanager
def swallows(rogue: Rogue) -> Iterator[None]:
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


def certified(context: Callable[[], ssl.SSLContext]) -> Strike:
    """The same port, with another certificate."""

    @contextlib.contextmanager
    def strike(rogue: Rogue) -> Iterator[None]:
        rogue.goes_dark()
        with Rogue(port=rogue.port, tls=context()) as other:
            other.serve("/", b"never to be asked")
            yield
        rogue.comes_back()

    return strike


def led_astray(rogue: Rogue) -> AbstractContextManager[object]:
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


def busy_until() -> Fault:
    moment = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=WAIT_SECONDS)
    return answers(429, retry_after=format_datetime(moment, usegmt=True))


def busy_by_date(rogue: Rogue) -> AbstractContextManager[object]:
    rogue.disturb("*", busy_until())
    return nullcontext()


def claims_a_gibibyte() -> Fault:
    page = Page(
        body=pattern(64 << 10),
        content_type="application/json",
        headers=(("Content-Length", str(1 << 30)),),
        framing=Framing.CLOSE,
    )
    return Fault(page=page, endless=True)


# --- what the requests upstream must look like ------------------------------------------------------------------------


def resumed(seen: list[Seen]) -> str:
    if len(seen) != 2:
        return f"{len(seen)} requests instead of one and a resumption"
    if not seen[1].range.startswith("bytes=") or "if-range" not in seen[1].headers:
        return f"resumed by {seen[1].range!r}, If-Range {seen[1].headers.get('if-range')!r}"
    return ""


def asked_around(seen: list[Seen]) -> str:
    if len(seen) != 2:
        return f"{len(seen)} requests instead of one and one with no-cache"
    return "" if seen[1].headers.get("cache-control") == "no-cache" else "asked again without no-cache"


def asked_once(seen: list[Seen]) -> str:
    return "" if len(seen) <= 1 else f"{len(seen)} requests"


def asked_thrice(seen: list[Seen]) -> str:
    return "" if len(seen) <= 3 else f"{len(seen)} requests: more than two retries"


def followed_few(seen: list[Seen]) -> str:
    return "" if len(seen) <= 6 else f"{len(seen)} requests: more than five redirects were followed"


TLS_EXPIRED = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
PAGE_OF_ANOTHER_KIND = instead(Page(body=b"Please log in.\n", etag="", last_modified=""))
