"""A flight whose leader is another process of this machine: its growing file is read along."""

import asyncio
from collections.abc import Callable
from enum import Enum

from entrepot.cache.flight import Flight
from entrepot.cache.notes import read_failure_note, read_head_note
from entrepot.contracts.blobs import BlobStore
from entrepot.contracts.board import Progress, Stage, Watch
from entrepot.errors import StoreFailure
from entrepot.model.entry import Entry

POLL_SECONDS = 0.004
LIVENESS_POLLS = 100


class Followed(Enum):
    ENDED = "ended"
    """The flight has its end."""
    AGAIN = "again"
    """The leader left nothing to use: claim the work anew."""
    HALF = "half"
    """The leader cannot go on, and what it released has gone to readers: only the rest is missing."""


class Follower:
    def __init__(self, blobs: BlobStore, watch: Watch, flight: Flight, reload: Callable[[], Entry | None]) -> None:
        self._blobs, self._watch, self._flight, self._reload = blobs, watch, flight, reload
        self._begun = False

    async def run(self) -> Followed:
        """Read along to the end. Raises the leader's error as our own."""
        polls = 0
        while True:
            progress = self._watch.look()
            if (end := self._end_of(progress)) is not None:
                return end
            if progress.stage in (Stage.ARRIVING, Stage.WHOLE):
                self._read_along(progress)
            polls += 1
            if polls % LIVENESS_POLLS == 0 and self._watch.abandoned():
                # It may have come to its end between the look and the question.
                return self._end_of(self._watch.look()) or self._abandoned()
            await asyncio.sleep(POLL_SECONDS)

    def _end_of(self, progress: Progress) -> Followed | None:
        if progress.stage is Stage.DONE:
            return self._done(progress)
        if progress.stage is not Stage.FAILED:
            return None
        error = read_failure_note(progress.note)
        if not isinstance(error, StoreFailure):
            raise error
        # The other process lost its disk or could not note something: this one may fare better.
        return Followed.HALF if self._flight.released else Followed.AGAIN

    def _read_along(self, progress: Progress) -> None:
        if progress.note:
            path, head = read_head_note(progress.note)
            file = self._blobs.open_growing(path)
            # None: it was committed in this very moment, and the catalog will tell.
            if file is not None:
                self._flight.begin(head, file)
                self._begun = True
        if self._begun and progress.stage is Stage.WHOLE:
            self._flight.finish(progress.released)
        elif self._begun:
            self._flight.advance(progress.released, progress.released)

    def _done(self, progress: Progress) -> Followed:
        entry = self._reload()
        if not self._begun:
            if entry is None:
                return Followed.AGAIN
            self._flight.settle(entry)
            return Followed.ENDED
        if not self._flight.whole:
            self._flight.finish(progress.released)
        if entry is not None:
            self._flight.stored.set_result(entry)
        else:
            self._flight.store_failed(StoreFailure(f"{self._flight.subject}: the leading process could not store it"))
        return Followed.ENDED

    def _abandoned(self) -> Followed:
        if self._flight.whole:
            # Every byte is there; only the leader's commit is missing.
            self._flight.store_failed(StoreFailure(f"{self._flight.subject}: the leading process ended"))
            return Followed.ENDED
        return Followed.HALF if self._flight.released else Followed.AGAIN
