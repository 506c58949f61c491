"""Our configuration while it is put together from somebody else's."""

import re
from dataclasses import dataclass, field
from itertools import chain, count
from urllib.parse import unquote, urlsplit

from entrepot.config.importing.document import Document, Table
from entrepot.config.names import RESERVED, parse_name, parse_url, without_credentials
from entrepot.config.positions import Key


@dataclass
class Draft:
    """`beside`: further files by name, which the configuration refers to."""

    document: Document
    settings: Table = field(default_factory=dict)
    upstreams: Table = field(default_factory=dict)
    repositories: Table = field(default_factory=dict)
    beside: dict[str, str] = field(default_factory=dict)

    def tree(self) -> Table:
        named = {"upstreams": self.upstreams, "repositories": self.repositories}
        return {**self.settings, **{name: table for name, table in named.items() if table}}

    def put(self, section: str, key: str, value: object) -> None:
        table = self.settings.setdefault(section, {})
        assert isinstance(table, dict)
        table[key] = value

    def repository_name(self, wanted: str, key: Key) -> str:
        """A name that can be one of ours; where it had to change, that is noted, because clients have it."""
        name = re.sub(r"[^a-z0-9._-]", "-", wanted.lower())[:60].strip("-._") or "repository"
        name = f"{name}-1" if name in RESERVED else name
        number = 2
        while name in self.repositories:
            name, number = f"{name.removesuffix(f'-{number - 1}')}-{number}", number + 1
        if name != wanted:
            self.document.note(key, f"the repository is called {name!r} here")
        return parse_name(name)

    def origin(self, key: Key, name: str, url: str, auth: Table | None) -> str | None:
        """What a repository's `upstreams` has for this address: the address itself, or the name that it gets because
        we identify ourselves there. None, and a note, where it is no http(s) address."""
        try:
            user, password = _login_in(url)
            address = parse_url(without_credentials(url))
        except ValueError:
            # What is wrong with it is not repeated: it could hold a secret.
            self.document.note(key, "not taken: it is no http(s) address without query and fragment")
            return None
        if user or password:
            auth = self.login(key, name, user)
        if auth is None:
            return address
        names = chain([name], (f"{name}-{number}" for number in count(2)))
        own = next(one for one in names if one not in self.upstreams)
        self.upstreams[own] = {"url": address, "auth": auth}
        return own

    def login(self, key: Key, name: str, user: str) -> Table:
        """Basic, or bearer where there is no user name. The secret itself stays where it was."""
        kind, secret = ("basic", "password") if user else ("bearer", "token")
        variable = variable_for(name, secret)
        self.document.note(key, f"the {secret} is not copied; put it in the environment variable {variable}")
        return {"kind": kind, **({"username": user} if user else {}), f"{secret}_env": variable}

    def listen(self, key: Key, port: str) -> None:
        """Theirs listen everywhere and ask nobody who they are; ours is opened by hand."""
        if not port.isdigit() or not 0 < int(port) <= 65535:
            self.document.note(key, "not taken: it names no port")
            return
        self.put("server", "listen", f"127.0.0.1:{port}")
        self.document.note(
            key,
            f'listens on this machine only; for others set server.listen = "0.0.0.0:{port}", and make tokens '
            "(`entrepot token new NAME`) or set server.open = true",
        )


def variable_for(name: str, secret: str) -> str:
    return re.sub(r"[^A-Z0-9]", "_", f"{name}_{secret}".upper())


def _login_in(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return unquote(parts.username or ""), unquote(parts.password or "")
