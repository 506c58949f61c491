"""Athens's `config.toml`, with the download file and the filter file that it names."""

import base64
import re
from collections.abc import Callable, Iterator
from typing import Final

from entrepot.config.importing.athens_filter import filters_of
from entrepot.config.importing.document import Document, Table
from entrepot.config.importing.draft import Draft
from entrepot.config.names import parse_hook, parse_name, parse_url
from entrepot.config.policy import MODES, REDIRECTS, decode_download_file
from entrepot.config.positions import Key
from entrepot.config.units import format_duration
from entrepot.errors import ConfigError
from entrepot.model.patterns import parse_glob

Find = Callable[[str], str | None]
"""The text of a file that a configuration names; None where there is none."""

SIGNS: Final = frozenset({
    "BasicAuthUser", "DownloadMode", "DownloadURL", "FilterFile", "GlobalEndpoint", "GoBinary", "GoBinaryEnvVars",
    "GoEnv", "GoGetWorkers", "GithubToken", "NETRCPath", "NetworkMode", "NoSumPatterns", "PathPrefix",
    "ProtocolWorkers",    "SingleFlightType", "StorageType", "SumDBs", "ValidatorHook",
})  # fmt: skip
"""Top-level keys by which the file is recognised."""
POLICY: Final = "athens.hcl"
"""The download file that is written beside the configuration."""
_DATABASE: Final = re.compile(r"https://(?P<name>[A-Za-z0-9][A-Za-z0-9.-]*(?::[0-9]+)?)/?\Z")
_NETWORK: Final = {"strict": "online", "fallback": "online", "offline": "offline"}
_SECRET: Final = "not taken: it is a secret; "
_REMEDIES: Final = {
    "BasicAuthPass": f"{_SECRET}clients send tokens, which `entrepot token new NAME` makes",
    "BasicAuthUser": "not taken: clients send tokens, which `entrepot token new NAME` makes",
    "GithubToken": f"{_SECRET}write it into a netrc file, and name that in upstreams.vcs.netrc_file",
    "HGRCPath": "not taken: version control is git here",
    "Index": "not needed: /go/index is always there",
    "IndexType": "not needed: /go/index is always there",
    "ProtocolWorkers": "not needed: requests wait for nothing but their own download",
    "SingleFlight": "not needed: one download serves all who ask for the same",
    "SingleFlightType": "not needed: one download serves all who ask for the same",
    "StatsExporter": "not needed: see /metrics",
    "Storage": "not taken: modules are fetched again; choose a directory with storage.directory",
    "StorageType": "not taken: modules are fetched again; choose a directory with storage.directory",
}


def convert(document: Document, find: Find) -> Draft:
    """Raises ConfigError for what stops Athens, and for files that it names and that cannot be found."""
    draft = Draft(document)
    _Athens(draft, find).take()
    for key in document.leftovers():
        document.note(key, _REMEDIES.get(str(key[0]), "not taken: it has no counterpart here"))
    return draft


class _Athens:
    def __init__(self, draft: Draft, find: Find) -> None:
        self._draft, self._document, self._find = draft, draft.document, find

    def take(self) -> None:
        self._take_server()
        self._draft.repositories[self._name()] = {
            "ecosystem": "golang",
            **self._network(),
            **self._sources(),
            **self._download(),
            **self._databases(),
        }

    def _name(self) -> str:
        """Clients come to `/go/…`, or to the prefix that they know."""
        prefix = self._document.text("PathPrefix").strip("/")
        if not prefix:
            self._document.note((), "clients set GOPROXY to this server's address and /go")
            return "go"
        try:
            return self._draft.repository_name(parse_name(prefix), ("PathPrefix",))
        except ValueError:
            self._document.note(("PathPrefix",), "not taken: a repository's path is one word; it is /go here")
            return "go"

    def _take_server(self) -> None:
        document, draft = self._document, self._draft
        if port := document.text("Port"):
            draft.listen(("Port",), port.removeprefix(":"))
        certificate, key = document.text("TLSCertFile"), document.text("TLSKeyFile")
        if certificate and key:
            draft.put("server", "tls_certificate", certificate)
            draft.put("server", "tls_key", key)
        if (seconds := document.number("ShutdownTimeout")) is not None:
            draft.put("server", "shutdown_timeout", format_duration(round(seconds)))
        if hook := document.text("ValidatorHook"):
            draft.put("validator", "url", self._checked(hook, parse_hook, "ValidatorHook"))

    def _checked(self, text: str, parse: Callable[[str], str], key: str) -> str:
        """What decides who may have what is not left out."""
        try:
            return parse(text)
        except ValueError as error:
            # What is wrong with it is not repeated: it could hold a secret.
            raise self._refusal(key, "it is no http(s) address without login, query and fragment") from error

    def _network(self) -> Table:
        mode = self._document.text("NetworkMode")
        if not mode:
            return {}
        if mode not in _NETWORK:
            raise self._refusal("NetworkMode", f"{mode!r} is no mode; write one of {', '.join(_NETWORK)}")
        if mode == "strict":
            self._document.note(("NetworkMode",), 'lists are served stale in an outage; stale.if_error = "0" ends that')
        if mode == "offline":
            self._document.note(("NetworkMode",), "nothing at all is fetched, where Athens still fetches versions")
        return {"network": _NETWORK[mode]}

    def _refusal(self, key: str, complaint: str) -> ConfigError:
        return ConfigError(f"{self._document.where(key)}: {key}: {complaint}")

    # --- upstreams --------------------------------------------------------------------------------------------------

    def _sources(self) -> Table:
        upstreams = list(dict.fromkeys(self._upstreams()))
        if upstreams:
            return {"upstreams": upstreams}
        self._document.note(("GoBinaryEnvVars",), "its go command asks nobody, so neither does this")
        return {"upstreams": ["vcs"], "network": "offline"}

    def _upstreams(self) -> Iterator[str]:
        """What its go command is told: proxies, then version control, and what goes to that only."""
        variables = dict(self._variables())
        proxies = re.split(r"[,|]", variables.get("GOPROXY") or "direct")
        listed = ",".join(variables.get(name, "") for name in ("GOPRIVATE", "GONOPROXY"))
        private = list(self._globs(("GoBinaryEnvVars",), listed))
        if private:
            self._draft.upstreams["private"] = {**self._version_control(), "modules": private}
            yield "private"
        for proxy in proxies:
            if proxy == "off":
                return
            if proxy == "direct":
                self._draft.upstreams["vcs"] = self._version_control()
                yield "vcs"
                return
            address = self._draft.origin(("GoBinaryEnvVars",), "proxy", proxy, None) if proxy else None
            if address:
                yield address

    def _variables(self) -> Iterator[tuple[str, str]]:
        for key, text in self._document.texts("GoBinaryEnvVars"):
            name, _, value = text.partition("=")
            if name in ("GOPROXY", "GOPRIVATE", "GONOPROXY"):
                yield name, value
            else:
                self._document.note(key, f"not taken: {name if value else 'it'} has no counterpart here")

    def _version_control(self) -> Table:
        document, workers = self._document, self._document.number("GoGetWorkers")
        seconds = document.number("StashTimeout") or document.number("Timeout")
        command, netrc = document.text("GoBinary"), document.text("NETRCPath")
        return {
            "kind": "vcs",
            **({"netrc_file": netrc} if netrc else {}),
            **({"go_command": command} if command not in ("", "go") else {}),
            **({"max_commands": int(min(max(workers, 1), 64))} if workers else {}),
            **({"timeout": format_duration(round(seconds))} if seconds else {}),
        }

    # --- what a miss gets -------------------------------------------------------------------------------------------

    def _download(self) -> Table:
        mode = self._document.text("DownloadMode") or "sync"
        kind, colon, rest = mode.partition(":")
        filters = self._filters()
        if colon and kind in ("file", "custom"):
            self._document.get("DownloadURL")
            return self._keep(f"{self._download_file(kind, rest)}\n{filters}")
        if mode not in MODES:
            raise self._refusal("DownloadMode", f"{mode!r} is no mode; write one of {', '.join(MODES)}")
        url = self._document.text("DownloadURL")
        if url or mode in REDIRECTS:
            url = self._checked(url, parse_url, "DownloadURL")
        if mode in REDIRECTS:
            self._document.note(("DownloadMode",), "redirects have status 302; redirect_status = 301 is Athens's")
        if filters:
            return self._keep(f'mode = "{mode}"\ndownloadURL = "{url}"\n\n{filters}')
        return {"mode": mode, **({"redirect_url": url} if url else {})}

    def _download_file(self, kind: str, rest: str) -> str:
        if kind == "file":
            return self._found(rest, "DownloadMode")
        try:
            return decode_download_file(rest)
        except ValueError as error:
            raise self._refusal("DownloadMode", str(error)) from error

    def _filters(self) -> str:
        name, endpoint = self._document.text("FilterFile"), self._document.text("GlobalEndpoint")
        if not name:
            return ""
        text = self._found(name, "FilterFile")
        target = self._checked(endpoint, parse_url, "GlobalEndpoint") if endpoint else ""
        return filters_of(text, name, target, self._document.notes)

    def _found(self, name: str, key: str) -> str:
        text = self._find(name)
        if text is None:
            raise self._refusal(key, f"{name} cannot be read; give that file too: entrepot config import FILE {name}")
        return text

    def _keep(self, policy: str) -> Table:
        self._draft.beside[POLICY] = policy.rstrip("\n") + "\n"
        return {"mode": f"file:{POLICY}"}

    # --- checksum databases -----------------------------------------------------------------------------------------

    def _databases(self) -> Table:
        """Its patterns are of escaped paths; ours are of paths."""
        names = list(dict.fromkeys(self._database_names()))
        private = [re.sub(r"!([a-z])", lambda found: found[1].upper(), glob) for glob in self._patterns()]
        return {
            **({"sumdb": names[0]} if names else {}),
            **({"sumdbs": names[1:]} if names[1:] else {}),
            **({"nosumdb": private} if private else {}),
        }

    def _database_names(self) -> Iterator[str]:
        for key, url in self._document.texts("SumDBs"):
            if found := _DATABASE.match(url):
                yield found["name"]
            else:
                self._document.note(key, "not taken: it is no https address of a checksum database")

    def _patterns(self) -> Iterator[str]:
        for key, glob in self._document.texts("NoSumPatterns"):
            yield from self._globs(key, glob)

    def _globs(self, key: Key, text: str) -> Iterator[str]:
        """One that cannot be read matches nothing in theirs."""
        for glob in filter(None, text.split(",")):
            try:
                yield parse_glob(glob, "the pattern").pattern
            except ConfigError as error:
                self._document.note(key, f"not taken, as it matches nothing: {error}")


def inline(policy: str) -> str:
    """The setting that holds a download file itself."""
    return f"custom:{base64.b64encode(policy.encode()).decode()}"
