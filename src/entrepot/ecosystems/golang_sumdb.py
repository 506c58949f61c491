"""The checksum database's part of the Go module proxy protocol (golang.org/x/mod/sumdb)."""

import re
from collections.abc import Iterator

from entrepot.ecosystems.golang_names import escape, is_canonical, is_module_path, unescape
from entrepot.errors import NotServed, UnreadableIndex
from entrepot.model.digest import Digest
from entrepot.model.resource import Kind, Resource

# A lookup's lines never change, and an old tree head in it is as good as a new one: clients prove both consistent.
LOOKUP_TTL = 30 * 86400.0
SUPPORTED_TTL = 3600.0
_USUAL_HEIGHT = 8
_HASH_BYTES = 32
_NAME = re.compile(r"[A-Za-z0-9_~-][A-Za-z0-9._~:-]*(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*\Z")
_TILE = re.compile(
    r"tile/(?P<height>[1-9][0-9]?)/(?:data|(?P<level>0|[1-9][0-9]?))"
    r"/(?!x000/)(?:x[0-9]{3}/){0,6}[0-9]{3}(?:\.p/(?P<width>[1-9][0-9]{0,9}))?\Z"
)
_RECORD = re.compile(r"(?P<module>\S+) (?P<version>[^\s/]+)(?P<mod>/go\.mod)? h1:(?P<hash>[A-Za-z0-9+/]{43}=)\Z")
# golang.org/x/mod/sumdb/tlog, ParseTree. No tree comes near 10¹⁵ records.
_HEAD = re.compile(r"go\.sum database tree\n(?P<size>0|[1-9][0-9]{0,15})\n[A-Za-z0-9+/]{43}=\n")


def is_database_name(name: str) -> bool:
    return bool(_NAME.match(name))


def split_name(segments: list[str]) -> tuple[str, str]:
    """A database's name, which may hold slashes, and what is asked of it."""
    for end in range(1, len(segments)):
        name, question = "/".join(segments[:end]), "/".join(segments[end:])
        if is_database_name(name) and _is_question(question):
            return name, question
    raise NotServed("/".join(segments)[:200] + ": no question that a checksum database answers")


def _is_question(text: str) -> bool:
    if text in ("supported", "latest"):
        return True
    return lookup_subject(text) is not None if text.startswith("lookup/") else _is_tile(text)


def _is_tile(text: str) -> bool:
    """ParseTilePath: any other spelling of a tile's coordinates is refused."""
    found = _TILE.match(text)
    if not found or int(found["height"]) > 30 or int(found["level"] or 0) > 63:
        return False
    return not found["width"] or int(found["width"]) < 1 << int(found["height"])


def lookup_subject(question: str) -> tuple[str, str] | None:
    """The module and version that a lookup is for; None where it is malformed."""
    module, _, version = question.removeprefix("lookup/").rpartition("@")
    path, plain = unescape(module), unescape(version)
    if path is None or plain is None or not is_module_path(path) or not is_canonical(path, plain):
        return None
    return path, plain


def database_resource(name: str, question: str) -> Resource:
    """A checksum database's answer. All are one owner's: its lookups and tiles must come from one upstream."""
    key = f"sumdb/{name}/{question}"
    ttl = {"supported": SUPPORTED_TTL, "latest": None}.get(question, LOOKUP_TTL)
    if question.startswith("tile/"):
        begins, size = _wider_tiles(question)
        wider = tuple(f"sumdb/{name}/{tile}" for tile in begins)
        return Resource(key=key, path=key, kind=Kind.ARTIFACT, about=name, begins=wider, size_bytes=size)
    return Resource(key=key, path=key, kind=Kind.SIGNED, about=name, mutable_ttl=ttl)


def _wider_tiles(question: str) -> tuple[tuple[str, ...], int | None]:
    """The tiles that begin with a partial tile of hashes, and its bytes. Which partial tiles clients ask for depends on
    when each lookup was answered: with the same ones stored, another order of questions asks for narrower tiles."""
    found = _TILE.match(question)
    if not found or not found["width"] or found["level"] is None or int(found["height"]) > _USUAL_HEIGHT:
        return (), None
    whole, _, _ = question.rpartition(".p/")
    width = int(found["width"])
    wider = range(width + 1, 1 << int(found["height"]))
    return (whole, *(f"{whole}.p/{one}" for one in wider)), width * _HASH_BYTES


def lookup_of(name: str, module: str, version: str) -> Resource:
    """The lookup that tells a version's digests."""
    return database_resource(name, f"lookup/{escape(module)}@{escape(version)}")


def read_place(text: str, place: str) -> tuple[int, int]:
    """A lookup's record, and the records of the tree that its signed head is of. Raises UnreadableIndex."""
    number, _, rest = text.partition("\n")
    head = _HEAD.match(rest.partition("\n\n")[2])
    if not head:
        raise UnreadableIndex(f"{place}: it has no signed head of a tree")
    size = int(head["size"])
    if not number.isdecimal() or int(number) >= size:
        raise UnreadableIndex(f"{place}: record {number[:20]!r} is in no tree of {size} records")
    return int(number), size


def read_lookup(text: str, place: str) -> Iterator[tuple[str, str, str, Digest]]:
    """The module, version, file extension and digest of each line of a lookup. Raises UnreadableIndex."""
    number, _, rest = text.partition("\n")
    record, blank, _ = rest.partition("\n\n")
    if not number.isdecimal() or not blank:
        raise UnreadableIndex(f"{place}: not the answer of a checksum database")
    for line in record.split("\n"):
        found = _RECORD.match(line)
        if not found or not is_module_path(found["module"]) or not is_canonical(found["module"], found["version"]):
            raise UnreadableIndex(f"{place}: a line of this lookup is not a line of go.sum: {line[:200]!r}")
        yield found["module"], found["version"], "mod" if found["mod"] else "zip", Digest("h1", found["hash"])
