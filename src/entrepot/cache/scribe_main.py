"""The helper process: takes jobs from its standard input, and ends with it. Started by `cache/scribe.py`."""

import os
import pickle
import signal
import sys
from typing import BinaryIO

from entrepot.cache.jobs import Failure, Job, Unable
from entrepot.errors import EntrepotError

NICENESS = 10
"""Whoever answers hits goes first; on a core that is never idle, this one still gets a twentieth of it."""


def main() -> None:
    os.nice(NICENESS)
    # What ends a server is sent to all its processes, but it finishes what it does, and asks for jobs while it does.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    # Whatever is printed must not come between the answers.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    try:
        serve(sys.stdin.buffer, answers)
    except BrokenPipeError:
        # Nobody is left who would read it; what is still buffered must not be written at the end either.
        os._exit(0)


def serve(jobs: BinaryIO, answers: BinaryIO) -> None:
    """Messages are pickles behind their length in four bytes."""
    while header := jobs.read(4):
        size = int.from_bytes(header)
        job = jobs.read(size)
        if len(job) < size:
            return
        answer = pickle.dumps(_answer(pickle.loads(job)))
        answers.write(len(answer).to_bytes(4) + answer)
        answers.flush()


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
