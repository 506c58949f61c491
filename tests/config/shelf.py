"""Ecosystems of our own making, as the configuration sees them."""

import re
from collections.abc import Mapping
from typing import ClassVar, cast

from entrepot.contracts.ecosystem import Client, Ecosystem, FoundAt
from entrepot.errors import ConfigError
from entrepot.model.resource import Reply, Request


class _Shelf(Ecosystem):
    title: ClassVar[str] = "For tests"

    def route(self, request: Request) -> Reply:
        return Reply(status=404)


def _registry_in(text: str) -> str | None:
    found = re.search(r"^registry=(\S+)$", text, re.MULTILINE)
    return found[1] if found else None


class Npm(_Shelf):
    """Has a configuration file, a variable and a public table."""

    name: ClassVar[str] = "npm"
    clients: ClassVar[tuple[Client, ...]] = (
        Client(
            name="npm",
            command="npm",
            variables={"NPM_REGISTRY": "{url}/", "NPM_HOST": "{host}"},
            asks=(("npm-of-this-test", "registry"),),
            found_at=(FoundAt(path=".npmrc", read=_registry_in), FoundAt(path="~/.npmrc", read=_registry_in)),
        ),
    )

    @classmethod
    def default_upstream(cls) -> str | None:
        return "https://registry.example/"


class Pypi(_Shelf):
    """Has a file that a variable names, and no public table."""

    name: ClassVar[str] = "pypi"
    clients: ClassVar[tuple[Client, ...]] = (
        Client(
            name="pip",
            command="pip",
            asks=(("pip-of-this-test", "index"), ("uv-of-this-test", "index")),
            found_at=(FoundAt(path="$PIP_FILE", read=_registry_in),),
        ),
    )


class Golang(_Shelf):
    """Takes a checksum database."""

    name: ClassVar[str] = "golang"
    option_names: ClassVar[Mapping[str, str]] = {"sumdb": "The database.", "nosumdb": "Not for these."}
    clients: ClassVar[tuple[Client, ...]] = (Client(name="go", command="go", variables={"GOPROXY": "{url}"}),)

    @classmethod
    def default_upstream(cls) -> str | None:
        return "https://proxy.modules.example"


class Generic(_Shelf):
    """Takes options, and finds fault with them."""

    name: ClassVar[str] = "generic"
    option_names: ClassVar[Mapping[str, str]] = {
        "rules": "Classes of paths.",
        "unmatched": "What else is.",
        "checksums": "Files as they must | may be.",
        "side_files": "Where digests are.",
    }

    def __init__(self, options: Mapping[str, object] | None = None) -> None:
        super().__init__(options)
        for name in ("checksums", "side_files"):
            if self.options.get(name) == "wrong":
                raise ConfigError(f"generic: {name}: write something else")
        for number, rule in enumerate(cast(list[dict[str, str]], self.options.get("rules", []))):
            if rule["path"].startswith("("):
                raise ConfigError(f"generic: rules[{number}]: no expression; correct it")


class Cargo(_Shelf):
    name: ClassVar[str] = "cargo"


class Maven(_Shelf):
    name: ClassVar[str] = "maven"


ECOSYSTEMS: Mapping[str, type[Ecosystem]] = {kind.name: kind for kind in (Cargo, Generic, Golang, Maven, Npm, Pypi)}
