"""git-pkgs/proxy's YAML (or JSON): one proxy for many registries."""

import re
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import urlsplit

from entrepot.config.importing.document import Document, Table
from entrepot.config.importing.draft import Draft
from entrepot.config.importing.plain_files import INDEXES
from entrepot.config.names import parse_url
from entrepot.config.positions import Key
from entrepot.config.units import format_duration, parse_age, parse_size

SIGNS: Final = (
    "base_url", "cache_metadata", "cooldown", "database", "gradle", "health", "http_timeout", "listen",
    "metadata_max_size", "metadata_ttl", "mirror_api", "storage", "ui_base_url", "upstream",
)  # fmt: skip
"""Top-level keys by which the file is recognised."""
_ALWAYS: Final = {"npm": "npm", "pypi": "pypi", "go": "golang"}
"""What it serves without being told, and our ecosystems."""
_TREES: Final = {"debian": "debian", "rpm": "rpm"}
_NAMED_TREES: Final = {"generic": "generic", "apk": "alpine", "helm": "helm"}
_DATED: Final = ("npm", "pypi")
"""Where its cooldown works and our repository of this name is one."""
_RELEASE: Final = r"/[^/]+/[^/]+/releases/download/[^/]+/.+"
_USUAL_TTL: Final = "5m"
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)(d|h|ms|m|s)")
_BY_HAND: Final = "if its ecosystem is here, write a repository by hand"
_REMEDIES: Final = {
    "database": "facts are kept in the data directory, with nothing to set up",
    "gradle": "write [build_caches.gradle] by hand",
    "health": "/health and /ready are always there",
    "http_timeout": "see the timeouts in [fetch]",
    "log": "our own log is one JSON line an event on standard error",
    "mirror_api": "who may start work is said by tokens and fills.allow_trigger",
    "storage": "what is stored is fetched again; choose a directory with storage.directory",
    "ui_base_url": "there is no second address",
    "cooldown.ecosystems": _BY_HAND,
    "upstream.auth": "no upstream of this configuration has this address",
    "upstream": _BY_HAND,
}


def convert(document: Document) -> Draft:
    draft = Draft(document)
    _take_server(draft)
    _Registries(draft).take()
    for key in document.leftovers():
        spelled = (".".join(map(str, key[:length])) for length in range(len(key), 0, -1))
        remedy = next((_REMEDIES[name] for name in spelled if name in _REMEDIES), "it has no counterpart here")
        document.note(key, f"not taken: {remedy}")
    return draft


def _take_server(draft: Draft) -> None:
    document = draft.document
    if listen := document.text("listen"):
        draft.listen(("listen",), listen.rpartition(":")[2])
    try:
        base = document.text("base_url")
        if base and urlsplit(parse_url(base)).hostname != "localhost":
            draft.put("server", "public_url", base)
    except ValueError:
        document.note(("base_url",), "not taken: it is no http(s) address without query and fragment")
    if log := document.text("access_log", "path"):
        draft.put("server", "access_log", log)
    for key, section, name in (
        (("storage", "max_size"), "storage", "max_size"),
        (("metadata_max_size",), "limits", "parsed_index"),
    ):
        text = document.text(*key).replace(" ", "")
        try:
            if text not in ("", "0"):
                parse_size(text)
                draft.put(section, name, text)
        except ValueError as error:
            document.note(key, f"not taken: {error}")


class _Registries:
    def __init__(self, draft: Draft) -> None:
        self._draft, self._document = draft, draft.document
        self._logins = {scope: ("upstream", "auth", scope) for scope in self._document.names("upstream", "auth")}
        self._freshness = self._read_freshness()

    def take(self) -> None:
        for name, ecosystem in _ALWAYS.items():
            self._add(("upstream", name), name, {"ecosystem": ecosystem}, usual=["default"])
        for name, kind in _TREES.items():
            if self._document.text("upstream", name):
                self._add(("upstream", name), name, _tree(kind))
        for group, kind in _NAMED_TREES.items():
            for name in self._document.names("upstream", group):
                key = ("upstream", group, name)
                self._document.note(key, f"/{group}/{name}/… is /{self._add(key, name, _tree(kind))}/… here")
        self._take_cooldown()
        for needless in ("npm_full_metadata", "pypi_download", "allow_private_hosts", "allow_loopback"):
            # Dates are always kept, files come from where the index says, and what is named may have any address.
            self._document.get("upstream", needless)

    def _add(self, key: Key, wanted: str, settings: Table, usual: list[str] | None = None) -> str:
        """The repository's name."""
        name = self._draft.repository_name(wanted, key)
        url = self._document.text(*key)
        upstream = self._draft.origin(key, name, url, self._login_for(url, wanted, name)) if url else None
        upstreams = [upstream] if upstream else usual
        if upstreams:
            kind = {"ecosystem": settings["ecosystem"], "upstreams": upstreams, "freshness": self._freshness}
            self._draft.repositories[name] = {**kind, **settings}
        return name

    def _read_freshness(self) -> Table:
        """Without its cache of metadata, every request is asked upstream."""
        ttl = self._document.text("metadata_ttl") or _USUAL_TTL
        if not self._document.flag("cache_metadata"):
            return {"mutable_ttl": "0"}
        return {"mutable_ttl": self._duration(("metadata_ttl",), ttl) or _USUAL_TTL}

    # --- credentials ------------------------------------------------------------------------------------------------

    def _login_for(self, url: str, wanted: str, name: str) -> Table | None:
        """The longest scope that the address lies in; its documentation also has names of ecosystems there."""
        fitting = [scope for scope in self._logins if scope == wanted or _lies_in(url, scope)]
        return self._login(self._logins[max(fitting, key=len)], name) if fitting else None

    def _login(self, key: Key, name: str) -> Table | None:
        match self._document.text(*key, "type"):
            case "bearer":
                return {"kind": "bearer", "token_env": self._variable(key, "token", name)}
            case "basic" if user := self._document.text(*key, "username"):
                return {"kind": "basic", "username": user, "password_env": self._variable(key, "password", name)}
            case "header" if header := self._document.text(*key, "header_name"):
                return {"kind": "header", "name": header, "token_env": self._variable(key, "header_value", name)}
        self._document.get(*key)
        self._document.note(key, "not taken: such a login is not known here")
        return None

    def _variable(self, key: Key, field: str, name: str) -> str:
        """The environment variable that holds the secret: the one it was read from, if it was."""
        text = self._document.text(*key, field)
        if found := re.fullmatch(r"\$\{(\w+)\}", text, re.ASCII):
            return found[1]
        login = self._draft.login((*key, field), name, "somebody" if field == "password" else "")
        return str(login["password_env" if field == "password" else "token_env"])

    # --- cooldown ---------------------------------------------------------------------------------------------------

    def _take_cooldown(self) -> None:
        usual = self._duration(("cooldown", "default"), self._document.text("cooldown", "default"))
        for name in _DATED:
            key = ("cooldown", "ecosystems", name)
            own = self._duration(key, self._document.text(*key))
            if wanted := own or usual:
                self._cooldown_of(name)["default"] = wanted
        if usual:
            self._document.note(("cooldown", "default"), "for npm and pypi, as theirs; it would work for go, too")
        for purl in self._document.names("cooldown", "packages"):
            self._take_package(purl)

    def _take_package(self, purl: str) -> None:
        key = ("cooldown", "packages", purl)
        kind = purl.removeprefix("pkg:").partition("/")[0]
        age = self._duration(key, self._document.text(*key))
        if kind not in _DATED or not purl.startswith("pkg:"):
            self._document.note(
                key, "not taken: there is no cooldown for such packages in theirs, or no ecosystem here"
            )
        elif age:
            packages = self._cooldown_of(kind).setdefault("packages", {})
            assert isinstance(packages, dict)
            packages[purl] = age

    def _cooldown_of(self, repository: str) -> Table:
        settings = self._draft.repositories[repository]
        assert isinstance(settings, dict)
        found: Table = settings.setdefault("cooldown", {})
        return found

    def _duration(self, key: Key, text: str) -> str:
        """Ours from Go's ("1h30m", and days); "" where there is none, or it cannot be read."""
        parts = _DURATION.findall(text)
        if text and text != "0" and "".join(map("".join, parts)) != text:
            self._document.note(key, 'not taken: it is no duration; write one such as "3d"')
            return ""
        seconds = sum(parse_age(number + unit) for number, unit in parts)
        return format_duration(round(seconds) or seconds) if text else ""


def _lies_in(url: str, scope: str) -> bool:
    """By whole segments, so that no other host or path begins like it."""
    return bool(url) and "://" in scope and f"{url.rstrip('/')}/".startswith(f"{scope.rstrip('/')}/")


def _tree(kind: str) -> Table:
    return {"ecosystem": "generic", "rules": list(_rules_of(kind))}


def _rules_of(kind: str) -> Iterator[Mapping[str, str]]:
    if kind == "generic":
        yield {"path": _RELEASE, "class": "immutable"}
    for paths in INDEXES[kind]:
        yield {"path": paths.path, "class": paths.klass}
