"""`package-lock.json` and `npm-shrinkwrap.json`, versions 1 to 3.

Source: "package-lock.json" in the documentation of npm, and what npm 11 writes.
"""

from collections.abc import Iterator, Mapping

from entrepot.contracts.ecosystem import LockText, Skipped
from entrepot.ecosystems.npm_locks import Lock, Pins, each_once, load_json
from entrepot.ecosystems.npm_platforms import read_machines
from entrepot.ecosystems.npm_specs import split_locator
from entrepot.model.selection import Selection

_FOLDER = "node_modules/"
_WISHES = ("dependencies", "devDependencies", "optionalDependencies", "peerDependencies")


def read_package_lock(text: LockText) -> Pins:
    """Raises UnreadableLock."""
    lock = Lock(text)
    members = load_json(lock)
    version = members.get("lockfileVersion", 1)
    if version not in (1, 2, 3):
        raise lock.failure_at("lockfileVersion", f"versions 1 to 3 are understood, this is {version!r:.40}")
    if "packages" in members:
        return each_once(_installed(lock, lock.members(members["packages"], '"packages"')))
    if "dependencies" not in members and "lockfileVersion" not in members:
        raise lock.failure(1, "this is no lock file of npm: it has neither packages nor dependencies")
    return each_once(_nested(lock, lock.members(members.get("dependencies"), '"dependencies"')))


def _installed(lock: Lock, packages: Mapping[str, object]) -> Iterator[Selection | Skipped]:
    """Versions 2 and 3: by the folder where each is installed."""
    entries = {folder: lock.members(value, f'"{folder}"') for folder, value in packages.items()}
    addresses = {spec for entry in entries.values() for spec in _addresses(entry)}
    for folder, entry in entries.items():
        _, found, place = folder.rpartition(_FOLDER)
        # What is in no such folder is a part of the project itself; bundled ones are inside another's tarball.
        if found and not entry.get("inBundle"):
            yield _pin_installed(lock, folder, place, entry, addresses)


def _addresses(entry: Mapping[str, object]) -> Iterator[str]:
    """What a package wants from an address of its own, which an entry does not tell."""
    for kind in _WISHES:
        wishes = entry.get(kind)
        specs = wishes.values() if isinstance(wishes, dict) else ()
        yield from (spec for spec in specs if isinstance(spec, str) and "://" in spec)


def _pin_installed(
    lock: Lock, folder: str, place: str, entry: Mapping[str, object], addresses: set[str]
) -> Selection | Skipped:
    key = f'"{folder}"'
    name = lock.word(entry.get("name"), key) or place
    version, resolved = lock.word(entry.get("version"), key), lock.word(entry.get("resolved"), key)
    if entry.get("link"):
        return lock.elsewhere(name, f"link:{resolved}")
    if resolved in addresses or (resolved and not resolved.startswith(("http:", "https:"))):
        return lock.elsewhere(name, resolved)
    if not version:
        return Skipped(subject=name, reason="the lock file has no version of it")
    machines = read_machines(entry.get("os"), entry.get("cpu"), entry.get("libc"))
    return lock.pin(name, version, integrity=lock.word(entry.get("integrity"), key), machines=machines)


def _nested(lock: Lock, dependencies: Mapping[str, object]) -> Iterator[Selection | Skipped]:
    """Version 1: each has its own dependencies below itself."""
    waiting = [dependencies]
    while waiting:
        for name, value in waiting.pop().items():
            key = f'"{name}"'
            entry = lock.members(value, key)
            waiting.append(lock.members(entry.get("dependencies"), key))
            if not entry.get("bundled"):
                yield _pin_nested(lock, name, key, entry)


def _pin_nested(lock: Lock, name: str, key: str, entry: Mapping[str, object]) -> Selection | Skipped:
    version = lock.word(entry.get("version"), key)
    if version.startswith("npm:"):
        name, version = split_locator(version.removeprefix("npm:"))
    if ":" in version or "/" in version:
        return lock.elsewhere(name, version)
    return lock.pin(name, version, integrity=lock.word(entry.get("integrity"), key))
