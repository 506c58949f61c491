"""From package URLs to selections: which repository serves such a package, and what the purl means there."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlsplit

from entrepot.contracts.ecosystem import Ecosystem
from entrepot.errors import BadRequest, EntrepotError
from entrepot.mirror.sources.parsed import Parsed
from entrepot.mirror.sources.sbom_member import Member
from entrepot.model.digest import Digest, parse_hex, strongest_first
from entrepot.model.purl import Purl, parse_purl
from entrepot.model.selection import Extent, Selection

_ROUTING: Final = frozenset({"repository_url", "vcs_url", "checksum"})
"""Qualifiers that say nothing more once the repository and the digests are known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """A repository, as far as it must be known to be chosen."""

    name: str
    ecosystem: Ecosystem
    upstreams: tuple[str, ...]
    """The base URLs."""


class Chooser:
    """Makes selections out of purls. `only`: names of the repositories that may be used; empty: all."""

    def __init__(self, destinations: Sequence[Destination], extent: Extent, only: Collection[str] = ()) -> None:
        self._destinations = [one for one in destinations if not only or one.name in only]
        self._extent, self._only = extent, only

    # --- what is made of what was ordered ---------------------------------------------------------------------------

    def of_purl(self, text: str) -> Parsed:
        """What a person wrote."""
        return self._choose(text, text, Member(place=text))

    def of_member(self, paper: str, member: Member) -> Parsed:
        """What a bill names."""
        place = f"{paper}: {member.place}"
        if member.error:
            return Parsed(place=place, error=member.error, code=BadRequest.code)
        if not member.purl:
            return Parsed(place=place, skipped="it has no purl")
        return self._choose(place, member.purl, member, billed=True)

    def of_selection(self, place: str, kind: type[Ecosystem], selection: Selection) -> Parsed:
        """What a lock file of this ecosystem pins."""
        serving = [one for one in self._destinations if one.ecosystem.name == kind.name]
        try:
            destination = _with_upstream(serving, dict(selection.qualifiers).get("repository_url", ""))
        except BadRequest as error:
            return Parsed.failed(place, error)
        destination = destination or next(iter(serving), None)
        if destination is None:
            return Parsed(place=place, skipped=f"{self._where()} is of the ecosystem {kind.name}")
        return Parsed(place=place, repository=destination.name, selection=selection)

    def _choose(self, place: str, text: str, member: Member, *, billed: bool = False) -> Parsed:
        try:
            purl = parse_purl(text)
            destination, purl = self._destination(purl, member.repository)
            if destination is None:
                return Parsed(place=place, skipped=f"{self._where()} serves packages of type {purl.type}: {purl}")
            if billed and not purl.version:
                purl = replace(purl, version=member.version)
            return self._select(place, destination, purl, member, billed=billed)
        except EntrepotError as error:
            return Parsed.failed(place, error)

    def _select(self, place: str, destination: Destination, purl: Purl, member: Member, *, billed: bool) -> Parsed:
        digests = (member.digests or _checksums_of(purl)) if destination.ecosystem.hashes_are_of_files else ()
        needless = _ROUTING - {"repository_url"} if destination.ecosystem.named_by_address else _ROUTING
        told = replace(purl, qualifiers=tuple(pair for pair in purl.qualifiers if pair[0] not in needless))
        selection = destination.ecosystem.select(told, self._extent)
        selection = replace(
            selection,
            digests=digests or selection.digests,
            files=member.files or selection.files,
        )
        address = purl.qualifier("download_url")
        if not (selection.version or selection.within) and (not address or "://" in address):
            source = purl.qualifier("vcs_url") or address
            if source:
                return Parsed(place=place, skipped=f"it comes from {source}, and not from a registry")
            if billed and self._extent.latest is None:
                raise BadRequest(f"{purl} has no version, and a bill should tell what was used; --latest N takes some")
        return Parsed(place=place, repository=destination.name, selection=selection)

    # --- which repository -------------------------------------------------------------------------------------------

    def _destination(self, purl: Purl, told: str) -> tuple[Destination | None, Purl]:
        """The repository, and the purl as it means something there: an address below the repository's upstream is
        relative to that."""
        serving = [one for one in self._destinations if purl.type in one.ecosystem.purl_types]
        found = _above(serving, purl.qualifier("download_url"))
        if found is not None:
            destination, path = found
            return destination, replace(purl, qualifiers=_replaced(purl, "download_url", path))
        found = _below_host(serving, purl.qualifier("repository_url"))
        if found is not None:
            destination, path = found
            return destination, replace(purl, qualifiers=_replaced(purl, "repository_url", path))
        address = purl.qualifier("repository_url")
        by_address = _with_upstream(serving, address)
        by_name = next((one for one in serving if one.name == told), None)
        first = next(iter(serving), None)
        if by_address or by_name or first is None:
            return by_address or by_name, purl
        named = self._only or first.ecosystem.named_by_address
        if address and not named and not _is_public(first.ecosystem, address):
            # What a private registry has under this name, and that there is such a name, is not for another one.
            raise BadRequest(
                f"{purl}: no repository here has {address} for an upstream; configure one, or name the repository to "
                "take it from with --repository"
            )
        return first, purl

    def _where(self) -> str:
        return f"none of the repositories {', '.join(sorted(self._only))}" if self._only else "no repository here"


def _with_upstream(destinations: Sequence[Destination], url: str) -> Destination | None:
    """The one that has this address for an upstream. Purls may leave out the scheme. Raises BadRequest."""
    if not url:
        return None
    wanted = _plain(url)
    return next((one for one in destinations if wanted in map(_plain, one.upstreams)), None)


def _is_public(ecosystem: Ecosystem, url: str) -> bool:
    """Whether an address is the public registry's: repositories may reach that by way of a mirror. Raises
    BadRequest."""
    public = ecosystem.default_upstream()
    return public is not None and _plain(public)[0] == _plain(url)[0]


def _plain(url: str) -> tuple[str, str]:
    """Host and path, as far as two spellings of one address agree in them. Raises BadRequest."""
    try:
        parts = urlsplit(url if "://" in url else f"https://{url}")
    except ValueError as error:
        raise BadRequest(f"{url[:200]!r} is no address: {error}") from error
    return parts.netloc.rpartition("@")[2].lower(), parts.path.rstrip("/")


def _above(destinations: Sequence[Destination], url: str) -> tuple[Destination, str] | None:
    """The one whose upstream's address this one begins with (the longest counts), and the rest of it."""
    found = [
        (base, one)
        for one in destinations
        for upstream in one.upstreams
        if url.startswith(base := f"{upstream.rstrip('/')}/")
    ]
    if not found:
        return None
    base, destination = max(found, key=lambda pair: len(pair[0]))
    return destination, url.removeprefix(base)


def _below_host(destinations: Sequence[Destination], url: str) -> tuple[Destination, str] | None:
    """Of those whose packages are told by addresses, the one that is called by this address's host, and the rest."""
    host, _, path = url.partition("://")[2].partition("/") if "://" in url else url.partition("/")
    for one in destinations:
        named = {*one.ecosystem.stands_for, *(_plain(upstream)[0] for upstream in one.upstreams)}
        if one.ecosystem.named_by_address and path and host.lower() in named:
            return one, path
    return None


def _replaced(purl: Purl, key: str, value: str) -> tuple[tuple[str, str], ...]:
    return tuple((name, value if name == key else known) for name, known in purl.qualifiers)


def _checksums_of(purl: Purl) -> tuple[Digest, ...]:
    """Of the qualifier: `sha256:…`, several joined by commas. Raises BadRequest."""
    found = []
    for text in purl.qualifier("checksum").split(","):
        algorithm, _, value = text.strip().partition(":")
        digest = parse_hex(algorithm.replace("-", ""), value)
        if digest is None and text:
            raise BadRequest(f"{purl}: the checksum {text!r} is none; write it like sha256: and 64 hexadecimal digits")
        found += [digest] if digest else []
    return strongest_first(found)
