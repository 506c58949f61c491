"""Package URLs: how people and bills of materials name packages across ecosystems (ECMA-427).

Case is kept: what a type's rules make of it is the ecosystem's business, because some registries are older than the
rules. A purl is never a storage key.
"""

from dataclasses import dataclass
from urllib.parse import quote, unquote

from entrepot.errors import BadRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Purl:
    type: str
    """Lower-case."""
    namespace: str
    """Segments joined by a slash; empty where there is none."""
    name: str
    version: str = ""
    qualifiers: tuple[tuple[str, str], ...] = ()
    """Keys lower-case and sorted; values decoded, empty ones left out."""
    subpath: str = ""

    def __str__(self) -> str:
        """The canonical form, case kept."""
        parts = [*(part for part in self.namespace.split("/") if part), self.name]
        path = "/".join(quote(part, safe=":") for part in parts)
        version = f"@{quote(self.version, safe=':')}" if self.version else ""
        known = "&".join(f"{key}={quote(value, safe=':/')}" for key, value in self.qualifiers)
        tail = (f"?{known}" if known else "") + (f"#{quote(self.subpath)}" if self.subpath else "")
        return f"pkg:{self.type}/{path}{version}{tail}"

    def qualifier(self, key: str) -> str:
        """Its value; empty where there is none."""
        return dict(self.qualifiers).get(key, "")


def parse_purl(text: str) -> Purl:
    """Raises BadRequest."""
    scheme, colon, rest = text.partition(":")
    located, _, subpath = rest.partition("#")
    plain, _, qualifiers = located.partition("?")
    plain = plain.strip("/")
    kind, slash, path = plain.partition("/")
    # An npm scope may come with its @ unescaped; a version's @ stands behind the last slash.
    parents, _, last = path.strip("/").rpartition("/")
    name, _, version = last.rpartition("@") if "@" in last[1:] else (last, "", "")
    if scheme.lower() != "pkg" or not (colon and kind and slash and name):
        raise BadRequest(f"{text!r} is no package URL; write it like pkg:npm/left-pad@1.3.0")
    namespace = "/".join(unquote(part) for part in parents.split("/") if part)
    return Purl(
        type=kind.lower(),
        namespace=namespace,
        name=unquote(name),
        version=unquote(version),
        qualifiers=_read_qualifiers(qualifiers),
        subpath=unquote(subpath.strip("/")),
    )


def _read_qualifiers(text: str) -> tuple[tuple[str, str], ...]:
    pairs = (part.partition("=") for part in text.split("&"))
    return tuple(sorted((key.lower(), unquote(value)) for key, _, value in pairs if key and value))
