"""artifactapi's `remotes.yaml`: `remotes:` as of v2.3, and the later `remote:`, `virtual:` and `local:`."""

from collections.abc import Iterator
from typing import Final

from entrepot.config.importing.document import Document, Table
from entrepot.config.importing.draft import Draft
from entrepot.config.importing.expressions import whole_path
from entrepot.config.importing.plain_files import INDEXES, NATIVE_INDEXES
from entrepot.config.positions import Key
from entrepot.config.units import format_duration
from entrepot.errors import ConfigError

SIGNS: Final = ("remotes", "remote", "virtual", "local")
"""Top-level tables by which the file is recognised."""
_ECOSYSTEMS: Final = {"pypi": "pypi", "npm": "npm", "goproxy": "golang"}
_USUAL_TTL: Final = 3600.0
"""Seconds: artifactapi's for what changes."""
_REMEDIES: Final = {
    "virtual": "lists of several upstreams are never merged here; give one repository several upstreams, in order",
    "local": "nothing can be uploaded here",
    "ban_tags": 'write a rule with version and mode = "deny"',
    "releases_remote": "files come through the repository whose index names them",
}


def convert(document: Document, earlier: Draft | None = None) -> Draft:
    """`earlier`: what comes from other files of the same configuration."""
    draft = Draft(document)
    if earlier is not None:
        draft.upstreams, draft.repositories = earlier.upstreams, earlier.repositories
        document.notes[:0] = earlier.document.notes
    for layout in ("remotes", "remote"):
        for name in document.names(layout):
            _Remote(draft, (layout, name)).take()
    for key in document.leftovers():
        remedy = _REMEDIES.get(str(key[-1])) or _REMEDIES.get(str(key[0])) or "it has no counterpart here"
        document.note(key, f"not taken: {remedy}")
    return draft


class _Remote:
    def __init__(self, draft: Draft, key: Key) -> None:
        self._draft, self._document, self._key = draft, draft.document, key

    def take(self) -> None:
        """Add the repository, or note why there is none."""
        document, kind = self._document, self._text("type") or "remote"
        package = self._text("package") or "generic"
        self._text("description")
        ecosystem = _ECOSYSTEMS.get(package, "generic" if package in INDEXES else "")
        if kind != "remote" or not ecosystem:
            document.get(*self._key)
            reason = _REMEDIES.get(kind) or f"if the ecosystem of {package} is here, write a repository by hand"
            document.note(self._key, f"not taken: {reason}")
            return
        name = self._draft.repository_name(str(self._key[-1]), self._key)
        upstream = self._draft.origin((*self._key, "base_url"), name, self._text("base_url"), self._auth(name))
        if upstream is None:
            return
        self._draft.repositories[name] = {
            "ecosystem": ecosystem,
            "upstreams": [upstream],
            "unmatched": "deny",
            "freshness": self._freshness(),
            "rules": [*self._rules(ecosystem), *_built_in(package, ecosystem)],
        }
        if ecosystem != "generic":
            text = 'files too need a rule that names them; add one with path = ".*" if all may be had'
            document.note(self._key, text)

    def _text(self, name: str) -> str:
        return self._document.text(*self._key, name)

    def _auth(self, name: str) -> Table | None:
        user, password = self._text("username"), self._text("password")
        return self._draft.login((*self._key, "password"), name, user) if user or password else None

    def _freshness(self) -> Table:
        mutable = self._ttl("mutable_ttl", "index_ttl")
        immutable = self._ttl("immutable_ttl", "file_ttl")
        # Conditional is what ours does anyway; without it theirs fetches everything anew.
        self._document.flag(*self._key, "check_mutable_updates")
        return {
            "mutable_ttl": format_duration(_USUAL_TTL if mutable is None else mutable),
            **({"immutable_ttl": format_duration(immutable)} if immutable else {}),
            "revalidate": "conditional",
        }

    def _ttl(self, *names: str) -> float | None:
        """By its present name and by its former one."""
        found = [self._document.number(*self._key, "cache", name) for name in names]
        return next((float(round(seconds)) for seconds in found if seconds is not None), None)

    def _rules(self, ecosystem: str) -> Iterator[Table]:
        """What is blocked, what changes, what does not, and what is only allowed; theirs looks in this order."""
        for path in self._expressions("blocklist", "all of it is denied"):
            yield {"path": path, "mode": "deny"}
        for klass, names in {
            "mutable": ("mutable_patterns", "index_patterns"),
            "immutable": ("immutable_patterns", "include_patterns"),
            "": ("patterns",),
        }.items():
            for path in (path for name in names for path in self._expressions(name)):
                # Other ecosystems know by themselves what changes.
                yield {"path": path, **({"class": klass} if klass and ecosystem == "generic" else {})}

    def _expressions(self, name: str, instead: str = "") -> Iterator[str]:
        """Whole-path expressions. One that cannot be read is left out: then what it allowed is denied."""
        for key, text in self._document.texts(*self._key, name):
            try:
                yield whole_path(text)
            except ConfigError as error:
                self._document.note(key, f"{instead or 'not taken, so this is denied'}: {error}")
                if instead:
                    yield ".*"


def _built_in(package: str, ecosystem: str) -> Iterator[Table]:
    for paths in INDEXES.get(package, ()):
        if paths.is_index:
            yield {"path": paths.path, "class": paths.klass}
    for path in NATIVE_INDEXES.get(ecosystem, ()):
        yield {"path": path}
