"""How cargo is pointed at us, how to find where it points today, and what its lock file is for.

Cargo takes source replacement from files and from `--config` only: no environment variable does it (tried with 1.95).
"""

from urllib.parse import urlsplit, urlunsplit

import msgspec
from msgspec import toml

from entrepot.contracts.ecosystem import Client, FoundAt, Lockfile
from entrepot.ecosystems.cargo_locks import read_cargo_lock

_SPARSE = "sparse+"
_LONGEST_CHAIN = 16


class _Source(msgspec.Struct, rename="kebab"):
    replace_with: str = ""
    registry: str = ""


class _Registry(msgspec.Struct):
    index: str = ""


class _Config(msgspec.Struct):
    source: dict[str, _Source] = {}
    registries: dict[str, _Registry] = {}


def read_config(text: str) -> str | None:
    """What replaces the default registry, if that is a sparse index. One that is only added is not what replaces it."""
    try:
        config = toml.decode(text, type=_Config)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    name, address = "crates-io", ""
    for _ in range(_LONGEST_CHAIN):
        source = config.source.get(name, _Source())
        if not source.replace_with:
            break
        name = source.replace_with
        address = config.source.get(name, _Source()).registry or config.registries.get(name, _Registry()).index
    return _plain(address)


def _plain(address: str) -> str | None:
    """The URL of a sparse index without credentials; None for any other."""
    if not address.startswith(_SPARSE):
        return None
    try:
        parts = urlsplit(address.removeprefix(_SPARSE))
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return None
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


CARGO = Client(
    name="cargo",
    command="cargo",
    arguments=(
        "--config",
        "source.crates-io.replace-with='entrepot'",
        "--config",
        "source.entrepot.registry='sparse+{url}/'",
    ),
    found_at=tuple(
        FoundAt(path=path, read=read_config)
        for path in (
            ".cargo/config.toml",
            ".cargo/config",
            "$CARGO_HOME/config.toml",
            "$CARGO_HOME/config",
            "~/.cargo/config.toml",
            "~/.cargo/config",
        )
    ),
    setup=(
        "# ~/.cargo/config.toml\n"
        "[source.crates-io]\n"
        'replace-with = "entrepot"\n\n'
        "[registries.entrepot]\n"
        'index = "sparse+{url}/"'
    ),
)

CLIENTS = (CARGO,)

LOCKFILES = (
    Lockfile(
        name="Cargo.lock",
        remedy="Cargo.lock names the registry that a dependency was declared with. Replace the default registry by us "
        "(`[source.crates-io] replace-with`), take `registry = …` out of Cargo.toml, and run "
        "`cargo generate-lockfile`: then no address of ours is written.",
        read=read_cargo_lock,
    ),
)
