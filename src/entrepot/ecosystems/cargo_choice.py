"""Which versions of a crate a selection means, newest first."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from entrepot.ecosystems.cargo_index import NEWEST_KNOWN, Line
from entrepot.ecosystems.cargo_requirements import parse_requirement, rank_of
from entrepot.errors import Absent, BadRequest, ConfigError, DigestMismatch, PolicyRefused
from entrepot.model.constraints import parse_constraint
from entrepot.model.selection import Selection
from entrepot.model.versions import SEMVER, parse_semver

Admits = Callable[[str], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One line of an index."""

    raw: bytes
    line: Line

    @property
    def version(self) -> str:
        return self.line.vers


def choose(offers: Sequence[Offer], selection: Selection, hidden: frozenset[str]) -> list[Offer]:
    """Raises Absent and DigestMismatch where nothing fits, PolicyRefused where policy hides all that would. A version
    that is named is chosen though it is hidden or yanked: who fetches it says why it may not be had."""
    if selection.version:
        return [_find(offers, selection)]
    admits = admission(selection.within)
    fitting = [offer for offer in offers if _is_current(offer) and admits(offer.version)]
    if not fitting:
        raise Absent(str(selection))
    left = {offer.version: offer for offer in fitting if offer.version not in hidden}
    if not left:
        raise PolicyRefused(str(selection), "policy holds back every version that fits", "")
    return _ranked(left)[: selection.extent.latest]


def admission(within: str) -> Admits:
    """Raises BadRequest for what is neither a requirement of cargo's nor comparisons joined by commas."""
    if not within or within == "*":
        return lambda version: parse_semver(version) is not None
    wanted = None if "!=" in within else parse_requirement(within)
    if wanted is not None:
        return lambda version: (parsed := parse_semver(version)) is not None and wanted.admits(parsed)
    try:
        constraint = parse_constraint(within, SEMVER, "a selection")
    except ConfigError as error:
        raise BadRequest(f"{within[:200]!r} is no requirement of cargo's; write it like ^1.2 or >=1.2,<3") from error
    return lambda version: bool(constraint.admits(version))


def _is_current(offer: Offer) -> bool:
    return not offer.line.yanked and (offer.line.v or 1) <= NEWEST_KNOWN


def _find(offers: Sequence[Offer], selection: Selection) -> Offer:
    wanted = selection.version
    # Registries have no two versions that differ in build metadata only, and not everybody writes it.
    found = [offer for offer in offers if offer.version == wanted] or [
        offer for offer in offers if "+" not in wanted and offer.version.partition("+")[0] == wanted
    ]
    if not found:
        raise Absent(str(selection))
    digests = [digest for digest in selection.digests if digest.algorithm == "sha256"]
    fitting = [offer for offer in found if not digests or offer.line.digest in digests]
    if not fitting:
        wrong = " and ".join(str(offer.line.digest) for offer in found)
        raise DigestMismatch(str(selection), " or ".join(map(str, digests)), wrong)
    return fitting[-1]


def _ranked(offers: Mapping[str, Offer]) -> list[Offer]:
    """Pre-releases come last: cargo takes one only where it is named."""

    def rank(version: str) -> tuple[object, ...]:
        parsed = parse_semver(version)
        return parsed is not None and not parsed.prerelease, *rank_of(version)

    return [offers[version] for version in sorted(offers, key=rank, reverse=True)]
