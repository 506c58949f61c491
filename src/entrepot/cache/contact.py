"""Whether upstream may be asked at all. Everything that sends a request asks here first, so offline opens no socket."""

from entrepot.cache.repository import Repository
from entrepot.errors import Absent, EntrepotError, NotCached, PolicyRefused
from entrepot.model.resource import Resource


def check_contact(repository: Repository, resource: Resource) -> None:
    """Raises what an offline repository answers for what it does not have."""
    if repository.rules.network == "offline":
        raise offline_miss(repository, resource)


def offline_miss(repository: Repository, resource: Resource) -> EntrepotError:
    subject = f"{repository.name}/{resource.key}"
    if repository.sealed is not None:
        return PolicyRefused(subject, repository.sealed.reason, repository.sealed.rule)
    if repository.frozen is not None:
        return NotCached(f"{subject}: part of session {repository.frozen.session}, but not stored any more")
    if repository.offline_miss == 404:
        return Absent(subject, asked=False)
    return NotCached(f"{subject}: not stored, and the repository is offline")
