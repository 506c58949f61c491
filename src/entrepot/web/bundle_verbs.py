"""Bundles, for our own commands over the control socket: files are read and written by the process that answers."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from entrepot.errors import BadRequest
from entrepot.web.control import Verb
from entrepot.web.orders import order_of

if TYPE_CHECKING:
    from entrepot.mirror.bundles.choosing import Wanted
    from entrepot.mirror.bundles.depot import Depot

Arguments = Mapping[str, object]
_T = TypeVar("_T")


class _Selection(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    order: dict[str, object] | None = None
    """As for `mirror`."""
    job: str = ""
    everything: bool = False
    repositories: tuple[str, ...] = ()
    since: int | None = None
    since_last: bool = False


class _Export(_Selection, kw_only=True, forbid_unknown_fields=True):
    path: str
    key: str = ""
    partial: bool = False


class _ExportTree(_Selection, kw_only=True, forbid_unknown_fields=True):
    path: str
    base_url: str = ""
    partial: bool = False


class _Import(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    path: str
    trust: tuple[str, ...] = ()
    allow_unsigned: bool = False
    dry_run: bool = False
    into: dict[str, str] = {}


class BundleVerbs:
    def __init__(self, depot: "Callable[[], Depot]", repositories: Collection[str]) -> None:
        """`depot` makes it when it is first asked for; `repositories`: the names that there are."""
        self._depot, self._repositories = depot, repositories

    def table(self) -> dict[str, Verb]:
        return {
            "export": self._export,
            "export-tree": self._export_tree,
            "import": self._import,
            "bundles": self._list,
        }

    async def _export(self, arguments: Arguments, connection: ExitStack) -> object:
        told = _read(arguments, _Export)
        key = Path(told.key) if told.key else None
        done, skipped = await self._depot().export(Path(told.path), self._wanted(told), key=key, partial=told.partial)
        return {**_plain(done), "skipped": list(skipped)}

    async def _export_tree(self, arguments: Arguments, connection: ExitStack) -> object:
        told = _read(arguments, _ExportTree)
        done, skipped = await self._depot().export_tree(
            Path(told.path), self._wanted(told), base_url=told.base_url, partial=told.partial
        )
        return {**_plain(done), "skipped": list(skipped)}

    async def _import(self, arguments: Arguments, connection: ExitStack) -> object:
        told = _read(arguments, _Import)
        done = await self._depot().take(
            Path(told.path),
            [Path(file) for file in told.trust],
            allow_unsigned=told.allow_unsigned,
            into=told.into,
            dry=told.dry_run,
        )
        manifest = done.manifest
        return {
            "store": manifest.store,
            "number": manifest.number,
            "what": manifest.what,
            "written_at": manifest.written_at.isoformat(),
            "signer": done.signer,
            "dry_run": done.dry,
            "complete": done.complete,
            "repositories": {
                name: {fate.value: count for fate, count in fates.items()} for name, fates in done.tally.fates.items()
            },
            "told": done.tally.told,
            "missing": msgspec.to_builtins(done.missing),
            "warnings": list(done.warnings),
        }

    async def _list(self, arguments: Arguments, connection: ExitStack) -> object:
        depot = self._depot()
        written = await asyncio.to_thread(depot.written)
        taken = await asyncio.to_thread(depot.taken)
        return {
            "store": depot.book.store(),
            "written": msgspec.to_builtins(written),
            "taken": msgspec.to_builtins(taken),
        }

    def _wanted(self, told: _Selection) -> "Wanted":
        from entrepot.mirror.bundles.choosing import Wanted  # noqa: PLC0415 - loaded with the depot

        return Wanted(
            order=order_of(told.order, self._repositories) if told.order is not None else None,
            job=told.job,
            everything=told.everything,
            repositories=told.repositories,
            since=told.since,
            since_last=told.since_last,
        )


def _read(arguments: Arguments, kind: type[_T]) -> _T:
    try:
        return msgspec.convert(arguments, kind)
    except msgspec.ValidationError as error:
        raise BadRequest(str(error)) from error


def _plain(done: object) -> dict[str, object]:
    told: dict[str, object] = msgspec.to_builtins(done)
    return told
