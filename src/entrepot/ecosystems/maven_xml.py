"""Maven's XML: read without entities and without any contact, whatever namespace it is in."""

from collections.abc import Iterator

from lxml import etree

from entrepot.errors import UnreadableIndex
from entrepot.model.release import Document


def read_xml(document: Document, outermost: str, *, lenient: bool = False) -> etree._Element:
    """The outermost element, which must have this name. `lenient`: with entities that nobody declared, as they stand in
    old POMs (Maven knows those of HTML). Raises UnreadableIndex."""
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        # A text goes on behind them, for Maven as for us.
        remove_comments=True,
        remove_pis=True,
        recover=lenient,
    )
    try:
        root = etree.fromstring(document.body.read(), parser)
    except (etree.XMLSyntaxError, LookupError, ValueError) as error:
        raise UnreadableIndex(f"{document.place}: not XML: {error}") from error
    if root is None:
        raise UnreadableIndex(f"{document.place}: not XML")
    if root.getroottree().docinfo.internalDTD is not None:
        raise UnreadableIndex(f"{document.place}: it declares a document type, which no such file needs")
    if name_of(root) != outermost:
        raise UnreadableIndex(f"{document.place}: <{outermost}> was expected, this is <{name_of(root)[:80]}>")
    return root


def name_of(element: etree._Element) -> str:
    """Without its namespace."""
    return etree.QName(element).localname


def children(element: etree._Element, *path: str) -> Iterator[etree._Element]:
    """Those that a path of names leads to, in any namespace."""
    return iter(element.findall("/".join(f"{{*}}{name}" for name in path)))


def text_of(element: etree._Element, *path: str) -> str:
    """The text of the first that a path of names leads to; empty where there is none."""
    return next((_own(found) for found in children(element, *path)), "") if path else _own(element)


def _own(element: etree._Element) -> str:
    return (element.text or "").strip()
