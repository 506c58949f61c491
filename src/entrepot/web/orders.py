"""Orders to mirror, as programs and our own commands write them (policy §7)."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Annotated, Final, Literal

import msgspec

from entrepot.errors import BadRequest, TooLarge
from entrepot.mirror.recognition import lock_name_of
from entrepot.model.order import MirrorOrder, Paper, PaperKind
from entrepot.model.platforms import parse_platform
from entrepot.model.selection import Depth, Extent

LARGEST_ORDER: Final = 64 << 20
"""Bytes of all documents of an order together."""
LONGEST_NAME: Final = 255
"""Characters of a document's name, which stands before everything that is told of it."""
LONGEST_PURL: Final = 4096
LONGEST_TITLE: Final = 200
MOST_AT_A_TIME: Final = 256
MOST_VERSIONS: Final = 1_000_000

_Name = Annotated[str, msgspec.Meta(max_length=LONGEST_NAME)]
_Purl = Annotated[str, msgspec.Meta(max_length=LONGEST_PURL)]


class Document(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A bill of materials or a lock file: its file name, and its content as text or in base64."""

    name: _Name = ""
    text: str = ""
    base64: bytes = b""


_Documents = str | Document | list[str | Document]


class OrderBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What to mirror. At least one of `purls`, `sbom`, `lockfile` and `trees` says something."""

    purls: Annotated[
        list[_Purl],
        msgspec.Meta(description="Package URLs: with a version, with comparisons (`@>=4.17`), or without (all)."),
    ] = []
    sbom: Annotated[
        _Documents, msgspec.Meta(description="Bills of materials, CycloneDX or SPDX: the text itself, or an object.")
    ] = ""
    lockfile: Annotated[
        _Documents, msgspec.Meta(description="Lock files: the text itself, or an object that tells the name, too.")
    ] = ""
    lockfile_name: Annotated[
        _Name, msgspec.Meta(description="The file name of a lock file that is given as a text.")
    ] = ""
    trees: Annotated[list[_Purl], msgspec.Meta(description="Directories of ours: `/REPOSITORY/FOLDER/`.")] = []
    dependencies: Annotated[
        Literal["none", "runtime", "all"], msgspec.Meta(description="Which dependencies come along.")
    ] = "none"
    platforms: Annotated[
        list[str], msgspec.Meta(description="Where the packages will be used, like `linux/amd64`; none: everywhere.")
    ] = []
    latest: Annotated[
        Annotated[int, msgspec.Meta(ge=1, le=MOST_VERSIONS)] | None,
        msgspec.Meta(description="Only so many of the newest versions, where none is named."),
    ] = None
    repositories: Annotated[
        list[str], msgspec.Meta(description="The only repositories to use; none: whichever serves the kind.")
    ] = []
    concurrency: Annotated[
        Annotated[int, msgspec.Meta(ge=1, le=MOST_AT_A_TIME)] | None,
        msgspec.Meta(description="Files fetched at a time."),
    ] = None
    validate: Annotated[bool, msgspec.Meta(description="Whether bills of materials must agree with their schema.")] = (
        False
    )


def order_of(body: Mapping[str, object], repositories: Collection[str]) -> MirrorOrder:
    """`repositories`: the names that there are. Raises BadRequest, TooLarge."""
    unknown = sorted(set(body) - set(OrderBody.__struct_fields__))
    if unknown:
        known = ", ".join(OrderBody.__struct_fields__)
        raise BadRequest(f"an order has no {', '.join(map(repr, unknown))}; it may have: {known}")
    try:
        given = msgspec.convert(body, OrderBody)
    except msgspec.ValidationError as error:
        raise BadRequest(f"the order cannot be understood: {error}") from error
    papers = (*_bills(given), *_locks(given))
    if sum(len(paper.body) for paper in papers) > LARGEST_ORDER:
        raise TooLarge(f"the documents have more than {LARGEST_ORDER} bytes together; give them in several orders")
    for platform in given.platforms:
        parse_platform(platform)
    _check_names(given.repositories, repositories)
    order = MirrorOrder(
        purls=tuple(given.purls),
        papers=papers,
        trees=tuple(_tree(tree, repositories) for tree in given.trees),
        extent=Extent(depth=Depth(given.dependencies), platforms=tuple(given.platforms), latest=given.latest),
        repositories=tuple(given.repositories),
        concurrency=given.concurrency,
        validate=given.validate,
    )
    if not (order.purls or order.papers or order.trees):
        raise BadRequest("there is nothing to mirror in this order; give purls, sbom, lockfile or trees")
    return order


def title_of(order: MirrorOrder) -> str:
    """A few words about it, for lists of jobs."""
    parts = [*_few(order.purls, "package URLs"), *(paper.name for paper in order.papers), *order.trees]
    title = ", ".join(parts[:3]) + (f" and {len(parts) - 3} more" if len(parts) > 3 else "")
    return title if len(title) <= LONGEST_TITLE else f"{title[: LONGEST_TITLE - 1]}…"


def _few(names: Sequence[str], noun: str) -> Sequence[str]:
    return names if len(names) <= 2 else (f"{len(names)} {noun}",)


def _bills(given: OrderBody) -> Iterator[Paper]:
    for number, document in enumerate(_listed(given.sbom), start=1):
        yield Paper(kind=PaperKind.SBOM, name=document.name or f"sbom {number}", body=_body_of(document))


def _locks(given: OrderBody) -> Iterator[Paper]:
    documents = _listed(given.lockfile)
    for document in documents:
        body = _body_of(document)
        name = document.name or (given.lockfile_name if len(documents) == 1 else "") or lock_name_of(body)
        if not name:
            raise BadRequest(
                'which kind of lock file this is cannot be told from its content; give its file name: "lockfile": '
                '{"name": "uv.lock", "text": "…"}'
            )
        yield Paper(kind=PaperKind.LOCKFILE, name=name, body=body)


def _listed(given: _Documents) -> list[Document]:
    """Those that say something."""
    listed = given if isinstance(given, list) else [given]
    documents = [Document(text=one) if isinstance(one, str) else one for one in listed]
    return [one for one in documents if one.name or one.text or one.base64]


def _body_of(document: Document) -> bytes:
    if bool(document.text) == bool(document.base64):
        raise BadRequest(f'{document.name or "a document"}: give its content, as "text" or as "base64"')
    try:
        return document.text.encode() if document.text else document.base64
    except ValueError as error:
        raise BadRequest(f"{document.name or 'a document'}: its content cannot be read: {error}") from error


def _tree(path: str, repositories: Collection[str]) -> str:
    """With a slash at both ends."""
    name, _, rest = path.strip("/").partition("/")
    _check_names([name], repositories)
    return f"/{name}/{rest}/" if rest else f"/{name}/"


def _check_names(names: Sequence[str], repositories: Collection[str]) -> None:
    for name in names:
        if name not in repositories:
            raise BadRequest(f"there is no repository {name!r}; there are: {', '.join(sorted(repositories))}")
