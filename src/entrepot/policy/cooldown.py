"""Old enough to be used? By which date, and what when there is none (policy §5). Pure: the caller brings the time."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, Protocol

from entrepot.policy.verdict import Refusal

Source = Literal["registry", "author", "none"]
"""Who sets the dates of an ecosystem's versions."""

# Two clocks are never quite the same: what is dated so little ahead of ours was published now.
_SKEW = timedelta(minutes=5)


class Packages(Protocol):
    def matches(self, package: str) -> bool: ...


class Versions(Protocol):
    def admits(self, version: str) -> bool | None:
        """None: it cannot be compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageAge:
    """How old versions of some packages must be."""

    pattern: Packages
    seconds: float
    rule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Exemption:
    """Versions that may be used at any age."""

    pattern: Packages
    versions: Versions | None = None
    """None: all of them."""
    reason: str = ""
    until: datetime | None = None
    """The first moment at which it counts no more; None: it always does."""
    rule: str = "cooldown.exceptions"

    def covers(self, package: str, version: str, now: datetime) -> bool:
        """A version that cannot be compared is not covered: what is in doubt is not let through."""
        if self.until is not None and now >= self.until:
            return False
        return self.pattern.matches(package) and (self.versions is None or self.versions.admits(version) is True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dated:
    """What is known of a version's (or file's) age."""

    published: datetime | None
    """By the registry or the author."""
    source: Source
    first_seen: datetime | None = None
    """When a list of ours first had it; of what is baseline: when that list was first read."""
    baseline: bool = False
    """Whether it was in the first list we read: then nobody saw it appear."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cooldown:
    """One repository's minimum ages. The first that is set wins: exception, package, default."""

    default: float = 0.0
    """Seconds; of the repository or, where it sets none, of all repositories."""
    rule: str = "cooldown.default"
    """Where `default` was set."""
    packages: tuple[PackageAge, ...] = ()
    """The first that matches counts."""
    exceptions: tuple[Exemption, ...] = ()
    unknown_date: Literal["refuse", "first-seen", "allow"] = "refuse"
    baseline: Literal["trust", "distrust"] = "trust"
    as_of: datetime | None = None
    """Nothing newer exists."""
    as_of_rule: str = "cooldown.as_of"

    def judge(
        self, package: str, version: str, dated: Dated, now: datetime, as_of: datetime | None = None
    ) -> Refusal | None:
        """Why this version may not be had, if it may not. `as_of`: a date that the request itself asks for; the earlier
        of that and the repository's counts. What is too young today is so in a dated view too."""
        return self._after(package, version, dated, as_of) or self._too_young(package, version, dated, now)

    def asks(self, package: str, version: str, now: datetime, as_of: datetime | None = None) -> bool:
        """Whether anything depends on the age of this version."""
        return bool(self.as_of or as_of) or self._wanted(package, version, now)[0] > 0

    def account(self, package: str, version: str, dated: Dated, now: datetime, as_of: datetime | None = None) -> str:
        """What `judge` reckons with, in words."""
        seconds, rule = self._wanted(package, version, now)
        published = f"published at {_moment(dated.published)}" if dated.published else "published nobody says when"
        seen = f"first seen at {_moment(dated.first_seen)}" if dated.first_seen else "not seen in a list"
        by = {"registry": "the registry", "author": "its author", "none": "nobody"}[dated.source]
        told = f"{published} (dated by {by}), {seen}{', from the start' if dated.baseline else ''}"
        told = f"{told}; {rule} asks for {_span(seconds) if seconds > 0 else 'no age'}"
        refusal = self.judge(package, version, dated, now, as_of)
        return f"{told}; {refusal.reason}" if refusal else f"{told}: it may be used"

    def next_change(self, now: datetime) -> datetime | None:
        """When the next exception ends, and with it what it let through; None: none ever does."""
        return min((rule.until for rule in self.exceptions if rule.until and rule.until > now), default=None)

    def _after(self, package: str, version: str, dated: Dated, as_of: datetime | None) -> Refusal | None:
        limits = [(self.as_of, self.as_of_rule), (as_of, "the date in the address")]
        limit, rule = min(((moment, rule) for moment, rule in limits if moment), default=(None, ""))
        if limit is None:
            return None
        # First seen says when it came to us, not when it came into the world.
        date = dated.published
        if date <= limit if date else self.unknown_date == "allow":
            return None
        why = f"it was published at {_moment(date)}" if date else "nobody says when it was published"
        reason = f"{_subject(package, version)} does not exist as of {_moment(limit)}: {why}"
        return Refusal(kind="as-of", rule=rule, reason=reason, status=404)

    def _too_young(self, package: str, version: str, dated: Dated, now: datetime) -> Refusal | None:
        seconds, rule = self._wanted(package, version, now)
        if seconds <= 0:
            return None
        date, said = self._date_of(dated, now)
        if date is None:
            return None if self.unknown_date == "allow" else _undated(package, version, dated, seconds, rule)
        ripe = date + timedelta(seconds=seconds)
        if ripe <= now:
            return None
        reason = (
            f"{_subject(package, version)} {said} {_moment(date)} and must be {_span(seconds)} old; "
            f"it may be used from {_moment(ripe)}"
        )
        return Refusal(kind="cooldown", rule=rule, reason=reason, until=ripe)

    def _wanted(self, package: str, version: str, now: datetime) -> tuple[float, str]:
        """Seconds, and the rule that says so."""
        exemption = next((one for one in self.exceptions if one.covers(package, version, now)), None)
        if exemption is not None:
            return 0.0, f"{exemption.rule}: {exemption.reason}"
        found = next((rule for rule in self.packages if rule.pattern.matches(package)), None)
        return (found.seconds, found.rule) if found else (self.default, self.rule)

    def _date_of(self, dated: Dated, now: datetime) -> tuple[datetime | None, str]:
        """The date that counts, and what it is the date of."""
        published = _believable(dated.published, now)
        seen = dated.first_seen if self._counts_seen(dated, published) else None
        if dated.published is not None and published is None and self.unknown_date != "first-seen":
            return None, ""
        if seen is not None and (published is None or seen > published):
            return min(seen, now), "was first seen at"
        return published, "was published at"

    def _counts_seen(self, dated: Dated, published: datetime | None) -> bool:
        if published is None and self.unknown_date == "first-seen":
            return True
        return dated.source != "registry" and (not dated.baseline or self.baseline == "distrust")


def _undated(package: str, version: str, dated: Dated, seconds: float, rule: str) -> Refusal:
    date = (
        f"its date, {_moment(dated.published)}, lies ahead" if dated.published else "nobody says when it was published"
    )
    reason = f"{_subject(package, version)} must be {_span(seconds)} old, but {date}"
    ripe = dated.published + timedelta(seconds=seconds) if dated.published else None
    return Refusal(kind="cooldown", rule=rule, reason=reason, until=ripe)


def _subject(package: str, version: str) -> str:
    return f"{package} {version}" if version else package


def _believable(date: datetime | None, now: datetime) -> datetime | None:
    """None for a date in the future, which tells nothing about the age."""
    if date is None or date > now + _SKEW:
        return None
    return min(date, now)


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _span(seconds: float) -> str:
    """A length of time in words: the two biggest units of it, rounded down."""
    words = []
    for name, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
        count, seconds = divmod(seconds, size)
        if count:
            words.append(f"{count:.0f} {name}{'s' if count != 1 else ''}")
        elif words:
            break
    return " ".join(words[:2]) or "less than a minute"
