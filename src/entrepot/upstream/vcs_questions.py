"""Questions of the Go module proxy protocol, as far as version control can answer them. Pure."""

import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote

from entrepot.model.versions import parse_go_version

_ELEMENT = r"[A-Za-z0-9_~][A-Za-z0-9._~-]*"
_MODULE = re.compile(rf"[a-z0-9][a-z0-9-]*(?:\.[a-z0-9-]+)+(?:/{_ELEMENT})*\Z")
_VERSION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+~-]*\Z")
_ESCAPED = re.compile(r"!([a-z])")
# These mean something to the go command, and are no names of revisions.
_WORDS = frozenset({"none", "patch", "upgrade"})


@dataclass(frozen=True, slots=True)
class Question:
    module: str
    what: Literal["list", "latest", "info", "mod", "zip"]
    version: str = ""
    """A version, or what `.info` is asked of: a branch, a tag, a hash."""

    @property
    def host(self) -> str:
        return self.module.partition("/")[0]

    @property
    def query(self) -> str:
        """As the go command is asked."""
        return f"{self.module}@{self.version or 'latest'}"

    @property
    def is_canonical(self) -> bool:
        """Whether this names one version for ever, as far as its spelling tells."""
        return parse_go_version(self.version) is not None


def parse_question(path: str) -> Question | None:
    """The path below a module proxy, as it stands in a URL; None for what is no question of version control.

    Nothing that is taken can be an option, a pattern or a second argument to the go command.
    """
    escaped, _, rest = path.partition("/@")
    module = _plain(escaped)
    if not _MODULE.match(module):
        return None
    match rest:
        case "latest":
            return Question(module, "latest")
        case "v/list":
            return Question(module, "list")
    stem, _, extension = rest.removeprefix("v/").rpartition(".")
    version = _plain(stem)
    if not rest.startswith("v/") or not _VERSION.match(version) or version in _WORDS:
        return None
    match extension:
        case "info":
            return Question(module, "info", version)
        case "mod" | "zip" if parse_go_version(version):
            return Question(module, extension, version)
    return None


def _plain(text: str) -> str:
    return _ESCAPED.sub(lambda found: found[1].upper(), unquote(text))
