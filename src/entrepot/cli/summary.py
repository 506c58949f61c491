"""What a run was served, and from where, in a few lines."""

from collections.abc import Mapping

from entrepot.cli.counts import Counts, total_of
from entrepot.cli.tables import count_text, size_text


def summary(counts: Mapping[str, Counts]) -> list[str]:
    """One line for each repository that was asked, and one for all where they are several."""
    asked = {name: one for name, one in counts.items() if one.requests}
    if not asked:
        return ["entrepot: no package manager asked for anything"]
    lines = [f"entrepot: {name}: {_line(one)}" for name, one in asked.items()]
    if len(asked) > 1:
        lines.append(f"entrepot: together: {_line(total_of(list(asked.values())))}")
    return lines


def _line(counts: Counts) -> str:
    parts = [
        count_text(counts.requests, "request"),
        count_text(counts.served_from_store, "hit"),
        count_text(counts.misses, "miss"),
        *([f"{counts.stale} stale"] if counts.stale else []),
        *([count_text(counts.errors, "error")] if counts.errors else []),
    ]
    return (
        f"{', '.join(parts)}; {size_text(counts.bytes_sent)} served, {size_text(counts.bytes_saved)} of it not "
        f"downloaded again; {count_text(counts.upstream_requests, 'upstream request')}"
    )
