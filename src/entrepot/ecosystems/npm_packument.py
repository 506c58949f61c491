"""Packuments (npm's package documents): what they say, and the forms of them that clients see.

Source: https://github.com/npm/registry/blob/main/docs/responses/package-metadata.md and what npm 11, pnpm 12, yarn 4
and bun read. Values are carried over as the raw bytes that upstream sent; only links are written anew.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TypeVar
from urllib.parse import unquote, urljoin

import msgspec

from entrepot.contracts.ecosystem import View
from entrepot.ecosystems.npm_names import escape, is_listable, is_package, is_version, tarball_name
from entrepot.ecosystems.npm_tags import repoint
from entrepot.errors import Absent, UnreadableIndex
from entrepot.model.digest import Digest, parse_hex, parse_sri
from entrepot.model.release import Document, Location, Release, ReleaseFile, Rendered, locate

ABBREVIATED = "application/vnd.npm.install-v1+json"
FULL = "application/json"

# What a version has in an abbreviated document, besides the computed `hasInstallScript`.
_INSTALL_FIELDS = frozenset(
    field
    for line in (
        "name version deprecated dist engines cpu os libc funding bin directories hasInstallScript _hasShrinkwrap",
        "dependencies optionalDependencies devDependencies bundleDependencies bundledDependencies",
        "peerDependencies peerDependenciesMeta acceptDependencies",
    )
    for field in line.split()
)
_ATTESTATIONS = "/-/npm/v1/attestations/"
_MOST_REASONS = 20
_ABSOLUTE = re.compile(r"(?i)(https?://[^/?#\\]+)(/[^#]*)")

_Raw = dict[str, msgspec.Raw]
_NOTHING = msgspec.Raw(b"{}")
_Open = dict[str, object]
_Shape = TypeVar("_Shape")


class _Dist(msgspec.Struct, frozen=True):
    tarball: str = ""
    integrity: str | None = None
    shasum: str | None = None


class _Version(msgspec.Struct, frozen=True):
    dist: _Dist | None = None


class _Scripts(msgspec.Struct, frozen=True):
    """The scripts that npm runs at installation."""

    preinstall: object = None
    install: object = None
    postinstall: object = None


class _Facts(msgspec.Struct, frozen=True):
    name: str
    versions: dict[str, _Version] = {}
    time: dict[str, object] = {}


def read_releases(document: Document) -> Iterator[Release]:
    """The versions; those whose file we cannot serve are without one. Raises UnreadableIndex."""
    facts = decode(document.body.read(), _Facts, document.url)
    if not is_package(facts.name):
        raise UnreadableIndex(f"{document.url}: {facts.name!r} is not an npm package name")
    locator = _Locator(document)
    for version, entry in facts.versions.items():
        if not is_version(version):
            continue
        published = _moment(facts.time.get(version))
        location = locator.find(entry.dist.tarball) if entry.dist else None
        if entry.dist is None or location is None:
            yield Release(package=facts.name, version=version, files=(), published=published)
            continue
        file = ReleaseFile(
            name=tarball_name(facts.name, version, location.path),
            location=location,
            digests=parse_sri(entry.dist.integrity or "") or read_shasum(entry.dist.shasum),
            published=published,
        )
        yield Release(package=facts.name, version=version, files=(file,), published=published)


def render_packument(document: Document, package: str, view: View) -> Rendered:
    """The document in the form that the view asks for. Raises UnreadableIndex, and Absent when nothing is left."""
    page = _Page(document, package, view)
    kind, _, wanted = view.form.partition(":")
    if kind == "dist-tags":
        return Rendered(body=msgspec.json.encode(page.tags()), content_type=FULL)
    if kind == "version":
        return Rendered(body=msgspec.json.encode(page.version(wanted)), content_type=FULL)
    if kind == "abbreviated":
        return Rendered(body=msgspec.json.encode(page.abbreviated()), content_type=ABBREVIATED)
    return Rendered(body=msgspec.json.encode(page.full()), content_type=FULL)


class _Page:
    """One packument as one client sees it."""

    def __init__(self, document: Document, package: str, view: View) -> None:
        self._url, self._package, self._view = document.url, package, view
        self._locator = _Locator(document)
        self._top = decode(document.body.read(), _Raw, self._url)
        if self._read("name", str, "") != package:
            raise UnreadableIndex(f"{self._url}: this is not the document of {package}")
        self._versions = self._read("versions", _Raw, {})
        # No link of ours could stand for a tarball of what cannot be a version.
        self._shown = [name for name in self._versions if is_version(name) and name not in view.hidden]
        self._hides = not view.hidden.isdisjoint(self._versions)
        if self._hides and not self._shown:
            raise Absent(package)

    def tags(self) -> dict[str, str]:
        tags = self._read("dist-tags", dict[str, str], {})
        return repoint(tags, self._shown, self._view.hidden) if self._hides else tags

    def version(self, wanted: str) -> _Open:
        """One version by its number or by a tag."""
        name = self.tags().get(wanted, wanted)
        if name not in self._shown:
            raise Absent(f"{self._package}@{wanted}")
        return self._linked(name, decode(self._versions[name], _Raw, self._url))

    def full(self) -> _Open:
        page: _Open = dict(self._top)
        if "versions" in page:
            versions = decode(self._top["versions"], dict[str, _Raw], self._url)
            page["versions"] = {name: self._linked(name, versions[name]) for name in self._shown}
        if self._hides:
            page |= {name: value for name, value in self._redated().items() if name in page}
        return page | self._restrictions()

    def abbreviated(self) -> _Open:
        versions = decode(self._top.get("versions", _NOTHING), dict[str, _Raw], self._url)
        page: _Open = {
            "name": self._package,
            "dist-tags": self.tags(),
            "versions": {name: self._shortened(name, versions[name]) for name in self._shown},
        }
        modified = self._modified()
        return (page | {"modified": modified} if modified else page) | self._restrictions()

    def _redated(self) -> _Open:
        """The members that speak of all versions, without those that are hidden."""
        time: _Open = {name: raw for name, raw in self._read("time", _Raw, {}).items() if name not in self._view.hidden}
        if "modified" in time:
            time["modified"] = self._modified()
        return {"dist-tags": self.tags(), "time": time, "modified": self._modified()}

    def _restrictions(self) -> _Open:
        """What makes npm say why a version is missing (npm-pick-manifest)."""
        reasons = {version: reason for version, reason in self._view.reasons if version in self._versions}
        if not reasons:
            return {}
        told = [*reasons.values()][-_MOST_REASONS:]
        if len(reasons) > len(told):
            told.append(f"and {len(reasons) - len(told)} more versions")
        versions = {version: {"name": self._package, "version": version} for version in reasons}
        return {"policyRestrictions": {"message": "\n".join(told), "versions": versions}}

    def _modified(self) -> str:
        """When upstream last changed the package; where it does not say, or where we hide what it changed, when the
        newest version that is shown was published."""
        time = self._read("time", dict[str, object], {})
        value = time.get("modified") or self._read("modified", object, None)
        stated = value if isinstance(value, str) else ""
        dates = [(moment, str(time[name])) for name in self._shown if (moment := _moment(time.get(name)))]
        return max(dates)[1] if dates and (self._hides or not stated) else stated

    def _shortened(self, name: str, version: _Raw) -> _Open:
        short = self._linked(name, {key: raw for key, raw in version.items() if key in _INSTALL_FIELDS})
        if "hasInstallScript" not in short and _installs(version.get("scripts")):
            short["hasInstallScript"] = True
        return short

    def _linked(self, name: str, version: _Raw) -> _Open:
        """The version with its links pointing at us; integrity, shasum and signatures are never touched."""
        linked: _Open = dict(version)
        raw = version.get("dist")
        if raw is None or bytes(raw) == b"null":
            return linked
        fields = decode(raw, _Raw, self._url)
        dist: _Open = dict(fields)
        if "tarball" in fields:
            dist["tarball"] = self._tarball_link(name, decode(fields["tarball"], str, self._url))
        if "attestations" in fields:
            dist["attestations"] = self._attestations(fields["attestations"])
        return linked | {"dist": dist}

    def _tarball_link(self, version: str, url: str) -> str:
        # What we may not fetch has a link all the same, which is answered 404 with a reason: nobody bypasses us.
        location = self._locator.find(url)
        name = tarball_name(self._package, version, location.path if location else "")
        return f"{self._view.base}/{self._package}/-/{name}"

    def _attestations(self, raw: msgspec.Raw) -> object:
        fields = decode(raw, _Raw, self._url)
        url = decode(fields.get("url", msgspec.Raw(b'""')), str, self._url)
        _, found, subject = unquote(url).partition(_ATTESTATIONS)
        name, _, version = subject.rpartition("@")
        if not found or name != self._package or not is_version(version):
            return raw
        # npm keeps only the path of this URL and resolves it against the registry's origin (pacote, registry.js), so
        # our mount must be part of it.
        return fields | {"url": f"{self._view.base}{_ATTESTATIONS}{escape(name)}@{version}"}

    def _read(self, name: str, shape: type[_Shape], default: _Shape) -> _Shape:
        raw = self._top.get(name)
        return default if raw is None else decode(raw, shape, self._url)


class _Locator:
    """Finds where links of one document lead; remembers the origins, because thousands of links share them."""

    def __init__(self, document: Document) -> None:
        self._url, self._upstream = document.url, document.upstream
        self._origins: dict[str, str | None] = {}

    def find(self, link: str) -> Location | None:
        match = _ABSOLUTE.match(link) or _ABSOLUTE.match(self._joined(link))
        if not match:
            return None
        site, path = match.groups()
        if site not in self._origins:
            place = locate(f"{site}/", self._upstream)
            self._origins[site] = place.origin if place else None
        origin = self._origins[site]
        return Location(origin, path) if origin and is_listable(path) else None

    def _joined(self, link: str) -> str:
        try:
            return urljoin(self._url, link) if link else ""
        except ValueError:
            return ""


def _installs(raw: msgspec.Raw | None) -> bool:
    """Whether npm runs something at installation. What is not an object (old documents have such) is no script."""
    if raw is None:
        return False
    try:
        scripts = msgspec.json.decode(raw, type=_Scripts)
    except msgspec.ValidationError:
        return False
    return any((scripts.preinstall, scripts.install, scripts.postinstall))


def read_shasum(shasum: str | None) -> tuple[Digest, ...]:
    """The SHA-1 of old documents."""
    digest = parse_hex("sha1", shasum or "")
    return (digest,) if digest else ()


def _moment(text: object) -> datetime | None:
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def decode(body: bytes | msgspec.Raw, shape: type[_Shape], url: str) -> _Shape:
    """A document, or a value in it. Raises UnreadableIndex, which names `url`."""
    try:
        return msgspec.json.decode(body, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableIndex(f"{url}: not a package document: {error}") from error
