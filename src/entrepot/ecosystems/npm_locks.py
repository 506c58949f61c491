"""What the readers of npm's, pnpm's and yarn's lock files have in common: errors with lines, pins, what is left out."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from entrepot.contracts.ecosystem import LockText, Skipped
from entrepot.ecosystems.npm_locks_yaml import OddYaml, load_documents
from entrepot.ecosystems.npm_names import is_package
from entrepot.ecosystems.npm_platforms import Machines
from entrepot.ecosystems.npm_ranges import parse_version
from entrepot.ecosystems.npm_specs import source_of
from entrepot.errors import UnreadableLock
from entrepot.model.digest import Digest, parse_sri
from entrepot.model.selection import Depth, Selection

Pins = Iterable[Selection | Skipped]


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock file that is being read."""

    text: LockText

    def failure(self, line: int, problem: str) -> UnreadableLock:
        return UnreadableLock(f"{self.text.name}:{line}: {problem}")

    def failure_at(self, key: str, problem: str) -> UnreadableLock:
        """`key`: what stands in the line, if it stands anywhere."""
        before, found, _ = self.text.body.partition(key.encode(errors="replace"))
        return self.failure(before.count(b"\n") + 1 if found else 1, f"{key[:200]}: {problem}")

    def members(self, value: object, key: str) -> Mapping[str, object]:
        """A mapping; what is missing is empty. Raises UnreadableLock."""
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise self.failure_at(key, f"expected a mapping, found {_describe(value)}")
        return value

    def word(self, value: object, key: str) -> str:
        """A text; what is missing is empty. Raises UnreadableLock."""
        if value is None:
            return ""
        if not isinstance(value, str):
            raise self.failure_at(key, f"expected a text, found {_describe(value)}")
        return value

    def pin(
        self,
        package: str,
        version: str,
        *,
        integrity: str = "",
        digests: tuple[Digest, ...] = (),
        machines: Machines | None = None,
    ) -> Selection | Skipped:
        """One version of a registry's package. The order's depth is of no meaning: a lock file has everything."""
        subject, extent = f"{package}@{version}", self.text.extent
        if not is_package(package) or not parse_version(version):
            return Skipped(subject=subject[:300], reason="this is no name and version of a package of npm's")
        if machines and not machines.include(extent.platforms):
            return Skipped(subject=subject, reason=f"it does not run on {' or '.join(extent.platforms)}")
        return Selection(
            package=package,
            version=version,
            digests=parse_sri(integrity) or digests,
            extent=replace(extent, depth=Depth.NONE, latest=None),
        )

    def elsewhere(self, name: str, spec: str) -> Skipped:
        """What no registry has. `spec` says where it is."""
        return Skipped(subject=name[:300], reason=f"it comes from {source_of(spec)}")


def each_once(pins: Pins) -> list[Selection | Skipped]:
    return list(dict.fromkeys(pins))


def load_json(lock: Lock) -> Mapping[str, object]:
    """Raises UnreadableLock."""
    try:
        # The standard parser tells the line.
        value = json.loads(lock.text.body)
    except json.JSONDecodeError as error:
        raise lock.failure(error.lineno, f"this is no JSON: {error.msg}, at column {error.colno}") from error
    except (UnicodeDecodeError, RecursionError, ValueError) as error:
        raise lock.failure(1, f"this is no JSON: {error}") from error
    if not isinstance(value, dict):
        raise lock.failure(1, f"expected an object, found {_describe(value)}")
    return value


def load_yaml(lock: Lock) -> list[Mapping[str, object]]:
    """The documents of a stream, with texts for all scalars. Raises UnreadableLock."""
    try:
        documents = load_documents(lock.text.body)
    except OddYaml as error:
        raise lock.failure(error.line, f"this is no YAML of a lock file: {error}") from error
    for document in documents:
        if not isinstance(document, dict):
            raise lock.failure(1, f"expected a mapping, found {_describe(document)}")
    return [document for document in documents if isinstance(document, dict)]


def _describe(value: object) -> str:
    match value:
        case None:
            return "nothing"
        case dict():
            return "a mapping"
        case list():
            return "a list"
    return repr(value)[:80]
