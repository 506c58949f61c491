"""Counts of what was served from where. Plain numbers in one process; whoever exports them sums the processes."""

from collections import OrderedDict
from dataclasses import dataclass, field, fields

SESSIONS_KEPT = 1000


@dataclass(slots=True)
class Counts:
    """For one repository, or one repository within one session. Bytes are body bytes."""

    requests: int = 0
    hits: int = 0
    stale: int = 0
    misses: int = 0
    joined: int = 0
    revalidated: int = 0
    passed: int = 0
    redirected: int = 0
    refused: int = 0
    absent: int = 0
    errors: int = 0
    bytes_sent: int = 0
    bytes_saved: int = 0
    """Sent without being fetched for this request."""
    upstream_requests: int = 0
    upstream_bytes: int = 0
    upstream_errors: int = 0
    mismatches: int = 0
    rendered: int = 0

    def add(self, other: "Counts") -> None:
        for item in fields(Counts):
            setattr(self, item.name, getattr(self, item.name) + getattr(other, item.name))

    def as_dict(self) -> dict[str, int]:
        return {item.name: getattr(self, item.name) for item in fields(Counts)}


@dataclass(slots=True)
class Counters:
    repositories: dict[str, Counts] = field(default_factory=dict)
    sessions: "OrderedDict[str, dict[str, Counts]]" = field(default_factory=OrderedDict)
    triggers: dict[str, int] = field(default_factory=dict)
    """What became of what could have started a fill."""
    evicted_bytes: int = 0
    quarantined: int = 0

    def count_trigger(self, result: str) -> None:
        self.triggers[result] = self.triggers.get(result, 0) + 1

    def of(self, repository: str) -> Counts:
        counts = self.repositories.get(repository)
        if counts is None:
            counts = self.repositories[repository] = Counts()
        return counts

    def of_session(self, session: str, repository: str) -> Counts:
        """Sessions are bounded in number; the oldest are forgotten."""
        known = self.sessions.get(session)
        if known is None:
            known = self.sessions[session] = {}
            while len(self.sessions) > SESSIONS_KEPT:
                self.sessions.popitem(last=False)
        return known.setdefault(repository, Counts())
