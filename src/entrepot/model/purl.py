"""Package URLs: how people and bills of materials name packages across ecosystems (ECMA-427).

Case is kept: what a type's rules make of it is the ecosystem's business, because some registries are older than the
rules. A purl is never a storage key.
"""

from dataclasses import dataclass
from urllib.parse import unquote

from entrepot.errors import BadRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Purl:
    type: str
    """Lower-case."""
    namespace: str
    """Segments joined by a slash; empty where there is none."""
    name: str
    version: str = ""


def parse_purl(text: str) -> Purl:
    """Qualifiers and subpath are left out. Raises BadRequest."""
    scheme, colon, rest = text.partition(":")
    plain = rest.partition("#")[0].partition("?")[0].strip("/")
    kind, slash, path = plain.partition("/")
    # An npm scope may come with its @ unescaped; a version's @ stands behind the last slash.
    parents, _, last = path.strip("/").rpartition("/")
    name, _, version = last.rpartition("@") if "@" in last[1:] else (last, "", "")
    if scheme.lower() != "pkg" or not (colon and kind and slash and name):
        raise BadRequest(f"{text!r} is no package URL; write it like pkg:npm/left-pad@1.3.0")
    namespace = "/".join(unquote(part) for part in parents.split("/") if part)
    return Purl(type=kind.lower(), namespace=namespace, name=unquote(name), version=unquote(version))
