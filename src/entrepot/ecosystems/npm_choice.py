"""Which versions of a package a selection means: those that npm would choose, newest first.

Source: https://github.com/npm/npm-pick-manifest. What npm asks of the machine's node is not known here.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import msgspec

from entrepot.ecosystems.npm_names import is_version
from entrepot.ecosystems.npm_packument import decode
from entrepot.ecosystems.npm_ranges import parse_range, parse_version
from entrepot.ecosystems.npm_tags import repoint
from entrepot.errors import Absent, ConfigError, PolicyRefused
from entrepot.model.constraints import parse_constraint
from entrepot.model.release import Document
from entrepot.model.selection import Selection
from entrepot.model.versions import SEMVER

Admits = Callable[[str], bool]


class _Facts(msgspec.Struct, frozen=True):
    tags: dict[str, object] = msgspec.field(name="dist-tags", default={})
    versions: dict[str, msgspec.Raw] = {}


class _Standing(msgspec.Struct, frozen=True):
    deprecated: object = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A package's document, as far as choosing needs it."""

    url: str
    tags: Mapping[str, str]
    versions: Mapping[str, msgspec.Raw]


def read_page(document: Document) -> Page:
    """Raises UnreadableIndex."""
    facts = decode(document.body.read(), _Facts, document.url)
    document.body.seek(0)
    tags = {tag: version for tag, version in facts.tags.items() if isinstance(version, str)}
    versions = {version: raw for version, raw in facts.versions.items() if is_version(version)}
    return Page(url=document.url, tags=tags, versions=versions)


def is_wish(text: str) -> bool:
    """Whether it can say which versions are wanted: a range, comparisons joined by commas, a tag, or nothing."""
    return parse_range(text) is not None or is_version(text) or _compare(text) is not None


def choose(page: Page, selection: Selection, hidden: frozenset[str]) -> list[str]:
    """Raises Absent where nothing fits, PolicyRefused where policy hides all that would. A version that is named is
    chosen though it is hidden: who fetches it says why it may not be had."""
    if selection.version:
        return [_find(page, selection)]
    within = selection.within.strip()
    shown = {version for version in page.versions if version not in hidden}
    # Tags lead clients to what they may see.
    tags = {**page.tags, **repoint(page.tags, shown, hidden)}
    latest = selection.extent.latest
    fitting = _fitting(page, within, tags, everything=latest is None)
    subject = f"{selection.package}@{within}" if within else selection.package
    if not fitting:
        raise Absent(subject)
    left = shown.intersection(fitting)
    if not left:
        raise PolicyRefused(subject, "policy holds back every version that fits", "")
    return _ranked(page, left, tags.get("latest", ""))[:latest]


def _find(page: Page, selection: Selection) -> str:
    wanted = selection.version
    for name in (wanted, wanted.lstrip("v= ")):
        if name in page.versions:
            return name
    raise Absent(f"{selection.package}@{wanted}")


def _fitting(page: Page, within: str, tags: Mapping[str, str], *, everything: bool) -> set[str]:
    admits = _compare(within)
    if admits is None:
        return {tags.get(within, within)}.intersection(page.versions)
    fitting = {version for version in page.versions if admits(version)}
    if within not in ("", "*"):
        return fitting
    # Any version will do: pre-releases are some where nothing else is, or `latest` is one.
    return {*page.versions} if everything or not fitting else fitting | {tags.get("latest", "")}


def _compare(text: str) -> Admits | None:
    if "," in text or "!=" in text:
        try:
            constraint = parse_constraint(text, SEMVER, "a selection")
        except ConfigError:
            return None
        return lambda version: bool(constraint.admits(version))
    found = parse_range(text)
    if found is None:
        return None
    return lambda version: (parsed := parse_version(version)) is not None and found.admits(parsed)


def _ranked(page: Page, versions: Iterable[str], preferred: str) -> list[str]:
    """The first is the one that npm would install: what is tagged `latest` before what is newer, and what is deprecated
    last of all."""

    def rank(version: str) -> tuple[object, ...]:
        parsed = parse_version(version)
        good = not decode(page.versions[version], _Standing, page.url).deprecated
        return good, good and version == preferred, parsed is not None, parsed.rank if parsed else version

    return sorted(versions, key=rank, reverse=True)
