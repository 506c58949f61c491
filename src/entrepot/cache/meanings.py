"""Whether what a name means is old enough, where files tell their dates themselves (policy §5)."""

from collections import OrderedDict
from collections.abc import Generator
from dataclasses import replace
from datetime import datetime

from entrepot.cache.documents import Documents
from entrepot.cache.editions import Editions
from entrepot.cache.order import Kit
from entrepot.cache.repository import Repository
from entrepot.errors import Absent, BadContent, NotCached
from entrepot.model.digest import Digest
from entrepot.model.release import Document
from entrepot.model.resource import Resource
from entrepot.policy.cooldown import Cooldown, Dated
from entrepot.policy.verdict import Refusal

MOST_REMEMBERED = 20_000


class Meanings:
    def __init__(self, kit: Kit, documents: Documents) -> None:
        self._kit, self._documents, self._editions = kit, documents, Editions(kit)
        self._known: OrderedDict[tuple[str, str], datetime | None] = OrderedDict()

    async def refusal(
        self,
        repository: Repository,
        resource: Resource,
        cooldown: Cooldown,
        as_of: datetime | None,
        *,
        stored_only: bool,
    ) -> Refusal | None:
        """Of a name, by what it means now. Of a digest, by the names that were seen to mean it: whoever wrote down a
        digest that no name led to has chosen it himself. Raises what keeps it from being told."""
        if repository.ecosystem.dating(resource) is None:
            return None
        if not resource.probed:
            return await self._of_digest(repository, resource, cooldown, as_of, stored_only)
        digest = await self._meant(repository, resource, stored_only)
        if digest is None:
            return None
        return await self._judge(repository, resource, digest, cooldown, as_of, stored_only)

    def barred(self, repository: Repository, resource: Resource) -> Refusal | None:
        """Why a digest may not be had by any name that was seen to mean it, whatever its age."""
        if resource.probed or repository.ecosystem.dating(resource) is None:
            return None
        tags = (replace(resource, version=name) for name in self._names(repository, resource))
        refusals = [repository.gate.decide(tag).refusal for tag in tags]
        return refusals[0] if refusals and all(refusals) else None

    async def account(
        self, repository: Repository, resource: Resource, cooldown: Cooldown, as_of: datetime | None
    ) -> str:
        """The reckoning in words."""
        if repository.ecosystem.dating(resource) is None:
            return "its age does not matter"
        digest = await self._meant(repository, resource, False) if resource.probed else resource.digest
        names = [resource.version] if resource.probed else self._names(repository, resource)
        if digest is None or not names:
            return "its age does not matter"
        tag = replace(resource, version=names[0])
        dated = await self._dated(repository, tag, digest, False)
        return cooldown.account(resource.about, names[0], dated, self._kit.clock.now(), as_of)

    async def former(
        self,
        repository: Repository,
        resource: Resource,
        cooldown: Cooldown,
        as_of: datetime | None,
        *,
        stored_only: bool,
    ) -> Resource | None:
        """The newest of what a name meant before that is old enough, under its digest; None: there is none."""
        for digest in self._editions.former(repository, resource):
            try:
                refusal = await self._judge(repository, resource, digest, cooldown, as_of, stored_only)
            except (Absent, NotCached):
                continue  # Upstream has it no more, and neither have we.
            if refusal is None:
                return repository.ecosystem.named_by(resource, digest)
        return None

    # --- what and when ----------------------------------------------------------------------------------------------

    async def _of_digest(
        self,
        repository: Repository,
        resource: Resource,
        cooldown: Cooldown,
        as_of: datetime | None,
        stored_only: bool,
    ) -> Refusal | None:
        refusals = []
        for name in self._names(repository, resource):
            assert resource.digest is not None
            tag = replace(resource, version=name)
            refusal = await self._judge(repository, tag, resource.digest, cooldown, as_of, stored_only)
            if refusal is None:
                return None
            refusals.append(refusal)
        return refusals[0] if refusals else None

    def _names(self, repository: Repository, resource: Resource) -> list[str]:
        """Those that have ages: no other one vouches for a digest."""
        known = self._editions.names(repository, resource) if resource.digest is not None else []
        dating = repository.ecosystem.dating
        return [name for name in known if dating(replace(resource, version=name)) is not None]

    async def _meant(self, repository: Repository, resource: Resource, stored_only: bool) -> Digest | None:
        """None: nothing is stored, and upstream may not be asked."""
        try:
            source = await self._documents.bring(repository, resource, stored_only=stored_only)
        except NotCached:
            return None
        source.blob.close()
        return Digest("sha256", source.blob.sha256)

    async def _judge(
        self,
        repository: Repository,
        tag: Resource,
        digest: Digest,
        cooldown: Cooldown,
        as_of: datetime | None,
        stored_only: bool,
    ) -> Refusal | None:
        now = self._kit.clock.now()
        if not cooldown.asks(tag.about, tag.version, now, as_of):
            return None
        dated = await self._dated(repository, tag, digest, stored_only)
        return cooldown.judge(tag.about, tag.version, dated, now, as_of)

    async def _dated(self, repository: Repository, tag: Resource, digest: Digest, stored_only: bool) -> Dated:
        named = repository.ecosystem.named_by(tag, digest)
        dated = Dated(published=await self._published(repository, named, stored_only), source="author", baseline=True)
        seen = self._editions.seen(repository, tag, digest)
        return replace(dated, first_seen=seen.first_seen, baseline=seen.baseline) if seen is not None else dated

    async def _published(self, repository: Repository, named: Resource, stored_only: bool) -> datetime | None:
        """What the file says, or what it leads to. Raises Absent, NotCached where the file itself is not to be had."""
        key = repository.name, named.key
        if key not in self._known:
            steps = repository.ecosystem.dating(named)
            found = await self._told(repository, named, steps, stored_only) if steps is not None else None
            if found is None and stored_only:
                return None
            self._known[key] = found
            if len(self._known) > MOST_REMEMBERED:
                self._known.popitem(last=False)
        self._known.move_to_end(key)
        return self._known[key]

    async def _told(
        self,
        repository: Repository,
        named: Resource,
        steps: Generator[Resource, Document | None, datetime | None],
        stored_only: bool,
    ) -> datetime | None:
        wanted, answer = _advance(steps, None)
        while wanted is not None:
            try:
                source = await self._documents.bring(repository, wanted, stored_only=stored_only)
            except (Absent, NotCached, BadContent):
                if wanted == named:
                    raise
                wanted, answer = _advance(steps, None)
                continue
            try:
                wanted, answer = _advance(steps, source.document())
            finally:
                source.blob.close()
        return answer


def _advance(
    steps: Generator[Resource, Document | None, datetime | None], document: Document | None
) -> tuple[Resource | None, datetime | None]:
    """What is to be read next, or else the date."""
    try:
        return steps.send(document), None
    except StopIteration as end:
        date: datetime | None = end.value
        return None, date
