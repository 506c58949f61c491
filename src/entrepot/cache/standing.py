"""Answers from what is stored, and what stands in for an answer of upstream."""

from entrepot.cache.agreement import Agreement
from entrepot.cache.answer import Answer, Representation, Stored, Trace, etag_of, respond
from entrepot.cache.ask import ClientAsk
from entrepot.cache.contact import offline_miss
from entrepot.cache.documents import Documents
from entrepot.cache.fields import described
from entrepot.cache.flight import Flight
from entrepot.cache.freshness import fresh_until, is_fresh, stale_for
from entrepot.cache.order import Kit
from entrepot.cache.plan import Gone, Keep, Step, absence_stands, may_stand_in
from entrepot.cache.repository import Repository
from entrepot.cache.soundness import Soundness
from entrepot.errors import Absent, EntrepotError, NotCached, UpstreamFailure
from entrepot.model.entry import Entry
from entrepot.model.headers import parse_http_date
from entrepot.model.resource import Resource


class Standing:
    def __init__(self, kit: Kit, documents: Documents, soundness: Soundness) -> None:
        self._kit, self._documents, self._soundness = kit, documents, soundness
        self._agreement = Agreement(soundness)

    async def from_entry(
        self, repository: Repository, resource: Resource, entry: Entry, ask: ClientAsk, detail: str
    ) -> Answer | None:
        """The stored file; None when its bytes are not there any more."""
        blob = await self._soundness.open(entry.sha256)
        if blob is None:
            return None
        self._kit.catalog.note_use(entry.sha256, self._kit.clock.timestamp())
        representation = Representation(
            body=Stored(blob),
            size_bytes=entry.size_bytes,
            headers=described(repository.ecosystem, resource, entry.headers, entry.sha256),
            etag=etag_of(entry.sha256),
            modified=parse_http_date(entry.headers.get("last-modified")),
        )
        answer = respond(representation, ask.conditions)
        answer.trace = Trace(outcome="stale" if detail else "hit", detail=detail, key=resource.stored_key)
        return self.dated(answer, repository, resource, entry)

    def dated(self, answer: Answer, repository: Repository, resource: Resource, entry: Entry) -> Answer:
        answer.entry = entry
        answer.fresh_until = self.fresh_until(repository, resource, entry)
        return answer

    def fresh_until(self, repository: Repository, resource: Resource, entry: Entry) -> float:
        """Seconds since the epoch; of what is stale, when it began to be."""
        now, rules = self._kit.clock.now(), repository.rules
        if is_fresh(entry, resource, rules, now):
            return fresh_until(entry, resource, rules)
        return now.timestamp() - stale_for(entry, resource, rules, now)

    async def is_sound(self, entry: Entry) -> bool:
        """Whether its bytes are right, read again where that cannot be told otherwise."""
        return await self._soundness.is_sound(entry)

    def missing(self, repository: Repository, resource: Resource, step: Step) -> EntrepotError:
        """What is said of what is not stored and may not be fetched."""
        subject = f"{repository.name}/{resource.key}"
        if isinstance(step, Gone):
            return Absent(subject)
        if repository.rules.network == "offline":
            return offline_miss(repository, resource)
        return Absent(subject, asked=False) if resource.cached_only else NotCached(f"{subject}: not stored")

    async def check_absence(
        self, repository: Repository, resource: Resource, entry: Entry | None, error: UpstreamFailure
    ) -> None:
        """Upstream failed. Raises Absent where it said 404 before and no index says otherwise."""
        now = self._kit.clock.now()
        if entry is None or not absence_stands(entry, error, repository.rules, now):
            return
        if await self.is_listed(repository, resource):
            return
        assert entry.gone_at is not None
        minutes = (now - entry.gone_at).total_seconds() / 60
        said = f"{repository.name}/{resource.key} (asked {minutes:.0f} min ago; not to be reached now)"
        raise Absent(said) from error

    async def stand_in(self, repository: Repository, resource: Resource, entry: Entry | None) -> Entry | None:
        """What is told if upstream says nothing for a while: the expired answer, or its 404."""
        if entry is None or not may_stand_in(entry, resource, repository.rules, self._kit.clock.now()):
            return None
        if entry.gone_at is not None:
            return None if await self.is_listed(repository, resource) else entry
        return await self._soundness.sound(entry)

    async def is_replaced(self, repository: Repository, resource: Resource, entry: Entry) -> bool:
        """Whether a stored listing says that other bytes have this file's name now."""
        if not resource.listed_anywhere:
            return False
        fact = await self._documents.stored_fact(repository, resource)
        wanted = fact.strongest if fact is not None else None
        if fact is None or wanted is None:
            return False
        if fact.sha256:
            return fact.sha256 != entry.sha256
        return not await self._agreement.holds(repository, resource, entry, wanted)

    async def is_listed(self, repository: Repository, resource: Resource) -> bool:
        """Whether a stored index names it: then an older 404 says nothing."""
        listed = resource.listed_in is not None or resource.listed_anywhere
        return listed and await self._documents.stored_fact(repository, resource) is not None


def fallback_of(flight: Flight, stand_in: Entry | None) -> Keep | None:
    """What goes out instead of a flight's answer; of one that is still silent, what stands in."""
    if flight.head.done():
        return flight.fallback if isinstance(flight.fallback, Keep) else None
    return Keep(stand_in, "upstream-silent") if stand_in is not None and stand_in.gone_at is None else None
