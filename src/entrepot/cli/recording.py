"""What a run used: the bill of its session, as a file, and a few lines about it."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from entrepot.cli.tables import count_text
from entrepot.errors import EntrepotError


class CannotWrite(EntrepotError):
    """A file of the person's own."""


class Bill(msgspec.Struct, frozen=True, kw_only=True):
    """As a server tells it."""

    sbom: str
    components: int
    files: int
    incomplete: list[str]
    untouched: list[str]


def read_bill(answer: object) -> Bill:
    return msgspec.convert(answer, Bill)


def check_writable(file: Path) -> None:
    """Before the command runs: it may take long. Raises CannotWrite."""
    if file.is_dir() or not os.access(file.parent, os.W_OK):
        raise CannotWrite(f"{file}: no file can be written there; name one in a directory that is there")


def write_bill(file: Path, bill: Bill) -> None:
    """All of it or nothing. Raises CannotWrite."""
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as written:
                written.write(bill.sbom)
                os.fchmod(descriptor, 0o666 & ~_umask())
            Path(name).replace(file)
        except BaseException:
            with suppress(FileNotFoundError):
                Path(name).unlink()
            raise
    except OSError as error:
        raise CannotWrite(f"{file}: the bill cannot be written: {error.strerror}") from error


def _umask() -> int:
    """It can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def lines_of(file: Path, bill: Bill, session: str) -> Iterator[str]:
    """For people."""
    counted = f"{count_text(bill.components, 'component')} ({count_text(bill.files, 'file')})"
    yield f"entrepot: {file}: {counted} were served in session {session}"
    for reason in bill.incomplete:
        yield f"entrepot: warning: {file} is incomplete: {reason}"
    if bill.untouched:
        some = ", ".join(bill.untouched[:5]) + (" …" if len(bill.untouched) > 5 else "")
        yield (
            f"entrepot: note: {count_text(len(bill.untouched), 'package')} looked up without fetching a file ({some}): "
            f"what a client has in a cache of its own is not in {file}; docs/sessions.md says how to switch these off"
        )
    elif not bill.files:
        yield f"entrepot: note: no file was asked for: what a client has in a cache of its own is not in {file}"
