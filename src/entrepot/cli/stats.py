"""`entrepot stats`: what was served from where, and what is stored."""

import json
from collections.abc import Mapping
from typing import Annotated

import typer

from entrepot.cli.context import ConfigOption, DataOption
from entrepot.cli.counts import Counts, Stats, read_stats, total_of
from entrepot.cli.lazy import new_app
from entrepot.cli.operating import Operator
from entrepot.cli.tables import count_text, share_text, size_text, table
from entrepot.errors import BadRequest

HEAD = ("repository", "requests", "hits", "hit rate", "misses", "stale", "errors", "served", "saved", "upstream")

app = new_app("Show what was served from where, and what is stored.")


@app.command()
def stats(
    config: ConfigOption = None,
    data: DataOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Every number, as JSON.")] = False,
    metrics: Annotated[bool, typer.Option("--metrics", help="As Prometheus reads it.")] = False,
) -> None:
    """Show what was served from where since the server started, and what is stored."""
    if as_json and metrics:
        raise BadRequest("--json and --metrics are two ways to say the same; choose one")
    operator = Operator(config, data)
    if metrics:
        print(operator.call("metrics"), end="")
        return
    answer = operator.call("stats")
    if as_json:
        print(json.dumps(answer, indent=2))
        return
    for line in lines_of(read_stats(answer)):
        print(line)


def lines_of(told: Stats) -> list[str]:
    """The same for people."""
    stored = told.stored
    asked = {name: counts for name, counts in told.repositories.items() if counts.requests}
    lines = _counts(asked) if asked else ["nothing was asked for since the server started"]
    lines.append("")
    lines.append(
        f"stored: {count_text(stored.entries, 'entry')}, {count_text(stored.blobs, 'file')}, {size_text(stored.bytes)}"
    )
    lines.append(f"evicted: {size_text(told.evicted_bytes)}")
    lines.append(f"quarantined: {count_text(told.quarantined, 'file')}")
    return lines


def _counts(asked: Mapping[str, Counts]) -> list[str]:
    rows = [HEAD, *(_row(name, counts) for name, counts in asked.items())]
    if len(asked) > 1:
        rows.append(_row("together", total_of(list(asked.values()))))
    return table(rows)


def _row(name: str, counts: Counts) -> tuple[str, ...]:
    return (
        name,
        str(counts.requests),
        str(counts.served_from_store),
        share_text(*counts.hit_share),
        str(counts.misses),
        str(counts.stale),
        str(counts.errors),
        size_text(counts.bytes_sent),
        size_text(counts.bytes_saved),
        str(counts.upstream_requests),
    )
