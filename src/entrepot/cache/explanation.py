"""Why a request is answered as it is (policy §9): the same decisions as the engine's, told instead of obeyed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from math import inf

from entrepot.cache.ageing import Ages
from entrepot.cache.documents import Documents
from entrepot.cache.freshness import age_of, fresh_until, is_fresh, lifetime, stale_for
from entrepot.cache.judging import Case, open_case, versioned
from entrepot.cache.order import Kit
from entrepot.cache.plan import Gone, Serve, Step, Validate, Wish, next_step
from entrepot.cache.repository import Repository
from entrepot.cache.targets import PackageTarget, PathTarget, Target, find_targets
from entrepot.contracts.leases import Leases
from entrepot.errors import BadRequest, EntrepotError, PolicyError
from entrepot.model.dates import end_of
from entrepot.model.entry import Entry
from entrepot.model.resource import Kind, Reply, Request, Resource
from entrepot.policy.verdict import Mode, Verdict

Facts = dict[str, str]
"""What is told of one resource: a heading and one sentence each, in the order in which it is decided."""

_CLASSES = {Kind.ARTIFACT: "immutable", Kind.INDEX: "mutable", Kind.SIGNED: "mutable", Kind.PASS: "uncacheable"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    resource: str
    """REPOSITORY/KEY."""
    facts: Facts


class Explainer:
    def __init__(
        self, kit: Kit, documents: Documents, ages: Ages, leases: Leases, repositories: Mapping[str, Repository]
    ) -> None:
        self._kit, self._documents, self._ages, self._leases = kit, documents, ages, leases
        self._repositories = repositories

    async def explain(self, target: str, as_of: datetime | None = None) -> list[Explanation]:
        """For a path (`@DAY/…` for a dated view), a URL of ours, or a package URL. Raises NotServed, BadRequest."""
        if as_of is None and target.startswith("@"):
            day, _, target = target[1:].partition("/")
            try:
                as_of = end_of(day)
            except ValueError as error:
                raise BadRequest(str(error)) from error
        found: list[Explanation] = []
        for one in find_targets(target, self._repositories):
            for repository, resource in await self._resources(one):
                facts = await self._facts(repository, resource, as_of)
                found.append(Explanation(resource=f"{repository.name}/{resource.key}", facts=facts))
        if not found:
            raise BadRequest(f"{target}: nothing is known of it; name its path: REPOSITORY/PATH")
        return found

    async def _resources(self, target: Target) -> list[tuple[Repository, Resource]]:
        if isinstance(target, PathTarget):
            return [(target.repository, _route(target))]
        repository, index = target.repository, target.repository.ecosystem.index_of(target.package)
        if index is None:
            return [(repository, file) for file in await self._listed(target)]
        files = await self._files(target, index) if target.version else []
        return [(repository, index), *((repository, file) for file in files)]

    async def _files(self, target: PackageTarget, index: Resource) -> list[Resource]:
        """The files of a version that the stored index names; where it names none, what tells the version's age."""
        facts = await self._documents.stored_facts(target.repository, index)
        paths = [path for path, fact in facts.items() if fact.version == target.version]
        if not paths and (dated := target.repository.ecosystem.dated_by(target.package, target.version)):
            paths = [dated.key]
        routed = (target.repository.ecosystem.route(Request(method="GET", path=path)) for path in paths)
        return [resource for resource in routed if isinstance(resource, Resource)]

    async def _listed(self, target: PackageTarget) -> list[Resource]:
        """The files that listings name of a package to which no path leads; package URLs may leave out the epoch."""
        found = await self._documents.lookup.of_package(target.repository, target.package)
        keys = [
            key for key, fact in found.items() if target.version in ("", fact.version, fact.version.partition(":")[2])
        ]
        routed = (target.repository.ecosystem.route(Request(method="GET", path=key)) for key in sorted(keys))
        return [resource for resource in routed if isinstance(resource, Resource)]

    async def _facts(self, repository: Repository, resource: Resource, as_of: datetime | None) -> Facts:
        resource = await versioned(self._documents, repository, resource, stored_only=True)
        verdict = repository.gate.decide(resource)
        facts = dict(_identity(repository, resource))
        facts["class"] = _class_of(resource, verdict)
        facts["rule"] = _rule_of(verdict)
        try:
            case = open_case(repository, resource)
        except PolicyError as refusal:
            return facts | {"now": f"refused with {refusal.status}: {refusal}"}
        facts["on a miss"] = _mode_of(verdict)
        facts["age of the version"] = await self._age(case, as_of)
        entry = self._documents.find_entry(case.repository, case.resource)
        facts["stored"] = self._stored(entry)
        facts |= await self._group(case, as_of)
        if _follows(case, entry):
            facts["freshness"] = "as long as its root"
        elif entry is not None and entry.gone_at is None:
            facts["freshness"] = self._freshness(case, entry)
        facts |= self._lease(case)
        return facts | {"now": await self._now(case, entry, as_of)}

    async def _age(self, case: Case, as_of: datetime | None) -> str:
        if case.repository.gate.cooldown is None and as_of is None:
            return "no cooldown"
        try:
            return await self._ages.account(case.repository, case.resource, as_of)
        except EntrepotError as error:
            return f"cannot be told now: {error}"

    def _stored(self, entry: Entry | None) -> str:
        if entry is None:
            return "no"
        if entry.gone_at is not None:
            return f"upstream said at {_text(entry.gone_at)} that it has none"
        return f"{entry.size_bytes} bytes, sha256 {entry.sha256}, from {entry.url}, since {_text(entry.stored_at)}"

    def _freshness(self, case: Case, entry: Entry) -> str:
        now, rules = self._kit.clock.now(), case.repository.rules
        span = lifetime(entry, case.resource, rules)
        if span == inf:
            return "for ever"
        told = f"validated {age_of(entry, now):.0f} s ago, fresh for {span:.0f} s"
        if is_fresh(entry, case.resource, rules, now):
            return f"{told}: {fresh_until(entry, case.resource, rules) - now.timestamp():.0f} s are left"
        late = stale_for(entry, case.resource, rules, now)
        windows = f"{rules.while_revalidate:.0f} s while it is revalidated, {rules.if_error:.0f} s if upstream fails"
        told = f"{told}: stale for {late:.0f} s; usable stale for {windows}"
        if entry.next_check_at is not None:
            told += f"; {entry.failures} failures, next try at {_text(entry.next_check_at)}"
        return told

    def _lease(self, case: Case) -> Facts:
        lease = self._leases.find(f"{case.repository.name}/{case.resource.stored_key}")
        if lease is None:
            return {}
        now = self._kit.clock.now()
        if now < lease.expires_at:
            return {"fill": f"under way since {_text(lease.started_at)}"}
        ended = f"failed {lease.failures} times: {lease.result}" if lease.failures else "done"
        return {"fill": f"{ended}; not again before {_text(lease.not_before)}"}

    async def _group(self, case: Case, as_of: datetime | None) -> Facts:
        resource = case.resource
        if not resource.snapshot:
            return {}
        role = "its root" if resource.is_root else f"a member; its root is {resource.snapshot}"
        current = self._kit.catalog.generation_of(case.repository.name, resource.snapshot)
        if current is None:
            return {"group": f"{role}; nothing was published yet"}
        told = f"{role}; generation {current.number}, published at {_text(current.published_at)}"
        choice = await self._ages.choosing.choice(case.repository.plain, resource.snapshot, as_of)
        if choice is None or not choice.detail:
            return {"group": told}
        held, why = choice.held, f": {choice.refusal.reason} ({choice.refusal.rule})" if choice.refusal else ""
        served = f"served is generation {held.number}, published at {_text(held.published_at)} ({choice.detail}){why}"
        return {"group": f"{told}; {served}"}

    async def _now(self, case: Case, entry: Entry | None, as_of: datetime | None) -> str:
        refusal = await self._ages.refusal(case.repository, case.resource, as_of)
        if refusal is not None:
            return f"refused with {refusal.status}: {refusal.reason} ({refusal.rule})"
        if case.direct:
            return f"sent to {case.direct}"
        if _follows(case, entry):
            root = f"{case.repository.name}/{case.resource.snapshot}"
            return f"served from the store if its root may be: explain {root} tells"
        wish = Wish(stored_only=case.resource.cached_only)
        step = next_step(entry, case.resource, wish, case.repository.rules, self._kit.clock.now())
        return _step_text(step, case)


def _route(target: PathTarget) -> Resource:
    path, _, query = target.path.partition("?")
    resource = target.repository.ecosystem.route(Request(method="GET", path=path, query=query))
    if isinstance(resource, Reply):
        raise BadRequest(f"{target}: answered by Entrepot itself with {resource.status}; no policy is asked")
    return resource


def _identity(repository: Repository, resource: Resource) -> Iterator[tuple[str, str]]:
    yield "repository", f"{repository.name} ({repository.ecosystem.name})"
    if resource.about:
        yield "package", f"{resource.about} {resource.version}".strip()
    yield "upstreams", ", ".join(repository.upstreams)


def _class_of(resource: Resource, verdict: Verdict) -> str:
    if verdict.overrides is not None and verdict.overrides.klass is not None:
        return f"{verdict.overrides.klass} ({verdict.rule})"
    return f"{_CLASSES[resource.kind]} (built in)"


def _rule_of(verdict: Verdict) -> str:
    return verdict.rule or "no rule of the configuration names it"


def _mode_of(verdict: Verdict) -> str:
    download = verdict.download
    target = f" to {download.redirect_url} with {download.redirect_status}" if download.mode.redirects else ""
    upstream = f" from {download.upstream}" if download.upstream else ""
    return f"{download.mode}{target}{upstream} ({download.rule})"


def _follows(case: Case, entry: Entry | None) -> bool:
    """Whether what is stored is a member of a group, which has no freshness of its own."""
    if entry is None or entry.gone_at is not None or entry.expired or case.resource.is_root:
        return False
    return entry.snapshot == case.resource.snapshot != ""


def _step_text(step: Step, case: Case) -> str:
    match step:
        case Serve(detail=detail, refresh=refresh):
            marked = f", stale ({detail})" if detail else ""
            return f"served from the store{marked}{'; upstream is asked behind it' if refresh else ''}"
        case Validate():
            return "upstream is asked with one conditional request; if it fails, the stored one is served"
        case Gone():
            return "404: upstream said so"
    if case.repository.rules.network == "offline":
        return f"{case.repository.offline_miss}: not stored, and offline"
    if case.download.mode is Mode.SYNC:
        return "fetched, and sent while it is stored"
    return f"not stored: {case.download.mode}"


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
