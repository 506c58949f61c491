"""What go.sum and go.mod files pin."""

import re
from collections.abc import Iterator
from dataclasses import replace

from entrepot.contracts.closure import Skipped
from entrepot.contracts.ecosystem import LockText
from entrepot.ecosystems.golang_closure import GRAPH
from entrepot.ecosystems.golang_mod import ModFile, Required, read_own_mod
from entrepot.ecosystems.golang_names import is_canonical, is_module_path
from entrepot.errors import UnreadableLock
from entrepot.model.digest import Digest
from entrepot.model.selection import Depth, Selection

_DIGEST = re.compile(r"(?P<algorithm>[a-z0-9]+):(?P<value>[A-Za-z0-9+/]+=*)\Z")


def read_sums(lock: LockText) -> Iterator[Selection | Skipped]:
    """The files of a go.sum or go.work.sum, with their digests. Raises UnreadableLock."""
    found: dict[tuple[str, str, str], list[Digest]] = {}
    for number, line in enumerate(_text_of(lock).splitlines(), 1):
        words = line.split()
        if words:
            file, digest = _read_sum(words, f"{lock.name}: line {number}")
            found.setdefault(file, []).extend([digest] if digest else [])
    for (module, version, extension), digests in found.items():
        yield Selection(
            package=module,
            version=version,
            files=(f"{version}.{extension}",),
            digests=tuple(dict.fromkeys(digests)),
            extent=lock.extent,
        )


def _read_sum(words: list[str], place: str) -> tuple[tuple[str, str, str], Digest | None]:
    wanted = "MODULE VERSION[/go.mod] h1:DIGEST"
    if len(words) != 3:
        raise UnreadableLock(f"{place}: {len(words)} words where a line of go.sum has three: {wanted}")
    module, version, digest = words[0], words[1].removesuffix("/go.mod"), _DIGEST.match(words[2])
    if not is_module_path(module) or not is_canonical(module, version):
        raise UnreadableLock(f"{place}: {module[:200]} {version[:200]} is no module at a version; wanted: {wanted}")
    if not digest:
        raise UnreadableLock(f"{place}: {words[2][:200]!r} is no digest; wanted: {wanted}")
    extension = "mod" if words[1].endswith("/go.mod") else "zip"
    # The go command too passes over digests by algorithms that it does not know.
    known = Digest("h1", digest["value"]) if digest["algorithm"] == "h1" else None
    return (module, version, extension), known


def read_mod_lock(lock: LockText) -> Iterator[Selection | Skipped]:
    """What a program's own go.mod requires, after its replacements and exclusions. Raises UnreadableLock."""
    mod = read_own_mod(_text_of(lock), lock.name)
    # Before Go 1.17 a go.mod named only what is imported directly.
    deeper = lock.extent.depth is Depth.NONE and not mod.is_complete
    extent = replace(lock.extent, depth=Depth.RUNTIME) if deeper else lock.extent
    for one in dict.fromkeys(mod.requires):
        if one in mod.excludes:
            continue
        used = _replaced(mod, one)
        if used != one and not used.version:
            yield Skipped(subject=f"{one.path} {one.version}", reason=f"{lock.name} replaces it by {used.path}")
            continue
        yield Selection(package=used.path, version=used.version, parts=(GRAPH,), extent=extent)


def _replaced(mod: ModFile, one: Required) -> Required:
    return mod.replaces.get(one) or mod.replaces.get(Required(one.path, "")) or one


def _text_of(lock: LockText) -> str:
    try:
        return lock.body.decode()
    except UnicodeDecodeError as error:
        line = lock.body.count(b"\n", 0, error.start) + 1
        raise UnreadableLock(f"{lock.name}: line {line}: not UTF-8 text") from error
