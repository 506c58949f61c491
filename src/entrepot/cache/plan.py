"""From what is stored and what is wished to the next step (policy §4). Pure and table-tested."""

from dataclasses import dataclass, replace
from datetime import datetime

from entrepot.cache.freshness import FreshnessRules, is_fresh, lifetime, negative_lifetime, next_check, stale_for
from entrepot.errors import Absent, EntrepotError, UpstreamFailure, UpstreamStatus
from entrepot.model.entry import Entry
from entrepot.model.resource import Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the client's own directives ask of a cache."""

    stored_only: bool = False
    """`only-if-cached`, or an ecosystem's cached-only form: no contact."""
    no_cache: bool = False
    """The client asked for validation; obeyed only with `honour_client_no_cache`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """What a stored member of a group is worth: as much as the generation it is read from."""

    validated_at: datetime
    """When upstream last vouched for the root."""
    fresh_until: float
    """Seconds since the epoch."""
    detail: str = ""
    """Why the generation may be used though its root is stale."""


@dataclass(frozen=True, slots=True)
class Serve:
    """Answer from the entry; with `refresh`, ask upstream behind the answer. `detail` says why a stale one may go."""

    entry: Entry
    detail: str = ""
    refresh: bool = False


@dataclass(frozen=True, slots=True)
class Validate:
    """One conditional request, once for all who wait."""

    entry: Entry


@dataclass(frozen=True, slots=True)
class Download:
    """Nothing usable is stored."""


@dataclass(frozen=True, slots=True)
class Miss:
    """Nothing usable is stored, and no contact is allowed."""


@dataclass(frozen=True, slots=True)
class Gone:
    """Upstream took it back a moment ago: the client gets the 404 again, without contact."""


Step = Serve | Validate | Download | Miss | Gone


def next_step(
    entry: Entry | None,
    resource: Resource,
    wish: Wish,
    rules: FreshnessRules,
    now: datetime,
    membership: Membership | None = None,
) -> Step:
    if entry is None:
        return Miss() if wish.stored_only or rules.network == "offline" else Download()
    if entry.gone_at is not None:
        return _after_gone(entry, (now - entry.gone_at).total_seconds(), resource, wish, rules)
    if membership is not None and entry.snapshot == resource.snapshot and not entry.expired:
        return Serve(entry, membership.detail)
    insists = wish.no_cache and rules.honour_client_no_cache
    if is_fresh(entry, resource, rules, now) and not insists:
        return Serve(entry)
    late = stale_for(entry, resource, rules, now)
    if rules.network != "online":
        return Serve(entry, rules.network.replace("_", "-"))
    if wish.stored_only:
        return Serve(entry, "stored-only") if late <= rules.if_error else Miss()
    if entry.next_check_at is not None and now < _believable(entry.next_check_at, rules, now):
        if late <= rules.if_error:
            return Serve(entry, "upstream-failed")
    elif not insists and _may_lag(entry, late, resource, rules):
        return Serve(entry, "while-revalidate", refresh=True)
    return Validate(entry) if rules.conditional else Download()


def _may_lag(entry: Entry, late: float, resource: Resource, rules: FreshnessRules) -> bool:
    """Whether an answer may go before upstream was asked (RFC 5861 §3); a lifetime of zero means: ask each time."""
    return not _asks_each_time(entry, resource, rules) and late < rules.while_revalidate


def _asks_each_time(entry: Entry, resource: Resource, rules: FreshnessRules) -> bool:
    return entry.expired or not rules.conditional or lifetime(entry, resource, rules) <= 0


def _after_gone(entry: Entry, seconds: float, resource: Resource, wish: Wish, rules: FreshnessRules) -> Step:
    if rules.network == "offline":
        # Upstream said so when it could be asked: clients that probe need the 404 again.
        return Gone()
    if wish.stored_only:
        return Miss()
    if entry.expired:
        return Download()
    # The 404 is itself an answer that stays fresh for the negative lifetime; then upstream is asked in full.
    return Gone() if 0 <= seconds < negative_lifetime(resource, rules) else Download()


def _believable(moment: datetime, rules: FreshnessRules, now: datetime) -> datetime:
    """A time further ahead than any backoff can be is a clock step: it counts as now."""
    most = max(rules.backoff[1], 3600.0)
    return moment if (moment - now).total_seconds() <= most else now


@dataclass(frozen=True, slots=True)
class Keep:
    """Serve the stored entry though upstream failed; `entry` carries the next check."""

    entry: Entry
    detail: str


@dataclass(frozen=True, slots=True)
class Drop:
    """Upstream took it back: `entry` is marked gone, the client gets the error."""

    entry: Entry


@dataclass(frozen=True, slots=True)
class Fail:
    """Too old to serve: the client gets the error, the entry its next check."""

    entry: Entry


@dataclass(frozen=True, slots=True)
class Forbid:
    """Not to be served any more, whatever happens next: the client gets the error, the entry goes."""


Fallback = Keep | Drop | Fail | Forbid


def after_failure(
    entry: Entry, error: EntrepotError, resource: Resource, rules: FreshnessRules, now: datetime
) -> Fallback:
    """What a failed validation means for the entry. `validated_at` never moves here."""
    if isinstance(error, Absent):
        if rules.gone == "follow":
            return Drop(replace(entry, gone_at=now, next_check_at=None, failures=0, expired=False))
        return Keep(_checked_later(entry, rules, now, None), "gone-upstream")
    forbidden = isinstance(error, UpstreamStatus) and error.upstream_status in (401, 403)
    if forbidden and rules.forbidden == "drop":
        return Forbid()
    later = _checked_later(entry, rules, now, error.retry_after)
    if stale_for(entry, resource, rules, now) > rules.if_error:
        return Fail(later)
    if forbidden:
        return Keep(later, "forbidden-upstream")
    detail = "upstream-failed" if isinstance(error, UpstreamFailure) else error.code
    return Keep(later, detail)


def may_stand_in(entry: Entry, resource: Resource, rules: FreshnessRules, now: datetime) -> bool:
    """Whether an expired answer goes out when upstream is asked and says nothing for a while: it would also go if
    upstream failed, and most who are this silent do."""
    if entry.gone_at is not None:
        return _is_told_again(entry.gone_at, rules, now)
    return not _asks_each_time(entry, resource, rules) and stale_for(entry, resource, rules, now) <= rules.if_error


def _is_told_again(gone_at: datetime, rules: FreshnessRules, now: datetime) -> bool:
    return 0 <= (now - gone_at).total_seconds() <= rules.negative_ttl + rules.if_error


def absence_stands(entry: Entry, error: EntrepotError, rules: FreshnessRules, now: datetime) -> bool:
    """Whether a stored 404 is told again because upstream failed when it was asked anew (RFC 5861 §4). That is no
    outage spelled 404: upstream did say so. What it says now, but not as it should, is another thing."""
    if entry.gone_at is None or not isinstance(error, UpstreamFailure):
        return False
    if isinstance(error, UpstreamStatus) and error.upstream_status in (401, 403) and rules.forbidden != "stale":
        return False
    return _is_told_again(entry.gone_at, rules, now)


def _checked_later(entry: Entry, rules: FreshnessRules, now: datetime, retry_after: float | None) -> Entry:
    failures = entry.failures + 1
    return replace(entry, failures=failures, next_check_at=next_check(failures, rules, now, retry_after))
