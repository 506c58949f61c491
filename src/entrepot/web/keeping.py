"""Which answers become hot, and whether a hot one may still be given."""

from collections.abc import Callable
from typing import Any

from entrepot.cache.answer import Answer, Growing, Stored, Streamed, Trace
from entrepot.cache.counters import Counters
from entrepot.contracts.blobs import OpenBlob
from entrepot.contracts.board import Generation
from entrepot.contracts.catalog import Catalog
from entrepot.contracts.clock import Clock
from entrepot.contracts.trees import Touch
from entrepot.errors import NotServed, StoreFailure
from entrepot.model.resource import Resource
from entrepot.web.door import SHIELD
from entrepot.web.hot import LARGEST_IN_MEMORY, Hot, HotAnswers, Lent
from entrepot.web.ledger import Ledger, validated_at
from entrepot.web.mounts import Mounted
from entrepot.web.visit import Visit


class Keeper:
    def __init__(
        self,
        *,
        hot: HotAnswers,
        catalog: Catalog,
        generation: Generation,
        clock: Clock,
        counters: Counters,
        ledger: Ledger,
        touch_of: Callable[[str, str], Touch | None] = lambda repository, key: None,
        view_of: Callable[[str], str] = lambda session: "",
    ) -> None:
        """`touch_of`: what an answer of a repository, by its key, is to mark whenever it is given; `view_of`: the
        frozen session whose set a session is served."""
        self._touch_of, self._view_of = touch_of, view_of
        self._hot, self._catalog, self._generation = hot, catalog, generation
        self._clock, self._counters, self._ledger = clock, counters, ledger

    def used(self, sha256: str, now: float) -> None:
        self._catalog.note_use(sha256, now)

    def still_current(self, hot: Hot) -> bool:
        """After something stored was replaced or removed: whether this was not it."""
        generation = self._generation.value()
        try:
            entry = self._catalog.find_entry(hot.repository, hot.entry_key)
            if hot.session and self._view_of(hot.session) != hot.view:
                return False
        except (StoreFailure, NotServed):
            return False
        if entry is None or entry.expired or entry.gone_at is not None or entry.sha256 != hot.entry_sha256:
            return False
        hot.generation = generation
        return True

    def keep(self, visit: Visit, mounted: Mounted, resource: Resource, answer: Answer) -> None:
        """A whole, fresh answer from the store can be given again without any of this."""
        representation = answer.representation
        plain = visit.method == "GET" and answer.status == 200 and answer.entry is not None
        fresh_until = min(answer.fresh_until, answer.valid_until)
        if not plain or representation is None or fresh_until <= self._clock.timestamp():
            return
        if isinstance(answer.body, Growing | Streamed) or visit.key[1] or answer.length is None:
            return
        if mounted.repository.rules.honour_client_no_cache or resource.snapshot:
            # Of a group, each client gets the generation that it began to read.
            return
        if mounted.session and not self._still_sees(mounted):
            return
        body, blob = _hot_body(answer)
        entry = answer.entry
        assert entry is not None
        sessions = self._counters.of_session(mounted.session, mounted.repository.name) if mounted.session else None
        head = [(name.encode(), value.encode("latin-1")) for name, value in answer.headers]
        line = self._ledger.line(visit, mounted, 200, answer.length, Trace(outcome="hit", key=resource.stored_key))
        hot = Hot(
            representation=representation,
            headers=[*head, *SHIELD, (b"content-length", b"%d" % answer.length)],
            size_bytes=answer.length,
            sha256=blob.sha256 if blob is not None else entry.sha256,
            body=body,
            blob=blob,
            fingerprint=blob.fingerprint() if blob is not None else None,
            fresh_until=fresh_until,
            generation=self._generation.value(),
            validated_at=validated_at(answer),
            repository=mounted.repository.name,
            entry_key=entry.key,
            entry_sha256=entry.sha256,
            counts=self._counters.of(mounted.repository.name),
            session_counts=sessions,
            log_head=line,
            session=mounted.session,
            view=mounted.view,
            touch=self._touch_of(mounted.repository.name, resource.key),
        )
        if blob is not None:
            answer.body = Stored(Lent(hot, blob))
        self._hot.add(visit.key, hot)

    def _still_sees(self, mounted: Mounted) -> bool:
        """Whether the session was not frozen while this was being answered."""
        try:
            return self._view_of(mounted.session) == mounted.view
        except (StoreFailure, NotServed):
            return False


def _hot_body(answer: Answer) -> tuple[dict[str, Any] | None, OpenBlob | None]:
    """The body's message where it is small enough for memory, else its open file."""
    if isinstance(answer.body, bytes):
        return {"type": "http.response.body", "body": answer.body}, None
    assert isinstance(answer.body, Stored)
    blob = answer.body.blob
    if blob.size_bytes <= LARGEST_IN_MEMORY:
        data = blob.read_now(0, blob.size_bytes)
        if data is not None and len(data) == blob.size_bytes:
            answer.body = data
            blob.close()
            return {"type": "http.response.body", "body": data}, None
    return None, blob
