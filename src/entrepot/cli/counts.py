"""Counts as a server tells them, read back with their types."""

import msgspec


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """One repository's. Bytes are body bytes."""

    requests: int
    hits: int
    stale: int
    misses: int
    joined: int
    revalidated: int
    errors: int
    bytes_sent: int
    bytes_saved: int
    upstream_requests: int
    upstream_errors: int

    @property
    def served_from_store(self) -> int:
        """Hits in the wide sense: the body did not have to be fetched for this request. A stale answer counts apart."""
        return self.hits + self.joined + self.revalidated

    @property
    def hit_share(self) -> tuple[int, int]:
        """Answers that needed no download of their own, and all that could have needed one."""
        good = self.served_from_store + self.stale
        return good, good + self.misses + self.errors


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    entries: int
    blobs: int
    bytes: int


class Stats(msgspec.Struct, frozen=True, kw_only=True):
    repositories: dict[str, Counts]
    stored: Stored
    evicted_bytes: int
    quarantined: int


def total_of(counts: list[Counts]) -> Counts:
    """The sum, of each number."""
    names = Counts.__struct_fields__
    return Counts(**{name: sum(getattr(one, name) for one in counts) for name in names})


def read_stats(answer: object) -> Stats:
    return msgspec.convert(answer, Stats)


def read_session(answer: object) -> dict[str, Counts]:
    return msgspec.convert(answer, dict[str, Counts])
