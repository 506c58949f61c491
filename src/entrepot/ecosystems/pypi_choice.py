"""Which versions of a Python project, and which of their files, a selection means."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from entrepot.ecosystems.pypi_names import version_of
from entrepot.ecosystems.pypi_offer import digests_of
from entrepot.ecosystems.pypi_pages import ListedFile
from entrepot.ecosystems.pypi_wheels import Candidate, Target, fitting
from entrepot.errors import Absent, BadRequest, ConfigError, DigestMismatch, PolicyRefused
from entrepot.model.constraints import parse_constraint
from entrepot.model.selection import Selection
from entrepot.model.versions import PEP440

_TOLD = 5
"""Versions or files that a message names."""

Offers = Mapping[str, Sequence[ListedFile]]
"""By normalised version, newest first; files whose names tell none are under the empty one, last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A selection as it is asked of one page."""

    selection: Selection
    targets: tuple[Target, ...]
    hidden: frozenset[str]

    def choose(self, offers: Offers) -> Offers:
        """Raises Absent, BadRequest, DigestMismatch, PolicyRefused where nothing is left."""
        alternatives = self._alternatives(offers)
        latest = None if self.is_exact or self.selection.files else self.selection.extent.latest
        for versions in alternatives:
            chosen = ((version, self._files(offers[version])) for version in versions)
            found = dict(islice((pair for pair in chosen if pair[1]), latest))
            if found:
                self._check_names(found)
                return found
        raise self._nothing(offers, [version for versions in alternatives for version in versions])

    def beside(self, offered: Iterable[ListedFile], chosen: Iterable[ListedFile]) -> list[ListedFile]:
        """The other files of a version whose metadata resolvers may read all the same: one that resolves for all
        platforms, or is going to build, takes that of any wheel."""
        names = {file.filename for file in chosen}
        others = (file for file in offered if file.has_metadata and file.filename not in names)
        return [file for file in others if not self._is_hidden(file)]

    @property
    def is_exact(self) -> bool:
        """Whether one version is named, so that a yanked one is meant, too (PEP 592)."""
        within = self.selection.within.strip()
        return bool(self.selection.version) or (within.startswith("==") and not set(within) & set(",*"))

    def _alternatives(self, offers: Offers) -> list[list[str]]:
        """Versions, newest first; the second ones count only if nothing is left of the first: pre-releases."""
        selection = self.selection
        known = {version: Version(version) for version in offers if version}
        if selection.version:
            return [[version for version, one in known.items() if _is_version(one, selection.version)]]
        if selection.files:
            return [list(offers)]
        early = False
        if selection.within:
            known, early = _within(selection, known)
        if early:
            return [list(known)]
        # Files whose names tell no version belong to "everything", and to nothing less.
        nameless = [""] if "" in offers and not selection.within and selection.extent.latest is None else []
        released = [version for version, one in known.items() if not one.is_prerelease]
        return [[*released, *nameless], [version for version, one in known.items() if one.is_prerelease]]

    def _files(self, files: Sequence[ListedFile]) -> list[ListedFile]:
        """Files that policy refuses are named all the same where nothing else is left of an exact version: so the
        refusal tells its rule."""
        exact = self.is_exact or bool(self.selection.files)
        wanted = [file for file in files if self._is_named(file) and self._has_digest(file)]
        offered = [file for file in wanted if exact or not file.yanked]
        seen = [file for file in offered if not self._is_hidden(file)]
        left = seen or (offered if exact else [])
        if self.selection.files:
            return left
        candidates = [Candidate(name=file.filename, requires_python=file.requires_python) for file in left]
        names = fitting(candidates, self.targets)
        return [file for file in left if file.filename in names]

    def _is_hidden(self, file: ListedFile) -> bool:
        return not self.hidden.isdisjoint((file.filename, version_of(file.filename, self.selection.package)))

    def _is_named(self, file: ListedFile) -> bool:
        return not self.selection.files or file.filename in self.selection.files

    def _has_digest(self, file: ListedFile) -> bool:
        """What the page tells no comparable digest of is verified against nothing here, but may be meant."""
        known = {digest.algorithm for digest in self.selection.digests}
        listed = [digest for digest in digests_of(file.hashes) if digest.algorithm in known]
        return not listed or not set(listed).isdisjoint(self.selection.digests)

    def _check_names(self, found: Offers) -> None:
        """Raises Absent where a file that is named is not there."""
        names = {file.filename for files in found.values() for file in files}
        lost = [name for name in self.selection.files if name not in names]
        if lost:
            raise Absent(f"{self.selection}: {_some(lost)} (there are {_some(sorted(names))})")

    def _nothing(self, offers: Offers, asked: Sequence[str]) -> Absent | DigestMismatch | PolicyRefused:
        files = [file for version in asked for file in offers[version] if self._is_named(file)]
        names = [file.filename for version in asked for file in offers[version]]
        if not files and self.selection.files:
            return Absent(f"{_some(self.selection.files)} (there are {_some(names)})")
        if not files:
            return Absent(f"{self.selection} (there are {_some([one for one in offers if one])})")
        if not any(map(self._has_digest, files)):
            wanted = _some([str(digest) for digest in self.selection.digests])
            listed = [str(digest) for file in files for digest in digests_of(file.hashes)]
            return DigestMismatch(str(self.selection), wanted, _some(listed))
        if all(map(self._is_hidden, files)):
            return PolicyRefused(str(self.selection), f"policy refuses all that there is now: {_some(names)}", "")
        if all(file.yanked for file in files):
            return Absent(f"{self.selection}, other than yanked ({_some(names)})")
        where = " or ".join(self.selection.extent.platforms)
        return Absent(f"{self.selection}{f' for {where}' if where else ''} (there are {_some(names)})")


def by_version(files: Iterable[ListedFile], project: str) -> Offers:
    found: dict[str, list[ListedFile]] = {}
    for file in files:
        found.setdefault(version_of(file.filename, project), []).append(file)
    ordered = sorted((version for version in found if version), key=Version, reverse=True)
    return {version: found[version] for version in (*ordered, *([""] if "" in found else []))}


def _is_version(one: Version, text: str) -> bool:
    """Equality as PEP 440 has it: 1.0 is 1.0.0, and without a local part every build of a version is that version."""
    try:
        wanted = Version(text)
    except ValueError:
        return False
    return one == wanted or (wanted.local is None and Version(one.public) == wanted)


def _within(selection: Selection, known: Mapping[str, Version]) -> tuple[dict[str, Version], bool]:
    """Those that the comparisons admit, pre-releases included, and whether they name one. Raises BadRequest."""
    try:
        wanted = SpecifierSet(selection.within)
    except ValueError:
        return _constrained(selection, known), False
    return {version: known[version] for version in wanted.filter(known, prereleases=True)}, bool(wanted.prereleases)


def _constrained(selection: Selection, known: Mapping[str, Version]) -> dict[str, Version]:
    try:
        constraint = parse_constraint(selection.within, PEP440, selection.package)
    except ConfigError as error:
        raise BadRequest(str(error)) from error
    return {version: one for version, one in known.items() if constraint.admits(version)}


def _some(names: Sequence[str]) -> str:
    if not names:
        return "none"
    more = f" and {len(names) - _TOLD} more" if len(names) > _TOLD else ""
    return ", ".join(names[:_TOLD]) + more
