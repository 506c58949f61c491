"""What the go command asks a module proxy, as resources."""

from collections.abc import Sequence

from entrepot.ecosystems.golang_names import escape, is_canonical, is_module_path, is_query, version_segment
from entrepot.ecosystems.golang_sumdb import lookup_of
from entrepot.errors import NotServed
from entrepot.model.names import ReservedNames
from entrepot.model.patterns import Glob
from entrepot.model.resource import Kind, Resource

LIST = "@v/list"
LATEST = "@latest"


class Questions:
    """`databases`: the checksum databases that are known by name; the first is the one whose digests files must have,
    if `checks`. `unchecked`: the modules that are in none."""

    def __init__(
        self, *, databases: Sequence[str], checks: bool, unchecked: Sequence[Glob], reserved: ReservedNames
    ) -> None:
        self.databases = tuple(databases)
        self._checked_by = databases[0] if checks else ""
        self._unchecked, self._reserved = unchecked, reserved

    def list_of(self, module: str) -> Resource:
        return self._changing(module, LIST)

    def latest_of(self, module: str) -> Resource:
        return self._changing(module, LATEST)

    def info_of(self, module: str, version: str) -> Resource:
        """Also of a branch, a hash, or a version that does not fit the path. Raises NotServed."""
        return self.file(module, version, "info")

    def file(self, module: str, version: str, extension: str) -> Resource:
        """`.info` also answers queries; only a canonical version has the other two. Raises NotServed."""
        if not is_module_path(module):
            raise NotServed(f"{module[:200]!r}: malformed module path")
        if is_canonical(module, version):
            key = file_key(module, version, extension)
            checked = extension != "info" and self.is_checked(module)
            listed_in = lookup_of(self._checked_by, module, version) if checked else None
            return Resource(
                key=key, path=key, kind=Kind.ARTIFACT, about=module, version=version,
                listed_in=listed_in, must_be_listed=False, examined=extension == "info",
            )  # fmt: skip
        if extension != "info" or not is_query(version):
            raise NotServed(f"{module}@{version[:200]}: not a canonical version")
        return self._changing(module, f"@v/{version_segment(version)}.info", version)

    def _changing(self, module: str, question: str, version: str = "") -> Resource:
        if not is_module_path(module):
            raise NotServed(f"{module[:200]!r}: malformed module path")
        key = f"{escape(module)}/{question}"
        return Resource(key=key, path=key, kind=Kind.INDEX, about=module, version=version)

    def is_checked(self, module: str) -> bool:
        """Whether its files must have the digests that a checksum database gives."""
        return bool(self._checked_by) and not self.private_by(module)

    def private_by(self, module: str) -> str:
        """The rule that keeps a module's name from checksum databases; empty for none."""
        if any(glob.matches_prefix(module) for glob in self._unchecked):
            return "nosumdb"
        reservation = self._reserved.find(module)
        return reservation.rule if reservation else ""


def file_key(module: str, version: str, extension: str) -> str:
    return f"{escape(module)}/@v/{version_segment(version)}.{extension}"
