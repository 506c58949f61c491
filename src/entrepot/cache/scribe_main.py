"""The helper process: takes jobs from the socket that is its standard input, and ends with whoever holds the other end.
Started by `cache/scribe.py`."""

import pickle
import signal
import socket
import sys
from typing import BinaryIO

from entrepot.cache.jobs import Failure, Job, Unable
from entrepot.errors import EntrepotError


def main() -> None:
    # What ends a server is sent to all its processes, but it finishes what it does, and asks for jobs while it does.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with socket.socket(fileno=sys.stdin.fileno()) as line, line.makefile("rb") as orders:
        while (order := _next(orders)) is not None:
            answer = pickle.dumps(_answer(pickle.loads(order)))
            try:
                line.sendall(len(answer).to_bytes(4) + answer)
            except BrokenPipeError:
                return


def _next(orders: BinaryIO) -> bytes | None:
    """Messages are pickles behind their length in four bytes; None: there will be none."""
    header = orders.read(4)
    size = int.from_bytes(header)
    order = orders.read(size)
    return order if header and len(order) == size else None


def _answer(job: Job[object]) -> object:
    try:
        return job.run()
    except EntrepotError as error:
        return Failure.of(error)
    except Unable as error:
        return error
    except OSError as error:
        return Unable(str(error))


if __name__ == "__main__":
    main()
