"""Age, lifetime and stale windows of stored responses (RFC 9111, RFC 5861). Pure: the caller brings the time."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import inf
from typing import Literal

from entrepot.model.entry import Entry
from entrepot.model.headers import Headers, parse_directives, parse_http_date, split_list
from entrepot.model.resource import Kind, Resource
from entrepot.policy.verdict import Overrides

HEURISTIC_SHARE = 0.1
HEURISTIC_MOST = 86400.0
RECENT_SECONDS = 10.0
"""A document that was validated this recently is not asked about again for the sake of one missing file."""
HONOURED_VARY = frozenset({"accept", "accept-encoding"})


@dataclass(frozen=True, slots=True, kw_only=True)
class FreshnessRules:
    """A repository's settings. Durations in seconds."""

    mutable_ttl: float | None = 300.0
    """None: what upstream says (s-maxage, max-age, Expires, then the heuristic of RFC 9111 §4.2.2)."""
    immutable_ttl: float = inf
    conditional: bool = True
    negative_ttl: float = 45.0
    while_revalidate: float = 300.0
    if_error: float = 7 * 86400.0
    patience: float = 1.5
    """How long a client waits for upstream's first word while a stale answer may stand in."""
    backoff: tuple[float, float] = (30.0, 300.0)
    gone: str = "follow"
    """On 404 or 410 for what is stored: "follow" or "serve"."""
    forbidden: str = "stale"
    """On 401 or 403 for what is stored: "stale" or "drop"."""
    obey_no_store: bool = False
    honour_client_no_cache: bool = False
    network: Literal["online", "prefer_cache", "offline"] = "online"
    """`prefer_cache`: what is stored is served at any age; `offline`: and what is not makes no contact either."""
    keep: bool = True
    """Whether what upstream sends may be stored."""
    overruled: bool = False
    """Whether a rule of the configuration says how long this is fresh: it wins over the ecosystem's suggestion."""


def ruled(rules: FreshnessRules, overrides: Overrides | None) -> FreshnessRules:
    """The repository's rules as a rule of the configuration changes them."""
    if overrides is None:
        return rules
    ttl = overrides.mutable_ttl
    return replace(
        rules,
        mutable_ttl=rules.mutable_ttl if ttl is None else None if ttl == "upstream" else ttl,
        overruled=rules.overruled or ttl is not None,
        immutable_ttl=_given(overrides.immutable_ttl, rules.immutable_ttl),
        conditional=rules.conditional if overrides.conditional is None else overrides.conditional,
        while_revalidate=_given(overrides.while_revalidate, rules.while_revalidate),
        if_error=_given(overrides.if_error, rules.if_error),
    )


def _given(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value


def reclassified(resource: Resource, overrides: Overrides | None) -> Resource:
    """The resource as the class of a rule makes it (policy §2): what an index is stays one, only its lifetime can
    change (see `lifetime`)."""
    klass = overrides.klass if overrides is not None else None
    if klass == "immutable" and resource.kind is Kind.SIGNED:
        return replace(resource, kind=Kind.ARTIFACT, snapshot="")
    if klass == "mutable" and resource.kind is Kind.ARTIFACT and resource.digest is None:
        return replace(resource, kind=Kind.SIGNED)
    if klass == "immutable" and resource.kind is Kind.INDEX:
        return replace(resource, mutable_ttl=inf)
    return resource


def lifetime(entry: Entry, resource: Resource, rules: FreshnessRules) -> float:
    """For how many seconds after its validation an entry is fresh."""
    if resource.kind is Kind.ARTIFACT:
        return rules.immutable_ttl
    if resource.mutable_ttl is not None and not rules.overruled:
        return resource.mutable_ttl
    if rules.mutable_ttl is not None:
        return rules.mutable_ttl
    return _upstream_lifetime(entry.headers, entry.validated_at)


def _upstream_lifetime(headers: Headers, received: datetime) -> float:
    directives = parse_directives(headers.get("cache-control"))
    if "no-cache" in directives:
        return 0.0
    for name in ("s-maxage", "max-age"):
        if name in directives:
            value = directives[name]
            return float(value) if value.isascii() and value.isdigit() else 0.0
    # What came without a date was made when it came (RFC 9110 §6.6.1).
    date = parse_http_date(headers.get("date")) or received
    if "expires" in headers:
        expires = parse_http_date(headers.get("expires"))
        return max(0.0, (expires - date).total_seconds()) if expires else 0.0
    modified = parse_http_date(headers.get("last-modified"))
    if modified is None:
        return 0.0
    return min(HEURISTIC_MOST, max(0.0, (date - modified).total_seconds() * HEURISTIC_SHARE))


def negative_lifetime(resource: Resource, rules: FreshnessRules) -> float:
    """For how many seconds a 404 is told again. A file may have been published since its index was read: its 404 lasts
    no longer than the index is taken for current."""
    listed = resource.listed_in is not None or resource.listed_anywhere
    return min(rules.negative_ttl, RECENT_SECONDS) if listed else rules.negative_ttl


def age_of(entry: Entry, now: datetime) -> float:
    """Seconds since upstream last vouched for the entry, its own Age included (RFC 9111 §4.2.3)."""
    received = entry.headers.get("age")
    initial = float(received) if received.isascii() and received.isdigit() else 0.0
    # A clock that was set back must not make an entry younger than new.
    return initial + max(0.0, (now - entry.validated_at).total_seconds())


def fresh_until(entry: Entry, resource: Resource, rules: FreshnessRules) -> float:
    """The moment (seconds since the epoch) from which the entry must be asked about; inf: never."""
    if entry.expired:
        return 0.0
    span = lifetime(entry, resource, rules)
    if span == inf:
        return inf
    return entry.validated_at.timestamp() + span - age_of(entry, entry.validated_at)


def is_fresh(entry: Entry, resource: Resource, rules: FreshnessRules, now: datetime) -> bool:
    # An entry from the future (a clock stepped back by more than the lifetime) is not trusted for longer than its
    # lifetime from either side.
    until = fresh_until(entry, resource, rules)
    if until == inf:
        return True
    ahead = (entry.validated_at - now).total_seconds()
    return now.timestamp() < until and ahead <= max(lifetime(entry, resource, rules), 60.0)


def stale_for(entry: Entry, resource: Resource, rules: FreshnessRules, now: datetime) -> float:
    """Seconds since the entry stopped being fresh."""
    if entry.expired:
        return max(0.0, (now - entry.validated_at).total_seconds())
    return max(0.0, now.timestamp() - fresh_until(entry, resource, rules))


def next_check(failures: int, rules: FreshnessRules, now: datetime, retry_after: float | None) -> datetime:
    """When to ask again after the `failures`-th failure in a row: doubling, capped, never before Retry-After."""
    first, most = rules.backoff
    wait = min(most, first * 2.0 ** min(failures - 1, 32))
    return now + timedelta(seconds=max(wait, retry_after or 0.0))


def storable(status: int, headers: Headers, resource: Resource, rules: FreshnessRules) -> bool:
    """Whether a response may be stored at all (RFC 9111 §3, with the overrides of policy §4)."""
    if not rules.keep or status != 200 or resource.kind is Kind.PASS or resource.method != "GET":
        return False
    directives = parse_directives(headers.get("cache-control"))
    if rules.obey_no_store and directives.keys() & {"no-store", "private"}:
        return False
    if resource.digest is not None:
        # Whoever asks, and however, other bytes would be refused.
        return True
    return all(name.lower() in HONOURED_VARY for name in split_list(headers.get("vary")))
