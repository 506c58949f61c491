"""Documents that are handed to a server: files, and what comes on standard input."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from entrepot.cli.tables import size_text
from entrepot.errors import EntrepotError, TooLarge
from entrepot.web.orders import LARGEST_ORDER

STANDARD_INPUT: Final = "standard input"

Document = dict[str, str | bytes]
"""As `web.orders.Document` is written, but for its bytes, which are handed over as they are."""


class CannotRead(EntrepotError):
    """A file of the person's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What stood where package URLs stand."""

    purls: list[str]
    documents: list[Document]


def documents_of(files: Sequence[Path]) -> list[Document]:
    """Raises CannotRead, TooLarge."""
    return [_document(file.name, _read(file)) for file in files]


def read_input(purls: Sequence[str], stream: BinaryIO) -> Given:
    """With what is on standard input in place of `-`: package URLs, one a line, or a bill of materials. Raises
    TooLarge."""
    named = [purl for purl in purls if purl != "-"]
    if "-" not in purls:
        return Given(purls=named, documents=[])
    body = stream.read(LARGEST_ORDER + 1)
    lines = [line.strip() for line in body.decode("utf-8", "replace").splitlines()]
    told = [line for line in lines if line and not line.startswith("#")]
    if told and not told[0].lower().startswith("pkg:"):
        return Given(purls=named, documents=[_document(STANDARD_INPUT, body)])
    return Given(purls=[*named, *told], documents=[])


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            return stream.read(LARGEST_ORDER + 1)
    except OSError as error:
        raise CannotRead(f"{file}: cannot be read: {error.strerror}; name a readable file") from error


def _document(name: str, body: bytes) -> Document:
    if len(body) > LARGEST_ORDER:
        raise TooLarge(f"{name}: larger than {size_text(LARGEST_ORDER)}, which is as much as an order takes")
    if not body.strip():
        raise CannotRead(f"{name}: there is nothing in it")
    return {"name": name, "base64": body}
