"""Go modules: the GOPROXY protocol (https://go.dev/ref/mod#goproxy-protocol) with its checksum database."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import BinaryIO, ClassVar, Literal
from urllib.parse import urlsplit

from packageurl.contrib.purl2url import get_download_url

from entrepot.contracts.closure import Closure
from entrepot.contracts.ecosystem import Client, Ecosystem, FoundAt, Limits, Lockfile, View
from entrepot.ecosystems.golang_closure import close, select
from entrepot.ecosystems.golang_documents import check_info, read_info, read_list, read_text, shown_list
from entrepot.ecosystems.golang_env import database_name, proxy_in
from entrepot.ecosystems.golang_hash import MAX_ZIP_BYTES, hash_mod, hash_zip
from entrepot.ecosystems.golang_locks import read_mod_lock, read_sums
from entrepot.ecosystems.golang_names import (
    escape,
    is_canonical,
    is_module_path,
    is_pseudo,
    newest_first,
    unescape,
)
from entrepot.ecosystems.golang_proofs import settle
from entrepot.ecosystems.golang_questions import LATEST, LIST, Questions, file_key
from entrepot.ecosystems.golang_sumdb import (
    database_resource,
    is_database_name,
    lookup_subject,
    read_lookup,
    split_name,
)
from entrepot.errors import Absent, ConfigError, EntrepotError, MethodRefused, NotServed, Refused
from entrepot.model.digest import Digest
from entrepot.model.listing import Listing
from entrepot.model.names import ReservedNames
from entrepot.model.paths import decode_segment
from entrepot.model.patterns import Glob, parse_glob
from entrepot.model.purl import Purl
from entrepot.model.release import Document, Location, Release, ReleaseFile, Rendered
from entrepot.model.resource import BASE, Reply, Request, Resource
from entrepot.model.selection import Extent, Selection
from entrepot.model.versions import GO, VersionOrder

# strconv.ParseBool: the words with which clients say `Disable-Module-Fetch`.
_TRUE = frozenset({"1", "t", "T", "true", "TRUE", "True"})
_SENTINEL = "v1.0.0"
# The go command shows a text of at most 648 bytes, and none at all with a character that does not print.
_SHOWN_CHARACTERS = 600
_TEXT = "text/plain; charset=UTF-8"
_NOT_SHOWN = re.compile(r"[^ -~]+")


class Golang(Ecosystem):
    """A Go module proxy."""

    name: ClassVar[str] = "golang"
    title: ClassVar[str] = "Go modules"
    token_hint: ClassVar[str] = (
        "put it into ~/.netrc (machine {host} login me password TOKEN); go sends it over https only"
    )
    purl_types: ClassVar[tuple[str, ...]] = ("golang",)
    versions: ClassVar[VersionOrder] = GO
    revision: ClassVar[int] = 2
    dates: ClassVar[Literal["registry", "author", "none"]] = "author"
    hashes_are_of_files = False
    limits: ClassVar[Limits] = Limits(parsed_index_bytes=64 << 20, artifact_bytes=MAX_ZIP_BYTES)
    lockfiles: ClassVar[tuple[Lockfile, ...]] = (
        Lockfile(name="go.sum", remedy="go.sum never names an address.", read=read_sums),
        Lockfile(name="go.work.sum", remedy="go.work.sum never names an address.", read=read_sums),
        Lockfile(name="go.mod", remedy="go.mod never names an address.", read=read_mod_lock),
    )
    settled: ClassVar[str] = "sumdb/"
    option_names: ClassVar[Mapping[str, str]] = {
        "sumdb": "The checksum database (`name` or `name+hash+key`, as in GOSUMDB) whose digests downloads must have; "
        "empty or `off`: none.",
        "sumdbs": "Further checksum databases that are passed on; others are not.",
        "nosumdb": "Globs, as in GONOSUMDB, of modules whose names never reach a checksum database.",
    }
    clients: ClassVar[tuple[Client, ...]] = (
        Client(
            name="go",
            command="go",
            variables={"GOPROXY": "{url}"},
            asks=(("go", "env", "GOPROXY"),),
            found_at=(
                FoundAt(path="$GOENV", read=proxy_in),
                FoundAt(path="~/.config/go/env", read=proxy_in),
                FoundAt(path="~/Library/Application Support/go/env", read=proxy_in),
                FoundAt(path="$GOROOT/go.env", read=proxy_in),
            ),
            further=("GOPRIVATE", "GONOPROXY"),
            setup="go env -w GOPROXY={url}",
        ),
    )

    def __init__(self, options: Mapping[str, object] | None = None, reserved: ReservedNames | None = None) -> None:
        super().__init__(options, reserved)
        database = _read_database(self.options.get("sumdb", ""))
        self._databases = _read_databases(self.options.get("sumdbs"), database)
        known = dict.fromkeys(name for name in (database, *sorted(self._databases or ())) if name)
        unchecked = _read_globs(self.options.get("nosumdb", []))
        self._questions = Questions(
            databases=tuple(known), checks=bool(database), unchecked=unchecked, reserved=self.reserved
        )

    @classmethod
    def default_upstream(cls) -> str | None:
        """Read off the download URL that the public table gives for a made-up module."""
        known = get_download_url(f"pkg:golang/a.example/b@{_SENTINEL}")  # type: ignore[no-untyped-call]
        return known.removesuffix(f"a.example/b/@v/{_SENTINEL}.zip").rstrip("/") if known else None

    def spelled(self, package: str) -> str:
        return escape(package)

    def listing(self, request: Request) -> Listing | None:
        """Also where Athens has it: a module's path has a dot in its first element."""
        return Listing.at(request) or super().listing(request)

    def route(self, request: Request) -> Resource:
        if request.method not in ("GET", "HEAD"):
            raise MethodRefused(request.method)
        segments = [decode_segment(raw) for raw in request.path.split("/")]
        stored_only = segments[0] == "cached-only" or request.headers.get("disable-module-fetch") in _TRUE
        if segments[0] == "cached-only":
            segments = segments[1:]
        resource = self._route_database(segments[1:]) if segments[:1] == ["sumdb"] else self._route_module(segments)
        return _stored_only(resource) if stored_only else resource

    def _route_module(self, segments: list[str]) -> Resource:
        if segments[-1:] == [LATEST]:
            return self._questions.latest_of(_module_of(segments[:-1]))
        if len(segments) < 3 or segments[-2] != "@v":
            raise NotServed(f"{'/'.join(segments)[:200]}: no question of the Go module proxy protocol")
        module, file = _module_of(segments[:-2]), segments[-1]
        if file == "list":
            return self._questions.list_of(module)
        stem, _, extension = file.rpartition(".")
        version = unescape(stem)
        if extension not in ("info", "mod", "zip") or version is None:
            raise NotServed(f"{module}: {file[:200]!r} is no file of a module version")
        return self._questions.file(module, version, extension)

    def _route_database(self, segments: list[str]) -> Resource:
        name, question = split_name(segments)
        if self._databases is not None and name not in self._databases:
            raise NotServed(f"{name}: no checksum database of this repository")
        subject = lookup_subject(question) if question.startswith("lookup/") else None
        rule = self._questions.private_by(subject[0]) if subject else ""
        if subject and rule:
            raise Refused(f"{subject[0]}: its name is private ({rule}), no checksum database is asked about it")
        return database_resource(name, question)

    def index_of(self, package: str) -> Resource:
        return self._questions.list_of(package)

    def releases(self, document: Document) -> Iterator[Release]:
        """The versions of a list, the version of an `.info`, the digests of a lookup."""
        place = document.place
        if place.startswith("sumdb/"):
            return _read_digests(document) if "/lookup/" in place else iter(())
        if place.endswith(f"/{LIST}"):
            return read_list(document, place.removesuffix(f"/{LIST}"))
        if place.endswith((".info", f"/{LATEST}")):
            return iter((read_info(document),))
        return iter(())

    def link(self, package: str, file: ReleaseFile) -> str:
        version, _, extension = file.name.rpartition(".")
        return file_key(package, version, extension)

    def dated_by(self, package: str, version: str) -> Resource | None:
        return self._questions.info_of(package, version) if is_canonical(package, version) else None

    def announced_in(self, package: str, version: str) -> Resource | None:
        return None if is_pseudo(version) else self._questions.list_of(package)

    def others_than(self, resource: Resource) -> Resource | None:
        return self._questions.list_of(resource.about) if resource.key.endswith(f"/{LATEST}") else None

    def newest_of(self, versions: Iterable[str]) -> str | None:
        """A release before a pre-release, and what has a go.mod before what has none, as the go command has it."""
        return next(iter(newest_first(versions)), None)

    def select(self, purl: Purl, extent: Extent) -> Selection:
        return select(purl, extent)

    def closure(self, selection: Selection) -> Closure:
        return close(self._questions, selection)

    def settlement(self, keys: Iterable[str]) -> Closure:
        return settle(keys)

    def purl_of(self, resource: Resource, version: str) -> Purl | None:
        """What a checksum database says is no part of a program."""
        return None if resource.key.startswith("sumdb/") else super().purl_of(resource, version)

    def billed_as(self, resource: Resource) -> str:
        """A go.mod is part of what a build used, though the go command reads those of many versions it does not use."""
        extension = resource.key.rpartition(".")[2]
        return f"{resource.version}.{extension}" if extension in ("mod", "zip") and resource.version else ""

    def render(self, resource: Resource, documents: Sequence[Document], view: View) -> Rendered | None:
        """Lists. A document about one version has nothing left where that is hidden."""
        if resource.key.endswith(f"/{LIST}"):
            shown = shown_list(documents[0], view.hidden)
            return None if shown is None else Rendered(body=shown, content_type=_TEXT)
        if view.hidden:
            raise Absent(resource.key)
        return None

    def examine(self, resource: Resource, document: Document) -> None:
        check_info(document, resource.version)

    def check(self, resource: Resource, file: BinaryIO, published: Digest) -> Digest | None:
        if published.algorithm != "h1":
            return None
        return (hash_zip if resource.key.endswith(".zip") else hash_mod)(file, resource.key)

    def problem(self, error: EntrepotError) -> Reply:
        """Plain text in one printable line: what the go command shows. 410 stays 410."""
        status = 410 if isinstance(error, Absent) and error.gone else error.status
        text = _NOT_SHOWN.sub(" ", str(error))[:_SHOWN_CHARACTERS]
        return Reply(status=status, body=f"{text}\n".encode())


def _module_of(segments: list[str]) -> str:
    module = unescape("/".join(segments))
    if module is None or not is_module_path(module):
        raise NotServed(f"{'/'.join(segments)[:200]!r}: malformed module path")
    return module


def _stored_only(resource: Resource) -> Resource:
    listed_in = replace(resource.listed_in, cached_only=True) if resource.listed_in else None
    return replace(resource, cached_only=True, listed_in=listed_in)


def _read_digests(document: Document) -> Iterator[Release]:
    root = urlsplit(document.upstream).path.rstrip("/")
    for module, version, extension, digest in read_lookup(read_text(document), document.place):
        location = Location(BASE, f"{root}/{file_key(module, version, extension)}")
        file = ReleaseFile(name=f"{version}.{extension}", location=location, digests=(digest,))
        yield Release(package=module, version=version, files=(file,))


def _read_database(value: object) -> str:
    name = database_name(value) if isinstance(value, str) else ""
    if not isinstance(value, str) or (name and not is_database_name(name)):
        raise ConfigError(f"golang: sumdb = {value!r} names no checksum database; write `name` or `name+hash+key`")
    return name


def _read_databases(value: object, first: str) -> frozenset[str] | None:
    """The databases that are passed on; None where none is named: then upstream decides."""
    if value is None:
        return frozenset({first}) if first else None
    if not isinstance(value, list | tuple) or not all(isinstance(one, str) and one for one in value):
        raise ConfigError(f'golang: sumdbs = {value!r} is not a list of checksum databases; write ["sum.example"]')
    return frozenset([*map(_read_database, value), *([first] if first else ())])


def _read_globs(value: object) -> tuple[Glob, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(glob, str) for glob in value):
        raise ConfigError(f'golang: nosumdb = {value!r} is not a list of globs; write ["corp.example/*"]')
    return tuple(parse_glob(glob, "golang: nosumdb") for glob in value)
