"""Lists of packages, as people write them and as `dpkg --get-selections` does."""

import re
from collections.abc import Iterable

from entrepot.contracts.closure import Skipped
from entrepot.contracts.ecosystem import LockText
from entrepot.errors import UnreadableLock
from entrepot.model.selection import Selection

_LINE = re.compile(
    r"(?P<name>[a-z0-9][a-z0-9+.-]+)(?::[a-z0-9-]+)?(?:=(?P<version>\S+)|[ \t]+(?P<state>install|hold))?\Z"
)


def read_package_list(text: LockText) -> Iterable[Selection | Skipped]:
    """One selection of all its lines: so the indexes are read once. Raises UnreadableLock."""
    try:
        lines = text.body.decode().splitlines()
    except UnicodeDecodeError as error:
        raise UnreadableLock(f"{text.name}: is not UTF-8 text") from error
    names: dict[str, None] = {}
    for number, line in enumerate(lines, 1):
        words = line.partition("#")[0].strip()
        if not words or words.endswith(("deinstall", "purge")):
            continue
        found = _LINE.match(words)
        if not found:
            raise UnreadableLock(
                f"{text.name}:{number}: {words[:80]!r} is no package; write NAME or NAME=VERSION, one in a line"
            )
        names[f"{found['name']}={found['version']}" if found["version"] else found["name"]] = None
    if names:
        first, *others = names
        name, _, version = first.partition("=")
        yield Selection(package=name, version=version, parts=tuple(others), extent=text.extent)
