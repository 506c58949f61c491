"""What of a document a client does not see: what policy refuses of all that it names (policy §5)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from math import inf
from operator import itemgetter

import msgspec

from entrepot.cache.facts import Facts, FileFact, guarded
from entrepot.cache.frozen import Frozen
from entrepot.cache.repository import Repository
from entrepot.cache.sightings import name_of
from entrepot.cache.views import Source
from entrepot.contracts.catalog import Sighting
from entrepot.policy.cooldown import Cooldown, Dated
from entrepot.policy.gate import Gate
from entrepot.policy.verdict import Refusal


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


class Judge:
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
        self._filters = filters(repository.gate)

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
        dated = with_sighting(dated, self._sightings.get(name_of(self._repository.ecosystem, fact)))
        return self._cooldown.judge(fact.package, fact.version, dated, self._now, self._as_of)


def as_old_as(
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


def with_sighting(dated: Dated, seen: Sighting | None) -> Dated:
    """The dates of a version with when it was first seen here."""
    return replace(dated, first_seen=seen.first_seen, baseline=seen.baseline) if seen is not None else dated


def filters(gate: Gate) -> bool:
    """Whether rules may leave versions out of lists."""
    return gate.file is not None or bool(gate.rules) or gate.unmatched == "deny"


def hidden_of(refusals: dict[str, Refusal], until: float, repository: Repository, facts: list[FileFact]) -> Hidden:
    """`facts`: all that the document names; `until`: see Hidden."""
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


def left_out(repository: Repository, frozen: Frozen, named: Facts) -> dict[str, Refusal]:
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
