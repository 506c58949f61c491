"""What a job's items say: selections and files as rows, and back."""

import hashlib
from dataclasses import replace
from typing import Literal

import msgspec

from entrepot.cache.repository import Repository
from entrepot.contracts.closure import Need
from entrepot.contracts.mirrors import ItemError, ItemKind, ItemState, MirrorItem, Settled
from entrepot.errors import EntrepotError, NotServed, PolicyError
from entrepot.model.digest import Digest
from entrepot.model.resource import Request, Resource
from entrepot.model.selection import Selection

_decode_selection = msgspec.msgpack.Decoder(tuple[str, Selection]).decode
_encode = msgspec.msgpack.Encoder().encode


class Wanted(msgspec.Struct, frozen=True, array_like=True):
    """A file: what `Ecosystem.route` makes the resource of again, and what it is to people."""

    path: str
    query: str = ""
    accept: str = ""
    absent: Literal["no", "maybe", "yes"] = "no"
    subject: str = ""
    """A purl or, where there is none, a path of ours."""
    digest: Digest | None = None
    """What the order says that it has, where its name does not say so, or its index."""


_decode_wanted = msgspec.msgpack.Decoder(Wanted).decode


def item_of_selection(repository: str, selection: Selection, place: str) -> MirrorItem:
    """`place`: where the selection comes from, for people."""
    return MirrorItem(
        kind=ItemKind.SELECTION,
        repository=repository,
        key=hashlib.sha256(_encode(selection)).hexdigest(),
        payload=_encode((place, selection)),
    )


def selection_of(item: MirrorItem) -> tuple[str, Selection]:
    """Its place, and itself."""
    return _decode_selection(item.payload)


def item_of_named(subject: str) -> MirrorItem:
    """What is no selection, and only told."""
    return MirrorItem(kind=ItemKind.SELECTION, repository="", key=subject)


def item_of_need(repository: Repository, need: Need) -> MirrorItem:
    resource = need.resource
    subject = subject_of(repository, resource)
    wanted = Wanted(resource.key, resource.query, resource.accept, need.absent, subject, resource.digest)
    kind = ItemKind.ABSENCE if need.absent == "yes" else ItemKind.FILE
    return MirrorItem(kind=kind, repository=repository.name, key=resource.stored_key, payload=_encode(wanted))


def item_of_path(repository: str, key: str, subject: str) -> MirrorItem:
    """A file, or a folder's listing, that a walk came by."""
    return MirrorItem(kind=ItemKind.FILE, repository=repository, key=key, payload=_encode(Wanted(key, subject=subject)))


def wanted_of(item: MirrorItem) -> Wanted:
    return _decode_wanted(item.payload)


def resource_of(repository: Repository, item: MirrorItem) -> Resource:
    """What is to be stored, as the repository understands it now. Raises NotServed and other refusals."""
    wanted = wanted_of(item)
    request = Request(method="GET", path=wanted.path, query=wanted.query, accept=wanted.accept)
    resource = repository.ecosystem.route(request)
    if not isinstance(resource, Resource) or resource.stored_key != item.key:
        raise NotServed(f"{repository.name}/{item.key}: the repository serves something else there now")
    return replace(resource, digest=resource.digest or wanted.digest)


def subject_of(repository: Repository, resource: Resource) -> str:
    purl = repository.ecosystem.purl_of(resource, resource.version) if resource.version else None
    return str(purl) if purl is not None else f"/{repository.name}/{resource.key}"


def failure_of(item: MirrorItem, subject: str, error: BaseException) -> Settled:
    """What becomes of an item for an error."""
    state = ItemState.REFUSED if isinstance(error, PolicyError) else ItemState.FAILED
    if isinstance(error, EntrepotError):
        return settle(item, state, error=ItemError(subject=subject, error=str(error), code=error.code))
    said = f"a defect of Entrepot: {type(error).__name__}: {error}"
    return settle(item, state, error=ItemError(subject=subject, error=said, code="internal"))


def forbidden(item: MirrorItem, error: EntrepotError) -> Settled:
    """What upstream will not tell of, and nobody needs: clients are told no more when they ask themselves."""
    subject = wanted_of(item).subject
    said = f"{error}; clients can do without"
    return settle(item, ItemState.SKIPPED, error=ItemError(subject=subject, error=said, code="skipped"))


def settle(item: MirrorItem, state: ItemState, size_bytes: int = 0, error: ItemError | None = None) -> Settled:
    changed = MirrorItem(
        kind=item.kind,
        repository=item.repository,
        key=item.key,
        payload=item.payload,
        state=state,
        size_bytes=size_bytes,
    )
    return Settled(item=changed, error=error)
