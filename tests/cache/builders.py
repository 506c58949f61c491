"""Entries and resources with defaults."""

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from entrepot.cache.freshness import FreshnessRules
from entrepot.model.entry import Entry
from entrepot.model.headers import Headers
from entrepot.model.resource import Kind, Resource

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
RULES = FreshnessRules()
FILE = Resource(key="files/a-1.0.tgz", path="files/a-1.0.tgz", kind=Kind.ARTIFACT)
INDEX = Resource(key="a/", path="a/", kind=Kind.INDEX)
SIGNED = Resource(key="dists/Release", path="dists/Release", kind=Kind.SIGNED)


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def entry_of(fields: Iterable[tuple[str, str]] = (), **changes: Any) -> Entry:
    """Validated at noon."""
    entry = Entry(
        repository="repo",
        key="a/",
        sha256=hashlib.sha256(b"").hexdigest(),
        size_bytes=0,
        headers=Headers(fields),
        url="https://registry.example/a/",
        upstream="https://registry.example/",
        stored_at=NOON,
        validated_at=NOON,
    )
    return replace(entry, **changes)
