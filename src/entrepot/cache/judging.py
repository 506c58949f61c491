"""What policy says of a request, as the engine needs it: refusals raised, rules applied, misses answered."""

from dataclasses import dataclass, replace
from urllib.parse import urlsplit, urlunsplit

from entrepot.cache.answer import Answer, Trace
from entrepot.cache.ask import ClientAsk
from entrepot.cache.documents import Documents
from entrepot.cache.freshness import reclassified
from entrepot.cache.naming import check_leaving, sealed
from entrepot.cache.order import url_of
from entrepot.cache.repository import Repository
from entrepot.contracts.fetcher import Fetcher
from entrepot.contracts.triggers import Trigger, Triggers
from entrepot.errors import Absent, NotYet, PolicyError, PolicyHidden, PolicyRefused, PolicyUnknown, Withheld
from entrepot.model.resource import BASE, Kind, Resource
from entrepot.policy.verdict import Download, Mode, Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A resource of a repository under the rules that apply to it."""

    repository: Repository
    """As the rules change it."""
    resource: Resource
    download: Download
    direct: str = ""
    """Where clients are sent whatever is stored."""
    stored_counts: bool = True
    """Whether what is stored may be used at all; not of the class `uncacheable`."""


async def versioned(
    documents: Documents, repository: Repository, resource: Resource, *, stored_only: bool = False
) -> Resource:
    """The resource with its version, where rules depend on that and the index alone tells it. No upstream is asked
    where the mode itself forbids that. Raises what makes the index unreadable."""
    if resource.version or resource.listed_in is None:
        return resource  # It has one, or no index that could tell it.
    verdict = repository.gate.decide(resource)
    if not verdict.unversioned:
        return resource
    fact = await documents.stored_fact(repository, resource)
    silent = stored_only or verdict.download.mode in (Mode.NONE, Mode.DENY)
    if fact is None and not silent:
        fact = await documents.learn(repository, resource)
    return replace(resource, version=fact.version) if fact is not None else resource


def open_case(repository: Repository, resource: Resource) -> Case:
    """Raises PolicyRefused or PolicyHidden."""
    verdict = repository.gate.decide(resource)
    if verdict.refusal is not None:
        raise refused(f"{repository.name}/{resource.key}", verdict.refusal)
    overrides, download = verdict.overrides, verdict.download
    uncacheable = overrides is not None and overrides.klass == "uncacheable"
    kept = repository.store != "off" and not uncacheable
    return Case(
        repository=repository.under(overrides, download.upstream, keep=kept),
        resource=reclassified(resource, overrides),
        download=download,
        direct=verdict.direct,
        stored_counts=not uncacheable,
    )


def opened(fetcher: Fetcher, repository: Repository, resource: Resource) -> Case:
    """The same for a name that not everybody may be told. Raises PolicyRefused or PolicyHidden."""
    case = open_case(repository, resource)
    return replace(case, repository=sealed(fetcher, case.repository, resource))


def refused(subject: str, refusal: Refusal) -> PolicyError:
    match refusal.status:
        case 404:
            return PolicyHidden(subject, refusal.reason, refusal.rule)
        case 503:
            return PolicyUnknown(subject, refusal.reason, refusal.rule)
        case _:
            return PolicyRefused(subject, refusal.reason, refusal.rule)


async def check_listed(documents: Documents, case: Case) -> None:
    """Before a client is sent to a host that only its own word names. Raises Absent where no index lists the file
    there, and what makes the index unreadable."""
    repository, resource = case.repository, case.resource
    if resource.origin == BASE:
        return
    fact = await documents.stored_fact(repository, resource) or await documents.learn(repository, resource)
    if fact is None:
        raise Absent(f"{repository.name}/{resource.key} (not listed in its index)")


def check_passing(case: Case) -> None:
    """What passes is never stored, so each request for it is a miss. Raises Withheld."""
    if case.download.mode is Mode.NONE:
        raise _withheld(case)


def _withheld(case: Case) -> Withheld:
    subject = f"{case.repository.name}/{case.resource.key}"
    return Withheld(f"{subject}: not stored, and it is not fetched ({case.download.rule})")


class Misses:
    """What a client gets for what is not stored, where it is not simply fetched."""

    def __init__(self, triggers: Triggers, fetcher: Fetcher) -> None:
        self._triggers, self._fetcher = triggers, fetcher

    def answer(self, case: Case, ask: ClientAsk) -> Answer | None:
        """The answer that the download mode gives; None: fetch it now. Raises NotYet, Withheld, PolicyRefused."""
        subject, download = f"{case.repository.name}/{case.resource.key}", case.download
        if download.mode.redirects and _shows_ages(case, ask):
            return None
        if download.mode.redirects:
            check_leaving(self._fetcher, case.repository, case.resource, download.redirect_url)
        if download.mode.fills:
            self.trigger(case, ask)
        match download.mode:
            case Mode.REDIRECT | Mode.ASYNC_REDIRECT:
                return redirect(download, case.resource)
            case Mode.ASYNC:
                raise NotYet(f"{subject}: not stored yet; it is being fetched ({download.rule})")
            case Mode.NONE:
                raise _withheld(case)
        return None

    def trigger(self, case: Case, ask: ClientAsk) -> None:
        """Have it fetched behind this answer."""
        self._triggers.offer(
            Trigger(
                repository=case.repository.name,
                resource=case.resource,
                reason="demand",
                client=ask.client,
                authenticated=ask.authenticated,
            )
        )


def _shows_ages(case: Case, ask: ClientAsk) -> bool:
    """Whether it is an index that shows only what is old enough: elsewhere nobody would leave out the rest."""
    dated = ask.as_of is not None or case.repository.gate.cooldown is not None
    return case.resource.kind is Kind.INDEX and dated


def redirect(download: Download, resource: Resource) -> Answer:
    """To where the resource is below another base URL. Nobody may keep the answer: it may be stored here next time."""
    headers = [("location", _elsewhere(download.redirect_url, resource)), ("cache-control", "no-store")]
    answer = Answer(status=download.redirect_status, headers=headers, body=b"", length=0)
    answer.trace = Trace(outcome="redirected", detail="mode", key=resource.stored_key)
    return answer


def _elsewhere(base: str, resource: Resource) -> str:
    """`base` may hold a query, which is kept."""
    parts = urlsplit(base)
    root = urlunsplit((parts.scheme, parts.netloc, f"{parts.path.rstrip('/')}/", "", ""))
    url = url_of(resource, None, root)
    if not parts.query:
        return url
    return f"{url}{'&' if '?' in url else '?'}{parts.query}"


def direct(case: Case) -> Answer:
    return redirect(Download(mode=Mode.REDIRECT, redirect_url=case.direct), case.resource)


def is_live(case: Case) -> bool:
    """Whether a miss is answered live and stored by a job."""
    return case.repository.store == "behind" and case.resource.kind is not Kind.PASS
