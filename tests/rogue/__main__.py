"""The rogue origin in a process of its own.

    python -m tests.rogue --port 9000 \\
        --page '/big.bin?size=100000000&rate=20000000&seed=1' \\
        --fault '/big.bin?kind=reset_at&at=50000000&times=1'

Prints its base URL on one line when it listens; GET /-/stats tells what it has served, as JSON.
Ends with SIGTERM or when its standard input ends.
"""

import argparse
import signal
import sys
import threading
from collections.abc import Callable
from urllib.parse import parse_qsl

from tests import rogue as module
from tests.rogue import Fault, Page, Rogue, pattern


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.rogue", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--page", action="append", default=[], metavar="PATH?size=BYTES[&rate=B/s][&seed=N]")
    parser.add_argument("--fault", action="append", default=[], metavar="PATH?kind=NAME[&times=N][&argument=value …]")
    options = parser.parse_args()
    origin = Rogue(port=options.port)
    for text in options.page:
        add_page(origin, text)
    for text in options.fault:
        add_fault(origin, text)
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    with origin:
        print(origin.base, flush=True)
        threading.Thread(target=_wait_for_input_end, args=(stopped,), daemon=True).start()
        stopped.wait()


def _wait_for_input_end(stopped: threading.Event) -> None:
    sys.stdin.read()
    stopped.set()


def add_page(origin: Rogue, text: str) -> None:
    path, arguments = _split(text)
    rate = arguments.get("rate")
    body = pattern(int(arguments.get("size", 0)), seed=int(arguments.get("seed", 1)))
    origin.serve(path, Page(body=body, rate=rate))


def add_fault(origin: Rogue, text: str) -> None:
    path, _, query = text.partition("?")
    words = dict(parse_qsl(query))
    make: Callable[..., Fault] = getattr(module, words.pop("kind"))
    times = words.pop("times", None)
    arguments = {name: _value(word) for name, word in words.items()}
    origin.disturb(path, make(**arguments), times=int(times) if times else None)


def _split(text: str) -> tuple[str, dict[str, float]]:
    path, _, query = text.partition("?")
    return path, {name: float(word) for name, word in parse_qsl(query)}


def _value(word: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(word)
        except ValueError:
            continue
    return word


if __name__ == "__main__":
    main()
