"""What policy would have said of requests that were made before: nothing is fetched, nothing is served."""

from collections.abc import Mapping
from dataclasses import dataclass

from entrepot.cache.ageing import Ages
from entrepot.cache.documents import Documents
from entrepot.cache.judging import open_case, refused, versioned
from entrepot.cache.repository import Repository
from entrepot.errors import EntrepotError, PolicyError
from entrepot.model.resource import Kind, Request, Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsed:
    refusal: PolicyError | None = None
    unknown: bool = False
    """Whether what is stored does not tell the age that the policy asks for."""


_SERVED, _UNKNOWN = Rehearsed(), Rehearsed(unknown=True)


class Rehearsal:
    """By what is stored; the clock says when the request was made."""

    def __init__(self, ages: Ages, documents: Documents, repositories: Mapping[str, Repository]) -> None:
        self._ages, self._documents, self._repositories = ages, documents, repositories

    async def judge(self, repository: str, path: str) -> Rehearsed | None:
        """`path`: below the repository, as it was sent. None for what no repository of this configuration serves."""
        one = self._repositories.get(repository)
        bare, _, query = path.partition("?")
        try:
            resource = one.ecosystem.route(Request(method="GET", path=bare, query=query)) if one else None
        except EntrepotError:
            return None
        if one is None or not isinstance(resource, Resource):
            return None
        try:
            return await self._judge(one, resource)
        except PolicyError as refusal:
            return Rehearsed(refusal=refusal)
        except EntrepotError:
            return _UNKNOWN

    async def _judge(self, repository: Repository, resource: Resource) -> Rehearsed:
        case = open_case(repository, await versioned(self._documents, repository, resource, stored_only=True))
        if case.resource.kind is Kind.INDEX:
            return _SERVED
        refusal = await self._ages.refusal(case.repository, case.resource, stored_only=True)
        if refusal is not None:
            raise refused(f"{repository.name}/{resource.key}", refusal)
        return _UNKNOWN if await self._is_unknown(case.repository, case.resource) else _SERVED

    async def _is_unknown(self, repository: Repository, resource: Resource) -> bool:
        if repository.gate.cooldown is None or resource.listed_in is None:
            return False
        return await self._documents.stored_fact(repository, resource) is None
