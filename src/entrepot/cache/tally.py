"""The counts of all workers of one server, through a small file for each of them."""

import os
from pathlib import Path
from threading import Lock

import msgspec

from entrepot.cache.counters import Counters, Counts

SAVE_SECONDS = 1.0


class _Snapshot(msgspec.Struct):
    repositories: dict[str, dict[str, int]]
    sessions: dict[str, dict[str, dict[str, int]]]
    evicted_bytes: int
    quarantined: int
    triggers: dict[str, int] = {}


_decode = msgspec.json.Decoder(_Snapshot).decode


class Tally:
    def __init__(self, directory: Path, counters: Counters) -> None:
        self._directory, self._own = directory, counters
        directory.mkdir(parents=True, exist_ok=True)
        self._path = directory / f"{os.getpid()}.json"
        self._saved = b""
        self._saving = Lock()

    def save(self) -> None:
        """Show the others what this worker counted; does nothing when nothing changed. From any thread."""
        with self._saving:
            data = msgspec.json.encode(_snapshot(self._own))
            if data == self._saved:
                return
            temporary = self._path.with_suffix(".new")
            temporary.write_bytes(data)
            temporary.replace(self._path)
            self._saved = data

    def totals(self) -> Counters:
        """What all workers counted since the server started, ended ones included."""
        total = Counters()
        # Our own from memory: they are told also where the disk takes nothing.
        _add(total, _snapshot(self._own))
        for path in sorted(self._directory.glob("*.json")):
            if path != self._path:
                _add(total, _decode(path.read_bytes()))
        return total


def _snapshot(counters: Counters) -> _Snapshot:
    # Lists, because the loop goes on counting while a thread takes the snapshot.
    return _Snapshot(
        repositories={name: counts.as_dict() for name, counts in list(counters.repositories.items())},
        sessions={
            session: {name: counts.as_dict() for name, counts in list(known.items())}
            for session, known in list(counters.sessions.items())
        },
        evicted_bytes=counters.evicted_bytes,
        quarantined=counters.quarantined,
        triggers=dict(counters.triggers),
    )


def _add(total: Counters, part: _Snapshot) -> None:
    for name, counts in part.repositories.items():
        total.of(name).add(Counts(**counts))
    for session, known in part.sessions.items():
        for name, counts in known.items():
            total.of_session(session, name).add(Counts(**counts))
    total.evicted_bytes += part.evicted_bytes
    total.quarantined += part.quarantined
    for result, count in part.triggers.items():
        total.triggers[result] = total.triggers.get(result, 0) + count
