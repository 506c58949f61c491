"""What upstream said does not exist: in memory for a while, and as entries for when it cannot be asked."""

from collections import OrderedDict
from datetime import datetime

from entrepot.cache.order import all_identities
from entrepot.cache.repository import Repository
from entrepot.contracts.clock import Clock
from entrepot.contracts.fetcher import Fetcher
from entrepot.errors import Absent
from entrepot.model.entry import Entry
from entrepot.model.headers import Headers
from entrepot.model.resource import Resource

ABSENT_KEPT = 50_000


class Absences:
    """Bounded; the oldest are forgotten first."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: OrderedDict[str, tuple[float, bool]] = OrderedDict()

    def check(self, subject: str) -> None:
        """Raises Absent for what was absent a moment ago."""
        known = self._known.get(subject)
        if known is None:
            return
        if self._clock.timestamp() < known[0]:
            raise Absent(subject, gone=known[1])
        del self._known[subject]

    def add(self, subject: str, error: Absent, seconds: float) -> None:
        """For so many seconds."""
        self._known[subject] = self._clock.timestamp() + seconds, error.gone
        if len(self._known) > ABSENT_KEPT:
            self._known.popitem(last=False)

    def forget(self, prefix: str = "") -> None:
        for subject in [subject for subject in self._known if subject.startswith(prefix)]:
            del self._known[subject]


def absence_of(fetcher: Fetcher, repository: Repository, resource: Resource, now: datetime) -> Entry:
    """The entry that remembers it."""
    return Entry(
        repository=repository.name,
        key=resource.stored_key,
        sha256="",
        size_bytes=0,
        headers=Headers(),
        url="",
        upstream=all_identities(fetcher, repository),
        stored_at=now,
        validated_at=now,
        gone_at=now,
        snapshot=resource.snapshot,
    )
