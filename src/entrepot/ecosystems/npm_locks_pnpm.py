"""`pnpm-lock.yaml`, versions 5, 6 and 9 (pnpm 3 to 12).

Source: https://github.com/pnpm/spec/tree/master/lockfile, and what pnpm 7 to 12 write.
"""

import re
from collections.abc import Iterator, Mapping

from entrepot.contracts.ecosystem import LockText, Skipped
from entrepot.ecosystems.npm_locks import Lock, Pins, each_once, load_yaml
from entrepot.ecosystems.npm_platforms import read_machines
from entrepot.ecosystems.npm_ranges import parse_version
from entrepot.ecosystems.npm_specs import split_locator
from entrepot.model.selection import Selection

_VERSION = re.compile(r"(5|6|9)(?:\.[0-9]+)?(?:-inlineSpecifiers)?\Z")
_WISHES = ("dependencies", "devDependencies", "optionalDependencies")
_NAME = r"((?:@[^/@]+/)?[^/@]+)"
# `/@acme/foo/1.0.0_peer@2.0.0`: behind the version is which peers it has, or how it was patched. Another registry's
# host may stand before the first slash.
_OLD_KEY = re.compile(rf"(?:[^/@]+)?/{_NAME}/([^/_(]+)(?:[/_(].*)?\Z", re.DOTALL)
# `/@acme/foo@1.0.0(peer@2.0.0)` in version 6, and without the first slash in version 9.
_KEY = re.compile(rf"(?:[^/@]*/)?{_NAME}@([^/(]+)(?:\(.*)?\Z", re.DOTALL)


def read_pnpm_lock(text: LockText) -> Pins:
    """Raises UnreadableLock. A file may hold a lock of pnpm's own parts before that of the project."""
    lock = Lock(text)
    documents = load_yaml(lock)
    if not documents:
        raise lock.failure(1, "this is no lock file of pnpm: it is empty")
    return each_once(pin for document in documents for pin in _pins(lock, document))


def _pins(lock: Lock, document: Mapping[str, object]) -> Iterator[Selection | Skipped]:
    said = lock.word(document.get("lockfileVersion"), "lockfileVersion")
    found = _VERSION.match(said)
    if not found:
        raise lock.failure_at("lockfileVersion", f"versions 5, 6 and 9 are understood, this is {said!r:.40}")
    for key, value in lock.members(document.get("packages"), "packages:").items():
        yield _pin(lock, key, lock.members(value, key), old=found[1] == "5")
    importers = lock.members(document.get("importers"), "importers:")
    for name, value in {**importers, "dependencies:": document}.items():
        yield from _links(lock, name, lock.members(value, name))


def _pin(lock: Lock, key: str, entry: Mapping[str, object], *, old: bool) -> Selection | Skipped:
    resolution = lock.members(entry.get("resolution"), key)
    found = (_OLD_KEY if old else _KEY).match(key)
    if not found or not parse_version(found[2]) or "type" in resolution or "directory" in resolution:
        name = lock.word(entry.get("name"), key) or split_locator(key)[0]
        return lock.elsewhere(name, _place(lock, key, resolution))
    machines = read_machines(entry.get("os"), entry.get("cpu"), entry.get("libc"))
    return lock.pin(found[1], found[2], integrity=lock.word(resolution.get("integrity"), key), machines=machines)


def _place(lock: Lock, key: str, resolution: Mapping[str, object]) -> str:
    kind = lock.word(resolution.get("type"), key)
    if kind == "git":
        return "git+"
    return "file:" if kind == "directory" or "directory" in resolution else lock.word(resolution.get("tarball"), key)


def _links(lock: Lock, name: str, importer: Mapping[str, object]) -> Iterator[Skipped]:
    """What a project takes from a folder beside it."""
    for kind in _WISHES:
        for package, value in lock.members(importer.get(kind), name).items():
            version = value.get("version") if isinstance(value, dict) else value
            if isinstance(version, str) and version.startswith("link:"):
                yield lock.elsewhere(package, version)
