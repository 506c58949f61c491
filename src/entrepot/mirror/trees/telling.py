"""What a mirror job tells of the walks that it has done."""

from collections.abc import Iterable, Iterator
from typing import Final

from entrepot.cache.repository import Repository
from entrepot.contracts.mirrors import ItemError, ItemKind, ItemState, Job, MirrorItem, Settled
from entrepot.errors import EntrepotError
from entrepot.mirror.items import item_of_path, settle
from entrepot.mirror.trees.grove import Walked
from entrepot.model.resource import Request, Resource

BY_ACCESS: Final = "access"
"""The client of jobs that reading in a tree began."""


def is_told(job: Job, walked: Walked) -> bool:
    """Whether it becomes a row. Of walks that nobody ordered, only what they changed: they come each hour."""
    if walked.state is ItemState.OPEN:
        return False
    return walked.state is not ItemState.HELD or job.client != BY_ACCESS


def settled_of(repository: str, walked: Walked) -> Settled:
    subject = f"/{repository}/{walked.key.partition(' ')[0]}"
    error = None
    if walked.error is not None:
        error = ItemError(subject=subject, error=str(walked.error), code=walked.error.code)
    item = item_of_path(repository, walked.key, subject)
    if walked.key.endswith("/") or not walked.key:
        # A folder of its own: who tries again what failed has it walked.
        item = MirrorItem(kind=ItemKind.TREE, repository=repository, key=walked.key)
    return settle(item, walked.state, walked.size_bytes, error)


def to_be_asked(repository: Repository, walked: Iterable[Walked]) -> Iterator[Resource]:
    """Of a rehearsal: the files that a walk would ask upstream about."""
    for one in walked:
        if one.state is not ItemState.OPEN:
            continue
        try:
            resource = repository.ecosystem.route(Request(method="GET", path=one.key))
        except EntrepotError:
            continue  # It was looked at a moment ago; what became of it is told where it failed.
        if isinstance(resource, Resource):
            yield resource
