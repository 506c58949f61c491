"""Runs an ecosystem's closures as the planner does, with documents out of a table instead of a registry."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from urllib.parse import urljoin

from entrepot.contracts.closure import Need, Reading, Skipped
from entrepot.contracts.ecosystem import Ecosystem
from entrepot.errors import Absent
from entrepot.model.release import Document
from entrepot.model.resource import BASE, Request, Resource
from entrepot.model.selection import Selection

UPSTREAM = "https://registry.example/base/"
_TYPES = {b"{": "application/json", b"<": "text/html"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """What one closure yielded, in its order."""

    needs: list[Need] = field(default_factory=list)
    selections: list[Selection] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)

    @property
    def keys(self) -> list[str]:
        return [need.resource.key for need in self.needs]

    @property
    def read(self) -> list[str]:
        """The keys of what it wanted to read."""
        return [need.resource.key for need in self.needs if need.reads]

    @property
    def probes(self) -> dict[str, str]:
        """The keys of what clients may ask for in vain, with what is known of it: maybe or yes."""
        return {need.resource.key: need.absent for need in self.needs if need.absent != "no"}


def document_of(resource: Resource, body: bytes, content_type: str = "") -> Document:
    """A document as if it had been stored for the resource."""
    origin = UPSTREAM if resource.origin == BASE else f"https://{resource.origin}/"
    return Document(
        body=BytesIO(body),
        content_type=content_type or _TYPES.get(body.lstrip()[:1], "application/octet-stream"),
        url=urljoin(origin, resource.path),
        upstream=UPSTREAM,
        key=resource.key,
    )


def close(
    ecosystem: Ecosystem,
    selection: Selection,
    documents: Mapping[str, bytes | Document],
    *,
    hidden: Mapping[str, frozenset[str]] | None = None,
) -> Closed:
    """One closure to its end. Documents are told by the key of their resource; so is what policy hides in them.

    A document that is not in the table fails the selection with Absent, if the closure does not say that it may be
    missing. Checks that what is named routes back to itself: clients could not have it otherwise.
    """
    closed, closure = Closed(), ecosystem.closure(selection)
    answer: Reading | None = None
    while True:
        try:
            item = closure.send(answer)
        except StopIteration:
            return closed
        answer = None
        if isinstance(item, Selection):
            closed.selections.append(item)
            continue
        if isinstance(item, Skipped):
            closed.skipped.append(item)
            continue
        closed.needs.append(item)
        _check_route(ecosystem, item)
        if item.reads:
            answer = _reading_of(item, documents, hidden or {})


def close_all(
    ecosystem: Ecosystem,
    selection: Selection,
    documents: Mapping[str, bytes | Document],
    *,
    hidden: Mapping[str, frozenset[str]] | None = None,
) -> dict[Selection, Closed]:
    """The closure of the selection and of all that follow from it, each once."""
    done: dict[Selection, Closed] = {}
    todo = [selection]
    while todo:
        one = todo.pop()
        if one not in done:
            done[one] = close(ecosystem, one, documents, hidden=hidden)
            todo.extend(done[one].selections)
    return done


def _reading_of(
    need: Need, documents: Mapping[str, bytes | Document], hidden: Mapping[str, frozenset[str]]
) -> Reading | None:
    resource = need.resource
    found = None if need.absent == "yes" else documents.get(resource.key)
    if found is None:
        if need.absent == "no":
            raise Absent(resource.key)
        return None
    document = document_of(resource, found) if isinstance(found, bytes) else found
    return Reading(document=document, hidden=hidden.get(resource.key, frozenset()))


def _check_route(ecosystem: Ecosystem, need: Need) -> None:
    wanted = need.resource
    routed = ecosystem.route(Request(method="GET", path=wanted.key, query=wanted.query, accept=wanted.accept))
    assert isinstance(routed, Resource), f"{wanted.key}: answered {routed} without asking anyone"
    # What differs would be another entry of the store than the one that clients ask for.
    assert routed.stored_key == wanted.stored_key
    assert (routed.key, routed.path, routed.origin, routed.kind) == (
        wanted.key, wanted.path, wanted.origin, wanted.kind,
    )  # fmt: skip
