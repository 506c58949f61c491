"""What the validator says of versions: asked once, remembered for a while, and without an answer nothing goes out."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from math import inf

from entrepot.cache.background import Background
from entrepot.cache.documents import Documents
from entrepot.cache.repository import Repository
from entrepot.contracts.clock import Clock
from entrepot.contracts.validator import Inquiry, Ruling, Validator
from entrepot.errors import Absent
from entrepot.model.resource import Kind, Resource
from entrepot.policy.verdict import Refusal

MOST_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Judgement:
    refusal: Refusal | None = None
    valid_until: float = inf
    """Until when it counts (seconds since the epoch): no answer may be given again later without asking anew."""


_NOT_ASKED = Judgement()


class Validation:
    def __init__(
        self,
        validator: Validator | None,
        documents: Documents,
        background: Background,
        clock: Clock,
        cache_seconds: float,
    ) -> None:
        """`validator`: None where none is configured. `cache_seconds`: how long a ruling counts."""
        self._validator, self._documents, self._background = validator, documents, background
        self._clock, self._cache_seconds = clock, cache_seconds
        self._known: OrderedDict[Inquiry, Judgement] = OrderedDict()
        self._asked: dict[Inquiry, asyncio.Future[Judgement]] = {}

    async def judge(self, repository: Repository, resource: Resource) -> Judgement:
        """Of files of versions, stored or not; everything else is nothing to ask about. Raises what upstream answers
        where only an index tells a file's version."""
        if self._validator is None:
            return _NOT_ASKED
        version = await self._version_of(repository, resource)
        if version is None:
            return _NOT_ASKED
        if not version:
            return Judgement(_refused(f"{resource.about}: its version is not known, and the validator must rule"), 0.0)
        inquiry = Inquiry(repository.name, repository.ecosystem.name, resource.about, version)
        known = self._known.get(inquiry)
        if known is not None and self._counts(known):
            self._known.move_to_end(inquiry)
            return known
        return await asyncio.shield(self._asked.get(inquiry) or self._ask(self._validator, inquiry))

    def _counts(self, known: Judgement) -> bool:
        """A time further ahead than it was ever set is a step of the clock."""
        return 0.0 < known.valid_until - self._clock.timestamp() <= self._cache_seconds

    async def _version_of(self, repository: Repository, resource: Resource) -> str | None:
        """None for what belongs to no version; empty where that cannot be told of what is stored."""
        if resource.kind not in (Kind.ARTIFACT, Kind.SIGNED):
            return None
        if resource.version:
            return resource.version
        if resource.listed_in is None or not resource.must_be_listed:
            return None
        entry = self._documents.find_entry(repository, resource)
        if entry is not None and entry.version:
            return entry.version
        fact = await self._documents.stored_fact(repository, resource)
        fact = fact or await self._documents.learn(repository, resource)
        if fact is None and entry is None:
            # Who reads the index once more, a moment later, may find it there, and nobody asked about it.
            raise Absent(f"{repository.name}/{resource.key} (not listed in its index)")
        return fact.version if fact is not None else ""

    def _ask(self, validator: Validator, inquiry: Inquiry) -> "asyncio.Future[Judgement]":
        """Once for all who want to know; whoever leaves stops nothing."""
        future = self._asked[inquiry] = asyncio.get_running_loop().create_future()
        self._background.spawn(self._answer(validator, inquiry, future), f"validate {inquiry.module}")
        return future

    async def _answer(self, validator: Validator, inquiry: Inquiry, future: "asyncio.Future[Judgement]") -> None:
        judgement = self._judgement(inquiry, Ruling(None, "it could not be asked to the end"))
        try:
            judgement = self._judgement(inquiry, await validator.rule(inquiry))
            if judgement.valid_until:
                self._remember(inquiry, judgement)
        finally:
            del self._asked[inquiry]
            if not future.done():
                future.set_result(judgement)

    def _judgement(self, inquiry: Inquiry, ruling: Ruling) -> Judgement:
        subject = f"{inquiry.module} {inquiry.version}"
        if ruling.allowed is None:
            return Judgement(_refused(f"{subject}: the validator did not rule: {ruling.text}", status=503), 0.0)
        until = self._clock.timestamp() + self._cache_seconds
        return Judgement(None if ruling.allowed else _refused(f"{subject}: {ruling.text or 'refused'}"), until)

    def _remember(self, inquiry: Inquiry, judgement: Judgement) -> None:
        self._known[inquiry] = judgement
        self._known.move_to_end(inquiry)
        while len(self._known) > MOST_REMEMBERED:
            self._known.popitem(last=False)


def _refused(reason: str, status: int = 403) -> Refusal:
    return Refusal(kind="validator", rule="validator.url", reason=reason, status=status)
