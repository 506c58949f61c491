"""XML of strangers: read a piece at a time, without entities, network or huge trees."""

import io
import re
from collections.abc import Iterator, Sequence
from typing import Final

from lxml import etree

from entrepot.errors import UnreadableBill

_ANY: Final = "*"
_PLACE: Final = re.compile(r",( use XML_PARSE_HUGE option,)? line \d+, column \d+\Z")
"""How the parser's messages end, and what it advises its programmers."""


def root_of(body: bytes) -> etree._Element:
    """The outermost element, without what is in it. Raises UnreadableBill."""
    return next(_events(body, _ANY, "start"))


def elements(body: bytes, tag: str | Sequence[str]) -> Iterator[etree._Element]:
    """Each such element when it is complete; `{*}` stands for any namespace. Raises UnreadableBill."""
    return _events(body, tag, "end")


def forget(element: etree._Element) -> None:
    """Give back the memory of an element that was read, and of its elder siblings."""
    parent = element.getparent()
    element.clear()
    while parent is not None and parent[0] is not element:
        del parent[0]


def name_of(element: etree._Element) -> str:
    """Without its namespace."""
    return etree.QName(element).localname


def children(element: etree._Element, *path: str) -> list[etree._Element]:
    """Those that a path of names leads to, in any namespace."""
    return element.findall("/".join(f"{{*}}{name}" for name in path))


def text(element: etree._Element, name: str) -> str:
    """The text of the first child of this name; empty where there is none."""
    return (element.findtext(f"{{*}}{name}") or "").strip()


def _events(body: bytes, tag: str | Sequence[str], event: str) -> Iterator[etree._Element]:
    reader = etree.iterparse(
        io.BytesIO(body),
        events=(event,),
        tag=tag,
        load_dtd=False,
        no_network=True,
        resolve_entities=False,
        remove_comments=True,
        remove_pis=True,
        huge_tree=False,
    )
    checked = False
    try:
        for _, element in reader:
            if not checked and element.getroottree().docinfo.internalDTD is not None:
                raise UnreadableBill("is XML with a document type of its own, which no bill needs")
            checked = True
            yield element
    except etree.XMLSyntaxError as error:
        line, column = error.position
        raise UnreadableBill(f"line {line}, column {column}: {_PLACE.sub('', error.msg)}") from error
    except (LookupError, UnicodeError) as error:
        raise UnreadableBill(f"is XML in an encoding that is not known: {error}") from error
