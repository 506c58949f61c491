"""Which versions are too young, or not yet there, for this repository and this request (policy §5)."""

import asyncio
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from math import inf
from operator import itemgetter

import msgspec

from entrepot.cache.annals import Annals
from entrepot.cache.choosing import Choosing, cooldown_of
from entrepot.cache.dates import Dates
from entrepot.cache.documents import Documents
from entrepot.cache.facts import Facts, FileFact, guarded
from entrepot.cache.frozen import Frozen
from entrepot.cache.lookup import Named
from entrepot.cache.meanings import Meanings
from entrepot.cache.order import Kit
from entrepot.cache.repository import Repository
from entrepot.cache.sightings import Sightings, counts_seen, name_of
from entrepot.cache.views import Source
from entrepot.contracts.catalog import Sighting
from entrepot.errors import Absent, EntrepotError, NotCached, UpstreamFailure
from entrepot.model.entry import Entry
from entrepot.model.resource import Kind, Resource
from entrepot.policy.cooldown import Cooldown, Dated
from entrepot.policy.gate import Gate
from entrepot.policy.verdict import Refusal

MOST_REMEMBERED = 1024
IN_THREAD_FACTS = 1000
RETRY_SECONDS = 60.0
"""After which a date is asked for again that could not be learned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hidden:
    """What a client does not see of a document."""

    refusals: Mapping[str, Refusal] = field(default_factory=dict)
    """By version, or by name of the file where files have ages."""
    until: float = inf
    """Seconds since the epoch: when this must be reckoned anew."""
    whole: Refusal | None = None
    """Set where the document names nothing else: the refusal that ends first."""
    names: frozenset[str] = frozenset()
    """All of `refusals`, made once: each request needs them."""
    reasons: tuple[tuple[str, str], ...] = ()
    """Of what exists and may not be had."""

    def refusal_of(self, version: str) -> Refusal | None:
        """Why nothing is left of a document that was asked for about this version."""
        return self.refusals.get(version) or self.whole


NOTHING = Hidden()
_UNTOLD = ("as-of", "session")
"""Of what is hidden for these, clients are not told that it exists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Aged:
    """Something whose age is judged."""

    package: str
    version: str
    dated: Dated


class Ages:
    def __init__(self, kit: Kit, documents: Documents) -> None:
        self._kit, self._documents = kit, documents
        self._sightings = Sightings(kit)
        self._dates = Dates(documents, self._sightings)
        self.choosing = Choosing(kit, documents, Annals(kit, documents))
        self._meanings = Meanings(kit, documents)
        self._known: OrderedDict[object, Hidden] = OrderedDict()
        self._reckoning: dict[object, asyncio.Task[Hidden]] = {}

    def valid_until(self, repository: Repository) -> float:
        """Until when (seconds since the epoch) a file that is not refused stays so."""
        cooldown = repository.gate.cooldown
        change = cooldown.next_change(self._kit.clock.now()) if cooldown is not None else None
        return change.timestamp() if change is not None else inf

    # --- indexes ----------------------------------------------------------------------------------------------------

    async def hidden(
        self,
        repository: Repository,
        resource: Resource,
        source: Source,
        as_of: datetime | None = None,
        *,
        stored_only: bool = False,
    ) -> Hidden:
        """What this document may not show. Raises what keeps a date from being learned: an outage is never a list
        without what it kept us from judging."""
        frozen = repository.frozen
        if not (repository.gate.cooldown or as_of or _filters(repository.gate) or frozen):
            return NOTHING
        session = frozen.session if frozen is not None else ""
        key = repository.name, source.key, repository.gate.revision, as_of, stored_only, session
        known = self._known.get(key)
        if known is not None and self._kit.clock.timestamp() < known.until:
            self._known.move_to_end(key)
            return known
        task = self._reckoning.get(key)
        if task is None:
            task = asyncio.create_task(self._reckon(repository, resource, source, as_of, stored_only))
            self._reckoning[key] = task
            task.add_done_callback(lambda _: self._reckoning.pop(key, None))
        hidden = self._known[key] = await asyncio.shield(task)
        while len(self._known) > MOST_REMEMBERED:
            self._known.popitem(last=False)
        return hidden

    async def _reckon(
        self, repository: Repository, resource: Resource, source: Source, as_of: datetime | None, stored_only: bool
    ) -> Hidden:
        named = await self._documents.facts_in(repository, resource, source)
        facts = list(named.values())
        cooldown, now = cooldown_of(repository, as_of), self._kit.clock.now()
        unlearned = False
        if cooldown is not None:
            facts = _as_old_as(source, repository, cooldown, facts, now, as_of)
            asked = [fact for fact in facts if cooldown.asks(fact.package, fact.version, now, as_of)]
            learned = await self._dates.learn(repository, asked, stored_only=stored_only)
            unlearned = any(fact.published is None for fact in learned.values())
            facts = [learned.get(name_of(repository.ecosystem, fact), fact) for fact in facts]
        sightings = await self._seen(repository, resource, facts)
        judge = _Judge(repository, cooldown, sightings, now, as_of)
        refusals = await asyncio.to_thread(judge, facts) if len(facts) > IN_THREAD_FACTS else judge(facts)
        if repository.frozen is not None:
            refusals |= await asyncio.to_thread(_left_out, repository, repository.frozen, named)
        again = now.timestamp() + RETRY_SECONDS if unlearned else inf
        return _hidden(refusals, min(again, self.valid_until(repository)), repository, facts)

    async def _seen(self, repository: Repository, resource: Resource, facts: list[FileFact]) -> Mapping[str, Sighting]:
        if repository.gate.cooldown is None:
            return {}
        if repository.ecosystem.dates == "registry" and not counts_seen(repository):
            return {}
        # It may have been stored before sightings were noted, or while the catalog took nothing.
        await self._sightings.note(repository, resource, {fact.name or fact.version: fact for fact in facts})
        return self._sightings.of(repository, resource.about)

    # --- files ------------------------------------------------------------------------------------------------------

    async def refusal(
        self, repository: Repository, resource: Resource, as_of: datetime | None = None, *, stored_only: bool = False
    ) -> Refusal | None:
        """Why this file may not be had for its age. Raises what keeps its date from being learned."""
        cooldown = cooldown_of(repository, as_of)
        if cooldown is not None and repository.ecosystem.dates_in_files:
            return await self._meanings.refusal(repository, resource, cooldown, as_of, stored_only=stored_only)
        aged = await self._aged(repository, resource, cooldown, as_of, stored_only) if cooldown is not None else None
        if cooldown is None or aged is None:
            return None
        return cooldown.judge(aged.package, aged.version, aged.dated, self._kit.clock.now(), as_of)

    def barred(self, repository: Repository, resource: Resource) -> Refusal | None:
        """Why rules about versions refuse a file that does not tell its own; None where they do not."""
        told = repository.ecosystem.dates_in_files and _filters(repository.gate)
        return self._meanings.barred(repository, resource) if told else None

    async def former(
        self, repository: Repository, resource: Resource, as_of: datetime | None = None, *, stored_only: bool = False
    ) -> tuple[Resource, Refusal] | None:
        """What a name meant before that may be had though what it means now may not, with why that may not; None where
        it may, or there is no such thing. Raises what keeps it from being told."""
        cooldown = cooldown_of(repository, as_of)
        if cooldown is None or not resource.probed:
            return None
        refusal = await self.refusal(repository, resource, as_of, stored_only=stored_only)
        if refusal is None:
            return None
        found = await self._meanings.former(repository, resource, cooldown, as_of, stored_only=stored_only)
        return (found, refusal) if found is not None else None

    async def account(self, repository: Repository, resource: Resource, as_of: datetime | None = None) -> str:
        """The reckoning of a file's age in words."""
        cooldown = cooldown_of(repository, as_of)
        if cooldown is not None and repository.ecosystem.dates_in_files:
            return await self._meanings.account(repository, resource, cooldown, as_of)
        aged = await self._aged(repository, resource, cooldown, as_of, False) if cooldown is not None else None
        if cooldown is None or aged is None:
            return "its age does not matter"
        return cooldown.account(aged.package, aged.version, aged.dated, self._kit.clock.now(), as_of)

    async def _aged(
        self,
        repository: Repository,
        resource: Resource,
        cooldown: Cooldown,
        as_of: datetime | None,
        stored_only: bool,
    ) -> _Aged | None:
        """None for what has no age, and for what nobody has."""
        if resource.kind not in (Kind.ARTIFACT, Kind.SIGNED) or not resource.about:
            return None
        asks = cooldown.asks(resource.about, resource.version, self._kit.clock.now(), as_of)
        match repository.ecosystem.dates:
            case "registry" if repository.ecosystem.dated_by_field:
                return await self._modified(repository, resource, stored_only) if resource.version and asks else None
            case "registry":
                return await self._listed(repository, resource, stored_only)
            case "author" if repository.ecosystem.files_have_ages:
                return await self._listed(repository, resource, stored_only)
            case "author":
                return await self._authored(repository, resource, stored_only) if resource.version and asks else None
            case "none":
                if not asks:
                    return None
                if resource.listed_anywhere and (named := await self._documents.lookup.all(repository, resource.key)):
                    return await self._named(repository, resource, named, as_of)
                return await self._loose(repository, resource, stored_only)

    async def _listed(self, repository: Repository, resource: Resource, stored_only: bool) -> _Aged | None:
        """By the date that its index has."""
        if resource.listed_in is None:
            return None
        fact = await self._documents.stored_fact(repository, resource)
        if fact is None and not stored_only:
            fact = await self._documents.learn(repository, resource)
        if fact is None:
            # Only what is stored could go out although nobody lists it.
            if self._stored(repository, resource) is None:
                if resource.must_be_listed and not stored_only:
                    # Who reads the index once more, a moment later, may find it there, and nobody asked for its age.
                    raise Absent(f"{repository.name}/{resource.key} (not listed in its index)")
                return None
            fact = FileFact("", "", package=resource.about, version=resource.version)
        by_author = repository.ecosystem.dates == "author"
        dated = Dated(published=fact.published, source="author" if by_author else "registry", baseline=by_author)
        if by_author or (fact.published is None and counts_seen(repository)):
            # Under what the list is about, which may be all packages.
            name = name_of(repository.ecosystem, fact)
            dated = _with(dated, self._sightings.of_one(repository, resource.listed_in.about, name))
        return _Aged(package=resource.about, version=fact.version, dated=dated)

    async def _authored(self, repository: Repository, resource: Resource, stored_only: bool) -> _Aged:
        """By the date of a document of its own, and by the list in which it appeared."""
        package, version = resource.about, resource.version
        try:
            published = await self._dates.of(repository, package, version, stored_only=stored_only)
        except Absent:
            # What is stored could still go out, although upstream has it no more.
            if self._stored(repository, resource) is None:
                raise
            published = None
        dated = Dated(published=published, source="author", baseline=True)
        if repository.gate.cooldown is not None:
            seen = self._sightings.of_one(repository, package, version)
            listed = repository.ecosystem.announced_in(package, version)
            unlisted = seen is None and listed is not None and self._sightings.was_read(repository, listed)
            if listed is not None and unlisted and published is not None:
                await self._sightings.found_unlisted(repository, listed, version)
                seen = self._sightings.of_one(repository, package, version)
            dated = _with(dated, seen)
        return _Aged(package=package, version=version, dated=dated)

    async def _modified(self, repository: Repository, resource: Resource, stored_only: bool) -> _Aged | None:
        """By when upstream last modified what dates the version or, where it has no such thing, the file itself."""
        package, version = resource.about, resource.version
        dating = repository.ecosystem.dated_by(package, version) or resource
        published = await self._modified_at(repository, dating, resource, stored_only)
        dated = Dated(published=published, source="registry")
        if published is None and counts_seen(repository):
            await self._sightings.found_unlisted(repository, dating, version)
            dated = _with(dated, self._sightings.of_one(repository, package, version))
        return _Aged(package=package, version=version, dated=dated)

    async def _modified_at(
        self, repository: Repository, dating: Resource, resource: Resource, stored_only: bool
    ) -> datetime | None:
        if dating.key == resource.key:
            return await self._dates.modified(repository, resource, stored_only=stored_only)
        failure: EntrepotError | None = None
        published = None
        try:
            published = await self._dates.modified(repository, dating, stored_only=stored_only)
        except Absent:
            return await self._dates.modified(repository, resource, stored_only=stored_only)
        except (NotCached, UpstreamFailure) as error:
            failure = error
        if published is None and (failure is not None or stored_only):
            # Whether there is anything else to date it cannot be asked: a file that is here is as old as it was then.
            published = await self._dates.modified(repository, resource, stored_only=True)
        if published is None and failure is not None:
            raise failure
        return published

    async def _named(
        self, repository: Repository, resource: Resource, named: list[Named], as_of: datetime | None
    ) -> _Aged | None:
        """By when something that lists it was first had. What the generation names that is served has no age: clients
        could not do without it."""
        for one in named:
            listed = one.listed
            if listed.root and await self.choosing.names(repository.plain, listed.root, listed.sha256, as_of):
                return None
        dated = Dated(published=None, source="none", first_seen=min(one.listed.had_at for one in named))
        return _Aged(package=resource.about, version=resource.version, dated=dated)

    async def _loose(self, repository: Repository, resource: Resource, stored_only: bool) -> _Aged | None:
        """By when upstream first said that it has it. A list of other files has no age."""
        if resource.key.endswith("/") or not resource.key:
            return None
        seen = self._sightings.of_file(repository, resource)
        if seen is None:
            at = await self._first_had(repository, resource, stored_only)
            if at is None:
                return None
            await self._sightings.found_file(repository, resource, at)
            seen = Sighting(first_seen=at, baseline=False)
        dated = Dated(published=None, source="none", first_seen=seen.first_seen)
        return _Aged(package=resource.about, version=resource.version, dated=dated)

    async def _first_had(self, repository: Repository, resource: Resource, stored_only: bool) -> datetime | None:
        """None: it is not stored, and upstream may not be asked."""
        remembered = self._kit.catalog.find_remembered(repository.name, resource.stored_key)
        if remembered is not None:
            return remembered.first_seen
        entry = self._stored(repository, resource)
        if entry is not None:
            return entry.stored_at
        if stored_only:
            return None
        await self._documents.probe(repository, resource)
        now: datetime = self._kit.clock.now()
        return now

    def _stored(self, repository: Repository, resource: Resource) -> Entry | None:
        entry = self._documents.find_entry(repository, resource)
        return entry if entry is not None and entry.gone_at is None else None


class _Judge:
    """Judges all that a document names. Pure; runs in a thread where that is much."""

    def __init__(
        self,
        repository: Repository,
        cooldown: Cooldown | None,
        sightings: Mapping[str, Sighting],
        now: datetime,
        as_of: datetime | None,
    ) -> None:
        self._repository, self._cooldown, self._sightings = repository, cooldown, sightings
        self._now, self._as_of = now, as_of
        self._filters = _filters(repository.gate)

    def __call__(self, facts: list[FileFact]) -> dict[str, Refusal]:
        return dict(self._refusals(facts))

    def _refusals(self, facts: list[FileFact]) -> Iterator[tuple[str, Refusal]]:
        for fact in facts:
            refusal = self._refusal(fact)
            if refusal is not None:
                yield name_of(self._repository.ecosystem, fact), refusal

    def _refusal(self, fact: FileFact) -> Refusal | None:
        barred = self._repository.gate.hidden_by(fact.package, fact.version) if self._filters else None
        if barred is not None or self._cooldown is None:
            return barred
        seen = self._sightings.get(name_of(self._repository.ecosystem, fact))
        if self._repository.ecosystem.dates_in_files and (seen is None or seen.baseline):
            # Its date is asked for when it is wanted: for a whole list, that would be a request for each.
            return None
        source = self._repository.ecosystem.dates
        # What no list announces was never seen to appear.
        dated = Dated(published=fact.published, source=source, baseline=source == "author")
        dated = _with(dated, self._sightings.get(name_of(self._repository.ecosystem, fact)))
        return self._cooldown.judge(fact.package, fact.version, dated, self._now, self._as_of)


def _as_old_as(
    source: Source,
    repository: Repository,
    cooldown: Cooldown,
    facts: list[FileFact],
    now: datetime,
    as_of: datetime | None,
) -> list[FileFact]:
    """Where a list did not change for so long that all it names may be had, nobody is asked for more exact dates."""
    subject = f"{repository.name}/{source.resource_key}"
    date = guarded(repository.ecosystem.last_change, subject, source.document())
    if date is None:
        return facts
    dated = Dated(published=date, source=repository.ecosystem.dates)
    return [
        msgspec.structs.replace(fact, published=date)
        if fact.published is None and cooldown.judge(fact.package, fact.version, dated, now, as_of) is None
        else fact
        for fact in facts
    ]


def _with(dated: Dated, seen: Sighting | None) -> Dated:
    return replace(dated, first_seen=seen.first_seen, baseline=seen.baseline) if seen is not None else dated


def _filters(gate: Gate) -> bool:
    """Whether rules may leave versions out of lists."""
    return gate.file is not None or bool(gate.rules) or gate.unmatched == "deny"


def _hidden(refusals: dict[str, Refusal], until: float, repository: Repository, facts: list[FileFact]) -> Hidden:
    if not refusals:
        return replace(NOTHING, until=until)
    ends = [refusal.until.timestamp() for refusal in refusals.values() if refusal.until is not None]
    all_names = {name_of(repository.ecosystem, fact) for fact in facts}
    whole = min(refusals.values(), key=_end) if all_names <= refusals.keys() else None
    told = ((name, refusal) for name, refusal in refusals.items() if refusal.kind not in _UNTOLD)
    return Hidden(
        refusals=refusals,
        until=min([until, *ends]),
        whole=whole,
        names=frozenset(refusals),
        reasons=tuple(
            (name, f"{refusal.reason} ({refusal.rule})") for name, refusal in sorted(told, key=itemgetter(0))
        ),
    )


def _left_out(repository: Repository, frozen: Frozen, named: Facts) -> dict[str, Refusal]:
    """What the session did not get. A name that several files have is shown for one of them."""
    left_out = dict(frozen.left_out(named))
    shown = {name_of(repository.ecosystem, fact) for key, fact in named.items() if key not in left_out}
    return {
        name: refusal
        for key, refusal in left_out.items()
        if (name := name_of(repository.ecosystem, named[key])) not in shown
    }


def _end(refusal: Refusal) -> float:
    return refusal.until.timestamp() if refusal.until is not None else inf
