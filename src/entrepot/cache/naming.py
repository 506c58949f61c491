"""Who may be told the name of a package: its owners, where configuration names some, and else whoever had it first."""

from collections.abc import Callable
from dataclasses import replace

from entrepot.cache.order import Kit
from entrepot.cache.repository import Repository
from entrepot.contracts.fetcher import Fetcher
from entrepot.errors import PolicyRefused
from entrepot.model.entry import Entry
from entrepot.model.resource import Resource
from entrepot.policy.verdict import Refusal


def owners_of(fetcher: Fetcher, repository: Repository, package: str) -> tuple[str, ...]:
    """The upstreams of the repository for which configuration reserves a name; none for most."""
    return tuple(name for name in repository.upstreams if fetcher.owns(name, package)) if package else ()


def sealed(fetcher: Fetcher, repository: Repository, resource: Resource) -> Repository:
    """The repository as it is for a name that none of its upstreams may be told: without contact."""
    reservation = repository.reserved.find(resource.about)
    if reservation is None or owners_of(fetcher, repository, resource.about):
        return repository
    refusal = Refusal(
        kind="reserved",
        rule=reservation.rule,
        reason=f"the name {resource.about} is reserved, and no upstream of this repository owns it",
    )
    return replace(repository, rules=replace(repository.rules, network="offline"), sealed=refusal, _variants={})


def candidates(kit: Kit, repository: Repository, resource: Resource) -> tuple[str, ...]:
    """The upstreams that may be asked, in order: the one that had the package first is the only one from then on.
    Raises PolicyRefused where none may be."""
    refusal = sealed(kit.fetcher, repository, resource).sealed
    if refusal is not None:
        raise PolicyRefused(f"{repository.name}/{resource.key}", refusal.reason, refusal.rule)
    if resource.upstream:
        return (resource.upstream,)
    allowed = owners_of(kit.fetcher, repository, resource.about) or repository.upstreams
    if len(allowed) == 1 or not resource.about:
        return allowed
    owner = kit.catalog.find_owner(repository.name, resource.about)
    return (owner,) if owner in allowed else allowed


def may_tell(fetcher: Fetcher, repository: Repository, upstream: str) -> Callable[[str], bool]:
    """Whether an upstream may be told a name. To be called in any thread."""

    def tells(package: str) -> bool:
        owners = owners_of(fetcher, repository, package)
        return upstream in owners if owners else repository.reserved.find(package) is None

    return tells


def check_leaving(fetcher: Fetcher, repository: Repository, resource: Resource, url: str) -> None:
    """Before a client is sent to another base URL with a name. Raises PolicyRefused where only owners may know it and
    this is none of them."""
    owners = owners_of(fetcher, repository, resource.about)
    reservation = repository.reserved.find(resource.about)
    if not owners and reservation is None:
        return
    if any(f"{url.rstrip('/')}/".startswith(fetcher.base_url(owner)) for owner in owners):
        return
    rule = reservation.rule if reservation else f"upstreams.{owners[0]}.owns"
    reason = f"the name {resource.about} is reserved, and a redirect would tell it to one who does not own it"
    raise PolicyRefused(f"{repository.name}/{resource.key}", reason, rule)


def is_foreign(fetcher: Fetcher, repository: Repository, resource: Resource, entry: Entry) -> bool:
    """Whether an entry came from an upstream of ours that was told a name which belongs to another one."""
    owners = owners_of(fetcher, repository, resource.about)
    others = (name for name in repository.upstreams if name not in owners)
    return bool(owners) and entry.upstream in (fetcher.identity(name) for name in others)
