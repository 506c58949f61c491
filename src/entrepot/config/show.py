"""The configuration in effect, with the origin of every value."""

import json
from collections.abc import Iterator, Mapping

from entrepot.config.discovery import Resolved
from entrepot.config.load import Loaded
from entrepot.config.positions import Key

Row = tuple[str, str, str]
"""Dotted key, value as TOML spells it (nearly), origin."""


def effective_values(loaded: Loaded) -> Iterator[Row]:
    """Every value. Secrets are not among the settings: they stand in files and variables."""
    for key, value in _leaves((), loaded.settings.model_dump(mode="json", by_alias=True)):
        yield ".".join(map(str, key)), json.dumps(value, ensure_ascii=False), loaded.origin(key)


def _leaves(key: Key, value: object) -> Iterator[tuple[Key, object]]:
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from _leaves((*key, name), inner)
    elif not isinstance(value, Mapping) and value is not None:
        yield key, value


def found_upstreams(resolved: Resolved) -> Iterator[Row]:
    """The upstreams of each repository as they will be asked, and what was found for its options."""
    for repository, upstreams in resolved.upstreams.items():
        for position, upstream in enumerate(upstreams, start=1):
            address = upstream.settings.url or "version control, through the go command"
            yield f"{repository} upstream {position}", address, upstream.source
    for repository, reason in resolved.unavailable.items():
        yield f"{repository} upstream", "none", reason
    for repository, options in resolved.found_options.items():
        for name, value in options.items():
            yield f"{repository} option {name}", json.dumps(value), "found on this machine"
