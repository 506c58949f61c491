"""Whether every stored artifact is what its registry published: our own reading of indexes, our own hashing."""

import base64
import gzip
import hashlib
import json
import lzma
import re
import sqlite3
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from html import unescape
from io import BytesIO
from pathlib import Path
from urllib.parse import unquote, urlsplit

from entrepot.storage.filesystem import FilesystemBlobs
from tests.live.house import House

Published = dict[str, set[str]]
"""The key of a file, or the part of it that the index tells, to its digests as `algorithm:hex` or `h1:base64`."""


@dataclass(slots=True, kw_only=True)
class Comparison:
    agree: int = 0
    differ: list[str] = field(default_factory=list)
    unpublished: list[str] = field(default_factory=list)
    """Keys of artifacts for which no index names a digest."""


@dataclass(frozen=True, slots=True)
class Stored:
    key: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Registry:
    """How to read one kind of repository."""

    is_index: Callable[[str], bool]
    is_artifact: Callable[[str], bool]
    published: Callable[[Stored], Iterator[tuple[str, str]]]
    """An index to the names and digests of its files."""
    name_of: Callable[[str], str]
    """An artifact's key to the name under which `published` tells of it."""


def compare(repository: str, house: House) -> Comparison:
    """Walks the catalog of a running server, from its database file and its blobs."""
    registry = REGISTRIES[repository]
    keys = _keys(house.data / "catalog.db", repository)
    blobs = FilesystemBlobs(house.data)
    published: Published = {}
    for key, sha256 in keys.items():
        if registry.is_index(key):
            for name, digest in registry.published(Stored(key, _read(blobs, sha256))):
                published.setdefault(name, set()).add(digest)
    result = Comparison()
    for key, sha256 in keys.items():
        if registry.is_artifact(key):
            _compare_one(result, key, _read(blobs, sha256), published.get(registry.name_of(key)))
    return result


def _compare_one(result: Comparison, key: str, body: bytes, digests: set[str] | None) -> None:
    if not digests:
        result.unpublished.append(key)
    elif all(_digest(digest.partition(":")[0], key, body) == digest for digest in digests):
        result.agree += 1
    else:
        result.differ.append(key)


def _keys(catalog: Path, repository: str) -> dict[str, str]:
    with closing(sqlite3.connect(f"file:{catalog}?mode=ro", uri=True)) as connection:
        wanted = "SELECT key, sha256 FROM entries WHERE repository = ? AND sha256 != x''"
        rows = connection.execute(wanted, (repository,))
        return {key: sha256.hex() for key, sha256 in rows}


def _read(blobs: FilesystemBlobs, sha256: str) -> bytes:
    opened = blobs.open(sha256)
    assert opened is not None, f"the catalog names {sha256}, the store does not have it"
    with closing(opened):
        return opened.read(0, opened.size_bytes)


# --- digests ----------------------------------------------------------------------------------------------------------


def _digest(algorithm: str, key: str, body: bytes) -> str:
    if algorithm != "h1":
        return f"{algorithm}:{hashlib.new(algorithm, body, usedforsecurity=False).hexdigest()}"
    return f"h1:{_hash1(_members(key, body))}"


def _hash1(members: list[tuple[str, bytes]]) -> str:
    """golang.org/x/mod/sumdb/dirhash, Hash1."""
    lines = "".join(f"{hashlib.sha256(body).hexdigest()}  {name}\n" for name, body in sorted(members))
    return base64.b64encode(hashlib.sha256(lines.encode()).digest()).decode()


def _members(key: str, body: bytes) -> list[tuple[str, bytes]]:
    if key.endswith(".mod"):
        return [("go.mod", body)]
    with zipfile.ZipFile(BytesIO(body)) as archive:
        return [(name, archive.read(name)) for name in archive.namelist()]


# --- indexes ----------------------------------------------------------------------------------------------------------

_ANCHOR = re.compile(r"<a\s[^>]*>", re.IGNORECASE)
_HREF = re.compile(r'href="(?P<url>[^"#]*)#sha256=(?P<sha256>[0-9a-f]{64})"')
_METADATA = re.compile(r'data-(?:core|dist-info)-metadata="sha256=(?P<sha256>[0-9a-f]{64})"')


def _of_simple_page(page: Stored) -> Iterator[tuple[str, str]]:
    """PEP 691 JSON or PEP 503 HTML, as upstream sent it."""
    text = page.body.decode()
    if not text.lstrip().startswith("{"):
        yield from _of_anchors(text)
        return
    for file in json.loads(text)["files"]:
        yield file["filename"], f"sha256:{file['hashes']['sha256']}"
        metadata = file.get("core-metadata") or file.get("data-dist-info-metadata")
        if isinstance(metadata, dict):
            yield f"{file['filename']}.metadata", f"sha256:{metadata['sha256']}"


def _of_anchors(text: str) -> Iterator[tuple[str, str]]:
    for anchor in _ANCHOR.findall(text):
        link = _HREF.search(anchor)
        if link:
            name = _last(urlsplit(unescape(link["url"])).path)
            yield name, f"sha256:{link['sha256']}"
            metadata = _METADATA.search(anchor)
            if metadata:
                yield f"{name}.metadata", f"sha256:{metadata['sha256']}"


def _of_packument(packument: Stored) -> Iterator[tuple[str, str]]:
    document = json.loads(packument.body)
    for version in document["versions"].values():
        dist = version["dist"]
        name = f"{document['name']}/-/{_last(urlsplit(dist['tarball']).path)}"
        for word in dist.get("integrity", "").split():
            algorithm, _, value = word.partition("-")
            yield name, f"{algorithm}:{base64.b64decode(value).hex()}"
        if "shasum" in dist:
            yield name, f"sha1:{dist['shasum']}"


_RECORD = re.compile(r"^(?P<module>\S+) (?P<version>[^\s/]+)(?P<mod>/go\.mod)? (?P<digest>h1:\S+)$", re.MULTILINE)


def _of_lookup(lookup: Stored) -> Iterator[tuple[str, str]]:
    for line in _RECORD.finditer(lookup.body.decode()):
        path = re.sub("[A-Z]", lambda capital: f"!{capital[0].lower()}", f"{line['module']}/@v/{line['version']}")
        yield f"{path}.{'mod' if line['mod'] else 'zip'}", line["digest"]


def _of_index_file(index: Stored) -> Iterator[tuple[str, str]]:
    for line in map(json.loads, index.body.splitlines()):
        yield f"crates/{line['name']}/{line['vers']}/{line['cksum']}", f"sha256:{line['cksum']}"


def _of_side_file(side: Stored) -> Iterator[tuple[str, str]]:
    """The digest is its first word; some have a file name behind it."""
    yield side.key.removesuffix(".sha1"), f"sha1:{side.body.decode().split()[0]}"


_PACKAGE = re.compile(r"^Filename: (?P<path>\S+)$.*?^SHA256: (?P<sha256>[0-9a-f]{64})$", re.MULTILINE | re.DOTALL)


def _of_packages(index: Stored) -> Iterator[tuple[str, str]]:
    """Whatever it is packed in; a name by digest does not tell."""
    packing = {b"\xfd7zXZ": lzma.decompress, b"\x1f\x8b": gzip.decompress}
    unpack = next((read for magic, read in packing.items() if index.body.startswith(magic)), bytes)
    for stanza in unpack(index.body).decode(errors="replace").split("\n\n"):
        if told := _PACKAGE.search(stanza):
            yield told["path"], f"sha256:{told['sha256']}"


def _last(path: str) -> str:
    return unquote(path.rpartition("/")[2])


REGISTRIES = {
    "pypi": Registry(
        is_index=lambda key: key.startswith("simple/"),
        is_artifact=lambda key: key.endswith((".whl", ".tar.gz", ".zip", ".metadata")),
        published=_of_simple_page,
        name_of=_last,
    ),
    "npm": Registry(
        is_index=lambda key: "/-/" not in f"/{key}",
        is_artifact=lambda key: key.endswith(".tgz"),
        published=_of_packument,
        name_of=unquote,
    ),
    "go": Registry(
        is_index=lambda key: key.startswith("sumdb/") and "/lookup/" in key,
        is_artifact=lambda key: key.endswith((".zip", ".mod")) and not key.startswith("sumdb/"),
        published=_of_lookup,
        name_of=unquote,
    ),
    "cargo": Registry(
        is_index=lambda key: key != "config.json" and not key.startswith("crates/"),
        is_artifact=lambda key: key.startswith("crates/"),
        published=_of_index_file,
        name_of=unquote,
    ),
    "maven": Registry(
        is_index=lambda key: key.endswith(".sha1") and "maven-metadata" not in key,
        is_artifact=lambda key: key.endswith((".jar", ".pom")),
        published=_of_side_file,
        name_of=str,
    ),
    "debian": Registry(
        is_index=lambda key: "/by-hash/" in key or "/Packages" in key,
        is_artifact=lambda key: key.endswith(".deb"),
        published=_of_packages,
        name_of=unquote,
    ),
}
