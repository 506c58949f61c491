"""What a Go module proxy's documents say, and what of them a client is shown."""

import re
from collections.abc import Iterator, Set
from datetime import datetime
from typing import Annotated

import msgspec

from entrepot.ecosystems.golang_names import is_pseudo, unescape
from entrepot.errors import BadContent, UnreadableIndex
from entrepot.model.release import Document, Release
from entrepot.model.versions import parse_go_version

_LARGEST_INFO = 1 << 20


class _Info(msgspec.Struct):
    """What `.info` and `@latest` answer; proxies may add fields."""

    Version: str
    Time: Annotated[datetime, msgspec.Meta(tz=True)] | None = None


def read_text(document: Document) -> str:
    try:
        return document.body.read().decode()
    except UnicodeDecodeError as error:
        raise UnreadableIndex(f"{document.place}: not UTF-8 text") from error


def read_list(document: Document, module: str) -> Iterator[Release]:
    """One version a line, perhaps with its time; the go command too passes over lines that it does not know."""
    text = read_text(document)
    if text.lstrip().startswith("<"):
        raise UnreadableIndex(f"{document.place}: a list of versions was expected, this is a web page")
    package = unescape(module) or module
    for line in text.splitlines():
        words = line.split()
        if words and parse_go_version(words[0]):
            published = _moment(words[1]) if len(words) > 1 else None
            yield Release(package=package, version=words[0], files=(), published=published)


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def read_info(document: Document) -> Release:
    place = document.place
    try:
        info = msgspec.json.decode(document.body.read(), type=_Info)
    except msgspec.MsgspecError as error:
        raise UnreadableIndex(f"{place}: not the description of a version: {error}") from error
    if not parse_go_version(info.Version):
        raise UnreadableIndex(f"{place}: {info.Version[:200]!r} is no canonical version")
    module = re.split(r"/@v/|/@latest$", place)[0]
    return Release(package=unescape(module) or module, version=info.Version, files=(), published=info.Time)


def check_info(document: Document, version: str) -> None:
    """The go command refuses the description of another version than it asked for. Raises BadContent."""
    if len(document.body.read(_LARGEST_INFO + 1)) > _LARGEST_INFO:
        raise BadContent(f"{document.place}: too long for the description of a version")
    document.body.seek(0)
    found = read_info(document)
    if found.version != version:
        raise BadContent(f"{document.place}: it describes {found.version}")


def shown_list(document: Document, hidden: Set[str]) -> bytes | None:
    """The versions that a list should have, in their order: what is no version is left out, and so are those of
    commits, which would keep the go command from newer ones. None where the list is so already."""
    text = read_text(document)
    lines = {words[0]: line for line in text.splitlines() if (words := line.split())}
    known = {version: order for version in lines if (order := parse_go_version(version)) and not is_pseudo(version)}
    shown = "".join(f"{lines[version]}\n" for version in sorted(known, key=known.__getitem__) if version not in hidden)
    return None if shown == text else shown.encode()
