"""A repository as one session got it: what was served in it, and nothing else. Pure."""

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from entrepot.cache.facts import Facts
from entrepot.contracts.sessions import Served, ServedState
from entrepot.errors import Absent, PolicyRefused
from entrepot.model.entry import Entry
from entrepot.model.resource import Kind, Resource
from entrepot.policy.verdict import Refusal

_SUFFIX = re.compile(r" [@~][0-9A-Za-z]+\Z")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Frozen:
    """Of one repository."""

    session: str
    served: Mapping[str, str]
    """Stored keys, and the SHA-256 of what is stored."""
    absent: frozenset[str] = frozenset()
    """Stored keys of what was answered with: there is no such thing."""
    versions: frozenset[tuple[str, str]] = frozenset()
    """Packages and versions of which a file was served."""
    ordered: tuple[str, ...] = ()
    """The keys of what was served, in order."""

    @classmethod
    def of(cls, session: str, items: Iterable[Served]) -> "Frozen":
        """`items`: of one repository."""
        served: dict[str, str] = {}
        absent: set[str] = set()
        versions: set[tuple[str, str]] = set()
        for item in items:
            if item.state is ServedState.ABSENT:
                absent.add(item.key)
                continue
            served[item.key] = item.sha256
            if item.version:
                versions.add((item.package, item.version))
        return cls(
            session=session,
            served=served,
            absent=frozenset(absent),
            versions=frozenset(versions),
            ordered=tuple(sorted(served)),
        )

    def check(self, subject: str, resource: Resource) -> None:
        """Raises PolicyRefused, or Absent where that was the answer in the session."""
        if self.has(resource):
            return
        if resource.stored_key in self.absent:
            raise Absent(subject)
        raise PolicyRefused(subject, self._reason, "a frozen session serves what was served in it")

    def has(self, resource: Resource) -> bool:
        """Also what can be cut off a longer file that was served."""
        if resource.kind is Kind.PASS:
            return False
        keys = (resource.stored_key, *(replace(resource, key=key).stored_key for key in resource.begins))
        return any(key in self.served for key in keys)

    def names(self, key: str) -> bool:
        """Whether it was served, or something in the folder that it is."""
        at = bisect_left(self.ordered, key)
        found = self.ordered[at] if at < len(self.ordered) else ""
        return found == key or (key.endswith("/") and found.startswith(key))

    def left_out(self, facts: Facts) -> Iterator[tuple[str, Refusal]]:
        """Of what an index names: the keys of what is not shown. A version without files in its index is shown where
        any file of it was served."""
        refusal = Refusal(kind="session", rule="a frozen session", reason=self._reason)
        for key, fact in facts.items():
            if key not in self.served and (fact.name or (fact.package, fact.version) not in self.versions):
                yield key, refusal

    @property
    def _reason(self) -> str:
        return f"it is not part of session {self.session}"

    # --- what is stored of it ---------------------------------------------------------------------------------------

    def copy_of(self, key: str) -> str:
        return copy_key(key, self.session)

    def chosen(self, resource: Resource, copy: Entry | None, current: Entry | None) -> Entry | None:
        """Of what changes, as it was when the session was frozen; of a file, the bytes that were served."""
        if copy is not None:
            return copy
        wanted = self.served.get(resource.stored_key)
        if current is None or (resource.kind is Kind.ARTIFACT and wanted and current.sha256 != wanted):
            return None
        # What upstream took back since was there when the session got it.
        return current if current.is_absence else replace(current, gone_at=None)


def copy_key(key: str, session: str) -> str:
    """Where an entry stays as it was when a session was frozen."""
    return f"{key} ~{session}"


def plain_key(key: str) -> str:
    """The stored key of what may be an entry of a former edition, or of a frozen session."""
    return _SUFFIX.sub("", key)
