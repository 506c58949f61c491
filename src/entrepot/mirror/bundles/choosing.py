"""From what a person asks to be exported to the entries that this means."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace

from entrepot.cache.repository import Repository
from entrepot.contracts.bundles import BundleBook
from entrepot.errors import BadRequest
from entrepot.mirror.bundles.gathering import Choice
from entrepot.mirror.jobs import Mirror
from entrepot.model.order import MirrorOrder

MOST_NAMED = 5
_ALL = "everything"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a person asks for. Order and job add up; neither means everything in the repositories."""

    order: MirrorOrder | None = None
    job: str = ""
    everything: bool = False
    repositories: tuple[str, ...] = ()
    """Only these; empty: all."""
    since: int | None = None
    since_last: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    choice: Choice
    since: int | None
    missing: tuple[str, ...] = ()
    """What was asked for and cannot be told, or was refused."""
    skipped: tuple[str, ...] = ()
    """What no registry serves."""


class Chooser:
    def __init__(self, book: BundleBook, mirror: Mirror, repositories: Mapping[str, Repository]) -> None:
        self._book, self._mirror, self._repositories = book, mirror, repositories

    async def choose(self, wanted: Wanted) -> Chosen:
        """Plans as a mirror job would. Raises BadRequest, StoreFailure, and what makes papers unreadable."""
        self._check(wanted)
        names = wanted.repositories or tuple(self._repositories)
        since = await asyncio.to_thread(self._since, wanted)
        keys: set[tuple[str, str]] | None = None if wanted.everything or not _is_narrow(wanted) else set()
        missing, skipped = list[str](), list[str]()
        if keys is not None and wanted.job:
            if self._mirror.find_job(wanted.job) is None:
                raise BadRequest(f"there is no mirror job {wanted.job!r}; `entrepot mirror list` names those there are")
            keys |= await asyncio.to_thread(self._pinned_by, wanted.job)
            missing += [
                f"{one.subject}: {one.error}" for one in await asyncio.to_thread(self._mirror.errors, wanted.job)
            ]
        if keys is not None and wanted.order is not None:
            await self._plan(replace(wanted.order, repositories=wanted.repositories), keys, missing, skipped)
        chosen = sorted(key for key in keys if key[0] in names) if keys is not None else None
        return Chosen(
            choice=Choice(what=_described(wanted), repositories=names, keys=chosen),
            since=since,
            missing=tuple(missing),
            skipped=tuple(skipped),
        )

    def _check(self, wanted: Wanted) -> None:
        for name in wanted.repositories:
            if name not in self._repositories:
                raise BadRequest(f"there is no repository {name!r}; there are: {', '.join(self._repositories)}")
        narrowed = wanted.everything or wanted.repositories or wanted.since is not None or wanted.since_last
        if not narrowed and not _is_narrow(wanted):
            raise BadRequest(
                "say what to export: package URLs, --lockfile FILE, --sbom FILE, --job ID, --repository NAME, "
                "--since N, --since-last, or --all"
            )

    def _since(self, wanted: Wanted) -> int | None:
        if not wanted.since_last:
            return wanted.since
        written = self._book.written()
        if not written:
            raise BadRequest(
                "no bundle was written by this store yet; the first one has everything: leave out --since-last"
            )
        return written[0].number

    def _pinned_by(self, job: str) -> set[tuple[str, str]]:
        found = set(self._book.pinned_by(job))
        if not found:
            raise BadRequest(f"the mirror job {job} holds nothing here, or its pins were released")
        return found

    async def _plan(
        self, order: MirrorOrder, keys: set[tuple[str, str]], missing: list[str], skipped: list[str]
    ) -> None:
        async for item in self._mirror.rehearse(order):
            if item.optional and item.state == "fetch":
                skipped.append(f"{item.subject}: not held, and clients can do without")
            elif item.key and item.state in ("fetch", "held", "absent"):
                keys.add((item.repository, item.key))
            elif item.state == "skipped":
                skipped.append(f"{item.subject}: {item.reason}")
            else:
                missing.append(f"{item.subject}: {item.reason}")


def _is_narrow(wanted: Wanted) -> bool:
    return wanted.order is not None or bool(wanted.job)


def _described(wanted: Wanted) -> str:
    order = wanted.order
    named = [*order.purls, *(paper.name for paper in order.papers)] if order is not None else []
    parts = [
        ", ".join(named[:MOST_NAMED]) + (f" and {len(named) - MOST_NAMED} more" if len(named) > MOST_NAMED else "")
    ]
    parts.append(f"mirror job {wanted.job}" if wanted.job else "")
    told = "; ".join(part for part in parts if part) if not wanted.everything else ""
    within = f" in {', '.join(wanted.repositories)}" if wanted.repositories else ""
    # Names of files may hold anything.
    return "".join(letter if letter.isprintable() else "?" for letter in f"{told or _ALL}{within}")
