"""What assembly tells of an upstream of kind `vcs`: version control, asked through the go command."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from entrepot.model.names import is_named
from entrepot.model.netrc import Login

WILD = frozenset("*?[].")


@dataclass(frozen=True, slots=True, kw_only=True)
class VcsSettings:
    name: str
    modules: tuple[str, ...] = ()
    """Globs of the modules that are asked here, and only here; none: any module that nobody else has."""
    owns: tuple[str, ...] = ()
    """Further globs of modules that are asked only here."""
    logins: tuple[Login, ...] = ()
    ca_file: str = ""
    """Certificates that are trusted besides the system's."""
    http_proxy: str = field(default="", repr=False)
    """May hold credentials of the proxy: it is not printed."""
    go_command: str = "go"
    timeout: float = 300.0
    """Seconds for one question, all its commands together."""
    max_bytes: int = 2 << 30
    """What one question may take on the disk while it is answered."""
    max_commands: int = 4
    """At the same time; other questions wait."""

    def serves(self, module: str) -> bool:
        return not self.modules or _is_among(module, self.modules)

    def reserves(self, module: str) -> bool:
        return _is_among(module, (*self.modules, *self.owns))

    def names_host(self, host: str) -> bool:
        """Whether the operator wrote this host down, in a glob or beside a password: it may have a private address."""
        globs = [glob.partition("/")[0].lower() for glob in self.modules]
        written = [glob for glob in globs if not WILD.issuperset(glob)]
        return any(fnmatchcase(host, glob) for glob in written) or any(host == one.machine for one in self.logins)


def _is_among(module: str, globs: Iterable[str]) -> bool:
    """`corp.example/*` also names `corp.example`: the go command asks for every parent of a module, too."""
    return any(is_named(module, form) for glob in globs for form in (glob, glob.removesuffix("/*")))
