"""What was exported and imported, told to people."""

import json
from collections.abc import Iterable, Iterator

import msgspec

from entrepot.cli.tables import size_text, table

MOST_LINES = 20


class ExportAnswer(msgspec.Struct):
    path: str
    missing: list[str]
    skipped: list[str]
    store: str = ""
    number: int = 0
    entries: int = 0
    bodies: int = 0
    bodies_bytes: int = 0
    signer: str = ""
    files: int = 0
    size_bytes: int = 0
    left_out: list[str] = []


class RepositoryAnswer(msgspec.Struct):
    name: str
    ecosystem: str
    upstreams: list[str]
    entries: int


class ImportAnswer(msgspec.Struct):
    store: str
    number: int
    what: str
    signer: str
    dry_run: bool
    complete: bool
    repositories: dict[str, dict[str, int]]
    told: list[str]
    missing: list[RepositoryAnswer]
    warnings: list[str]


class WrittenAnswer(msgspec.Struct):
    number: int
    since: int | None
    written_at: str
    what: str
    entries: int
    size_bytes: int


class TakenAnswer(msgspec.Struct):
    store: str
    number: int
    signer: str
    taken_at: str
    entries: int


class BundlesAnswer(msgspec.Struct):
    store: str
    written: list[WrittenAnswer]
    taken: list[TakenAnswer]


def read_export(answer: object) -> ExportAnswer:
    return msgspec.convert(answer, ExportAnswer)


def read_import(answer: object) -> ImportAnswer:
    return msgspec.convert(answer, ImportAnswer)


def read_bundles(answer: object) -> BundlesAnswer:
    return msgspec.convert(answer, BundlesAnswer)


# --- export -----------------------------------------------------------------------------------------------------------


def export_lines(answer: ExportAnswer) -> Iterator[str]:
    if not answer.path:
        yield "nothing was written" if answer.missing else "nothing was written: there is nothing (new) to export"
        return
    if not answer.number:
        yield f"wrote {answer.files} files, {size_text(answer.size_bytes)}, below {answer.path}"
        return
    yield (
        f"wrote bundle {answer.number} of store {answer.store}: {answer.entries} entries, {answer.bodies} bodies, "
        f"{size_text(answer.bodies_bytes)}, to {answer.path}"
    )
    yield f"signed by {answer.signer}" if answer.signer else "not signed: whoever imports it has to --allow-unsigned"


def lacking_lines(answer: ExportAnswer) -> Iterator[str]:
    yield from _some("not held", answer.missing)
    yield from _some("left out", answer.left_out)
    yield from _some("skipped", answer.skipped)
    if answer.missing and not answer.path:
        yield "entrepot: mirror it first (entrepot mirror …), or export what there is with --partial"


# --- import -----------------------------------------------------------------------------------------------------------


def import_lines(answer: ImportAnswer) -> Iterator[str]:
    did = "checked" if answer.dry_run else "took over"
    yield f"{did} bundle {answer.number} of store {answer.store}: {answer.what}"
    yield f"signed by {answer.signer}" if answer.signer else "not signed by anybody who is trusted: no dates, no pins"
    for name, fates in answer.repositories.items():
        told = ", ".join(f"{count} {fate}" for fate, count in fates.items())
        yield f"  {name}: {told}"


def import_notes(answer: ImportAnswer) -> Iterator[str]:
    for warning in answer.warnings:
        yield f"entrepot: warning: {warning}"
    yield from _some("note", answer.told)
    for one in answer.missing:
        yield (
            f"entrepot: there is no repository {one.name} of ecosystem {one.ecosystem} here; its {one.entries} entries "
            "were not taken over. To have it, add this and import again (or say --into "
            f"{one.name}=OURS):"
        )
        yield from ("", f"[repositories.{one.name}]", f"ecosystem = {json.dumps(one.ecosystem)}")
        yield from (f"upstreams = {json.dumps(one.upstreams)}", 'network = "offline"', "")


# --- history ----------------------------------------------------------------------------------------------------------


def bundle_lines(answer: BundlesAnswer) -> Iterator[str]:
    yield f"this is store {answer.store}"
    if answer.written:
        yield ""
        head = ("written", "at", "since", "entries", "size", "what")
        yield from table([head, *map(_written_row, answer.written)])
    if answer.taken:
        yield ""
        head_taken = ("taken over", "at", "of store", "new", "signed by")
        yield from table([head_taken, *map(_taken_row, answer.taken)])


def _written_row(one: WrittenAnswer) -> tuple[str, ...]:
    since = str(one.since) if one.since is not None else "-"
    return (str(one.number), one.written_at[:16], since, str(one.entries), size_text(one.size_bytes), one.what)


def _taken_row(one: TakenAnswer) -> tuple[str, ...]:
    return (str(one.number), one.taken_at[:16], one.store, str(one.entries), one.signer or "nobody")


def _some(title: str, lines: Iterable[str]) -> Iterator[str]:
    told = list(lines)
    for line in told[:MOST_LINES]:
        yield f"entrepot: {title}: {line}"
    if len(told) > MOST_LINES:
        yield f"entrepot: {title}: and {len(told) - MOST_LINES} more; --json lists all of them"
