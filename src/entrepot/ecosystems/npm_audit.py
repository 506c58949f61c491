"""What npm's audits and searches tell a registry, and what of it stays here.

Bodies are taken apart by what the protocol has in them, and only that is put together again: what is not known cannot
carry a name past us.
"""

import gzip
import re
import zlib
from collections.abc import Callable
from urllib.parse import parse_qs

import msgspec

from entrepot.ecosystems.npm_names import is_package
from entrepot.errors import BadRequest

SEARCH = "-/v1/search"
BULK = "-/npm/v1/security/advisories/bulk"
_LARGEST = 64 << 20
# A version or a range of them; an alias (`npm:name@1`), a URL or a path could tell a name.
_PLAIN = re.compile(r"[0-9A-Za-z.+*^~<>=|, -]*")
_FACTS = ("node_version", "npm_version", "platform")
_KEPT = ("dev", "optional", "bundled", "integrity")

MayTell = Callable[[str], bool]
Members = dict[str, object]


def may_search(query: str, may_tell: MayTell) -> bool:
    """Whether no word of a search names, or is the scope of, what upstream may not be told."""
    try:
        values = parse_qs(query, errors="strict")
    except ValueError as error:
        raise BadRequest(f"the query cannot be read: {error}") from error
    words = (word.strip("\"'") for texts in values.values() for text in texts for word in text.split())
    return all(may_tell(name) for word in words for name in _names_in(word))


def _names_in(word: str) -> tuple[str, ...]:
    qualifier, mark, value = word.partition(":")
    if mark:
        return value, f"@{value.lstrip('@')}/-"
    return word, f"{qualifier.partition('/')[0]}/-"


def scrub_audit(key: str, body: bytes, encoding: str, may_tell: MayTell) -> bytes | None:
    """The body without what may not be told, in the same coding; None where nothing is left to ask. Raises
    BadRequest for one that cannot be read."""
    plain = _decoded(body, encoding)
    try:
        audit = msgspec.json.decode(plain)
        kept = _bulk(audit, may_tell) if key == BULK else _tree(audit, may_tell)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(f"the body of this audit cannot be read: {error}") from error
    if kept == audit:
        return body
    if not kept:
        return None
    scrubbed = msgspec.json.encode(kept)
    return gzip.compress(scrubbed, mtime=0) if encoding else scrubbed


def _decoded(body: bytes, encoding: str) -> bytes:
    if not encoding or encoding == "identity":
        return body
    if encoding not in ("gzip", "x-gzip"):
        raise BadRequest(f"content-encoding {encoding[:40]!r}: an audit is read as gzip or plain")
    decoder = zlib.decompressobj(wbits=31)
    try:
        plain = decoder.decompress(body, _LARGEST)
    except zlib.error as error:
        raise BadRequest(f"the body of this audit is no gzip: {error}") from error
    if not decoder.eof or decoder.unused_data:
        raise BadRequest(f"the body of this audit is no complete gzip of at most {_LARGEST >> 20} MiB")
    return plain


def _bulk(audit: object, may_tell: MayTell) -> Members:
    """Versions by name."""
    return {
        name: [version for version in _list(versions) if _is_plain(version)]
        for name, versions in _members(audit).items()
        if _may_be_told(name, may_tell)
    }


def _tree(audit: object, may_tell: MayTell) -> Members:
    """A project and its tree of dependencies, as in a lock file of npm 6."""
    members = _members(audit)
    kept = _node(members, may_tell)
    for name in ("install", "remove"):
        if name in members:
            wanted = (text for text in _list(members[name]) if isinstance(text, str))
            kept[name] = [text for text in wanted if _may_be_told(_name_of(text), may_tell)]
    if "metadata" in members:
        facts = _members(members["metadata"])
        kept["metadata"] = {name: facts[name] for name in _FACTS if isinstance(facts.get(name), str)}
    project = members.get("name")
    if isinstance(project, str) and _may_be_told(project, may_tell):
        kept["name"] = project
    return kept


def _node(members: Members, may_tell: MayTell) -> Members:
    kept: Members = {name: members[name] for name in _KEPT if isinstance(members.get(name), str | bool)}
    if _is_plain(members.get("version")):
        kept["version"] = members["version"]
    if "requires" in members:
        ranges = _members(members["requires"]) if members["requires"] is not True else {}
        kept["requires"] = {
            name: text for name, text in ranges.items() if _may_be_told(name, may_tell) and _is_plain(text)
        }
    if "dependencies" in members:
        below = _members(members["dependencies"])
        kept["dependencies"] = {
            name: _node(_members(node), may_tell) for name, node in below.items() if _may_be_told(name, may_tell)
        }
    return kept


def _may_be_told(name: str, may_tell: MayTell) -> bool:
    """What is no name tells nothing that upstream could answer."""
    return is_package(name) and may_tell(name)


def _name_of(text: str) -> str:
    """Of `name@range`."""
    return text[:1] + text[1:].partition("@")[0]


def _is_plain(text: object) -> bool:
    return isinstance(text, str) and bool(_PLAIN.fullmatch(text))


def _members(value: object) -> Members:
    if not isinstance(value, dict):
        raise BadRequest("the body of this audit is not what an audit sends: an object was expected")
    return value


def _list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise BadRequest("the body of this audit is not what an audit sends: a list was expected")
    return value
