"""Plain files: any tree that is served over HTTP."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import ClassVar
from urllib.parse import urlsplit

from entrepot.contracts.closure import Closure, Need
from entrepot.contracts.ecosystem import Client, Ecosystem, Limits
from entrepot.ecosystems.generic_groups import read_groups
from entrepot.ecosystems.generic_options import Place, Rule, read_pins, read_rules, read_side_files, read_unmatched
from entrepot.ecosystems.generic_sums import read_sums
from entrepot.errors import BadRequest, DigestMismatch, MethodRefused, Refused, UnreadableIndex
from entrepot.model.digest import Digest, strongest_first
from entrepot.model.listing import Listing
from entrepot.model.names import ReservedNames
from entrepot.model.paths import decode_segment, encode_segment
from entrepot.model.patterns import RegexSet
from entrepot.model.purl import Purl
from entrepot.model.release import Document, Location, Release, ReleaseFile
from entrepot.model.resource import BASE, Kind, Request, Resource
from entrepot.model.selection import Extent, Selection
from entrepot.model.versions import NATURAL, VersionOrder

_QUERY = re.compile(r"[!\"$-~]*\Z")


class Generic(Ecosystem):
    """A tree of files. Inside this class, a path is decoded and has a leading slash."""

    name: ClassVar[str] = "generic"
    title: ClassVar[str] = "Plain files"
    token_hint: ClassVar[str] = "send it as a password: curl --user me:TOKEN, or a line in ~/.netrc"
    purl_types: ClassVar[tuple[str, ...]] = ("generic",)
    versions: ClassVar[VersionOrder] = NATURAL
    limits: ClassVar[Limits] = Limits(parsed_index_bytes=64 << 20)
    clients: ClassVar[tuple[Client, ...]] = (
        Client(name="curl", command="curl", setup="curl -fLO {url}/path/to/file"),
        Client(name="wget", command="wget", setup="wget {url}/path/to/file"),
    )
    option_names: ClassVar[Mapping[str, str]] = {
        "rules": "List of { path, class, mutable_ttl }: the class (immutable, mutable, uncacheable) of the paths that "
        "an expression matches as a whole; the first that matches decides.",
        "unmatched": 'What a path that nothing here names gets: "allow" (it is mutable) or "deny".',
        "checksums": 'Table of path or glob to "sha256:…": files that must have this digest.',
        "side_files": "Where digests are published: templates such as {path}.sha256 or {dir}/SHA256SUMS, or tables "
        "{ path, file } that apply to the paths an expression matches.",
        "groups": "List of { root, members }: files that are replaced together. An expression for the root with named "
        "groups, and one for its members in which those stand in braces.",
    }

    def __init__(self, options: Mapping[str, object] | None = None, reserved: ReservedNames | None = None) -> None:
        super().__init__(options, reserved)
        self._rules = read_rules(self.options.get("rules", []))
        self._rule_paths = RegexSet([rule.path for rule in self._rules])
        self._allows_unmatched = read_unmatched(self.options.get("unmatched", "allow"))
        self._pins = read_pins(self.options.get("checksums", {}))
        self._side_files = read_side_files(self.options.get("side_files", []))
        self._groups = read_groups(self.options.get("groups", []))

    def listing(self, request: Request) -> Listing | None:
        """Never: files have no versions, and any path may be one of the tree."""
        return None

    def route(self, request: Request) -> Resource:
        if request.method not in ("GET", "HEAD"):
            raise MethodRefused(request.method)
        if not _QUERY.match(request.query):
            raise BadRequest("a query may only hold visible ASCII")
        return self._resource_at(_decode(request.path), request.query)

    def _resource_at(self, path: str, query: str = "") -> Resource:
        key = _encode(path)
        plain = Resource(key=key, path=key, query=query, kind=Kind.SIGNED, about=path[1:], must_be_listed=False)
        digest = self._pinned(path)
        if digest:
            return replace(plain, kind=Kind.ARTIFACT, digest=digest)
        rule = self._rule_for(path)
        if self._place_of(path):
            # What says how other files must be is asked for anew, whatever a broad rule makes of it.
            return replace(plain, mutable_ttl=rule.mutable_ttl if rule else None)
        if rule is None and not self._allows_unmatched:
            raise Refused(f"{path}: no rule of this repository names it (unmatched = deny)")
        return self._classified(plain, path, rule)

    def _classified(self, plain: Resource, path: str, rule: Rule | None) -> Resource:
        match rule.kind if rule else Kind.SIGNED:
            case Kind.PASS:
                return replace(plain, kind=Kind.PASS)
            case Kind.ARTIFACT if not path.endswith("/"):
                return replace(plain, kind=Kind.ARTIFACT, listed_in=None if plain.query else self._side_file_of(path))
            case _ if root := self._root_of(path, plain):
                return replace(plain, mutable_ttl=rule.mutable_ttl if rule else None, snapshot=_encode(root))
            case _:
                # A listing changes with every file that comes, also where a rule says that the files do not.
                return replace(plain, mutable_ttl=rule.mutable_ttl if rule else None)

    def _root_of(self, path: str, plain: Resource) -> str | None:
        """The root of the group that a mutable file is published with; None for what changes by itself."""
        if plain.query or path.endswith("/"):
            return None
        root = next((found for group in self._groups if (found := group.root_of(path))), None)
        return root if root and (root == path or self._is_mutable(root)) else None

    def _is_mutable(self, path: str) -> bool:
        """Whether it is asked about again, and not only in the course of checking other files."""
        if self._pinned(path) or self._place_of(path):
            return False
        rule = self._rule_for(path)
        return self._allows_unmatched if rule is None else rule.kind is Kind.SIGNED

    def _pinned(self, path: str) -> Digest | None:
        return next((pin.digest for pin in self._pins if pin.names(path)), None)

    def _rule_for(self, path: str) -> Rule | None:
        return next((self._rules[number] for number in self._rule_paths.matching(path)), None)

    def _place_of(self, path: str) -> Place | None:
        """What the side file at this path is for; None for what is no side file."""
        return next((place for side in self._side_files if (place := side.place_of(path))), None)

    def _side_file_of(self, path: str) -> Resource | None:
        beside = next((found for side in self._side_files if (found := side.beside(path))), None)
        return self._resource_at(beside) if beside else None

    def select(self, purl: Purl, extent: Extent) -> Selection:
        """`download_url` tells the file: whoever chose this repository left the path below its upstream of it."""
        place = purl.qualifier("download_url")
        if not place or "://" in place:
            problem = (
                f"no repository of plain files has an upstream that {place} is below"
                if place
                else "a package of plain files is told by its download_url, like pkg:generic/tool@1.0?download_url=…"
            )
            raise BadRequest(f"{purl}: {problem}")
        return Selection(package=place, version=purl.version, extent=extent)

    def closure(self, selection: Selection) -> Closure:
        """The one file that a download_url names, and the side file that tells its digest."""
        path, _, query = selection.package.partition("?")
        resource = self.route(Request(method="GET", path=path, query=query))
        digest = next(iter(selection.digests), None)
        if resource.digest and digest and resource.digest.algorithm == digest.algorithm and resource.digest != digest:
            raise DigestMismatch(path, str(digest), str(resource.digest))
        if resource.listed_in:
            yield Need(resource=resource.listed_in, absent="maybe")
        yield Need(resource=replace(resource, digest=resource.digest or digest))

    def purl_of(self, resource: Resource, version: str) -> Purl | None:
        """Named by its path below the upstream, wherever that is."""
        place = f"{resource.key}?{resource.query}" if resource.query else resource.key
        plain = super().purl_of(resource, version)
        return replace(plain, qualifiers=(("download_url", place),)) if plain is not None else None

    def billed_as(self, resource: Resource) -> str:
        path = f"/{resource.about}"
        return "" if path.endswith("/") or self._place_of(path) else path.rpartition("/")[2]

    def releases(self, document: Document) -> Iterator[Release]:
        """What a checksum file says of the files it names. Raises UnreadableIndex for one that says nothing."""
        place = self._place_of(_decode(document.place))
        if place is None:
            return
        found: dict[str, list[Digest]] = {}
        for name, digest in read_sums(_read_text(document)):
            path = place.path_of(name)
            if path:
                found.setdefault(path, []).append(digest)
        if not found:
            raise UnreadableIndex(f"{document.place}: no checksum of a file it should name is in it")
        root = urlsplit(document.upstream).path.rstrip("/")
        for path, digests in found.items():
            location = Location(BASE, f"{root}/{_encode(path)}")
            file = ReleaseFile(name=path[1:], location=location, digests=strongest_first(digests))
            yield Release(package=path[1:], version="", files=(file,))

    def link(self, package: str, file: ReleaseFile) -> str:
        return _encode(f"/{file.name}")


def _decode(raw: str) -> str:
    """Raises BadRequest. A slash at the end is part of the name; no other empty segment is."""
    if not raw:
        return "/"
    folder = raw.endswith("/")
    segments = (raw[:-1] if folder else raw).split("/")
    return "/" + "/".join(map(decode_segment, segments)) + ("/" if folder else "")


def _encode(path: str) -> str:
    return "/".join(map(encode_segment, path[1:].split("/")))


def _read_text(document: Document) -> str:
    try:
        return document.body.read().decode()
    except UnicodeDecodeError as error:
        raise UnreadableIndex(f"{document.place}: not UTF-8 text") from error
