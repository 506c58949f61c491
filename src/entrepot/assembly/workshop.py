"""Builds the parts of one process and keeps them alive between start and stop."""

import asyncio
import fcntl
import logging
import os
from collections.abc import Mapping

from entrepot import __version__
from entrepot.assembly.blueprint import Blueprint
from entrepot.assembly.values import identity_of, repositories_of, upstreams_of
from entrepot.cache.background import Background
from entrepot.cache.counters import Counters
from entrepot.cache.derived import DerivedBlobs
from entrepot.cache.documents import Documents
from entrepot.cache.engine import Engine
from entrepot.cache.facts import FactBook
from entrepot.cache.flights import Flights
from entrepot.cache.indexes import Indexes
from entrepot.cache.janitor import Janitor
from entrepot.cache.operations import Operations
from entrepot.cache.order import Kit, Limits
from entrepot.cache.solo import SoloBoard, SoloGeneration
from entrepot.cache.soundness import Soundness
from entrepot.cache.tally import SAVE_SECONDS, Tally
from entrepot.cache.views import Views
from entrepot.catalog.sqlite import SqliteCatalog
from entrepot.config.addresses import own_addresses
from entrepot.config.names import split_listener
from entrepot.contracts.board import Board, Generation
from entrepot.errors import StoreFailure
from entrepot.storage.board import FileBoard, FileGeneration
from entrepot.storage.filesystem import FilesystemBlobs
from entrepot.upstream.client import AiohttpFetcher
from entrepot.upstream.health import Health
from entrepot.upstream.settings import ClientSettings
from entrepot.web.access import AccessLog
from entrepot.web.app import App, Lifetime
from entrepot.web.control import ControlSocket, Verb
from entrepot.web.door import Door
from entrepot.web.hot import HotAnswers
from entrepot.web.keeping import Keeper
from entrepot.web.ledger import Ledger
from entrepot.web.proxy import Proxy
from entrepot.web.sending import Sender
from entrepot.web.status import Status

_log = logging.getLogger("entrepot")


class Workshop:
    """Builds the parts of one process and keeps them alive between start and stop."""

    def __init__(self, blueprint: Blueprint) -> None:
        self._blueprint, self._settings = blueprint, blueprint.settings
        self._clock = blueprint.clock
        run = blueprint.data / "run"
        run.mkdir(parents=True, exist_ok=True)
        shared = self._settings.server.workers > 1
        self.blobs = FilesystemBlobs(blueprint.data)
        self.catalog = SqliteCatalog.open(blueprint.data / "catalog.db", self._clock)
        if self.catalog.recovered:
            _log.error("%s", self.catalog.recovered)
        self._board: Board = FileBoard(run / "flights") if shared else SoloBoard()
        self.generation: Generation = FileGeneration(run / "generation") if shared else SoloGeneration()
        self.counters = Counters()
        self.tally = Tally(run / "counts", self.counters)
        self.background = Background()
        self.repositories = repositories_of(blueprint)
        self.sessions: set[str] = set()
        self.fetcher = self._make_fetcher()
        self._make_engine()
        self._control_lock = -1
        self._control: ControlSocket | None = None

    # --- parts ------------------------------------------------------------------------------------------------------

    def _make_fetcher(self) -> AiohttpFetcher:
        fetch = self._settings.fetch
        settings = ClientSettings(
            instance=self._blueprint.instance,
            queue_timeout=fetch.queue_timeout,
            connect_timeout=fetch.connect_timeout,
            first_byte_timeout=fetch.first_byte_timeout,
            read_timeout=fetch.read_timeout,
            retries=fetch.retries,
            retry_delay=fetch.retry_delay,
            max_redirects=fetch.max_redirects,
            trust_env=fetch.trust_env,
            user_agent=f"entrepot/{__version__}",
            own_addresses=own_addresses(self._settings.server),
        )
        health = Health(self.catalog, self._clock)
        return AiohttpFetcher(upstreams_of(self._blueprint), settings, health, self._clock)

    def _make_engine(self) -> None:
        flight = self._settings.flight
        limits = Limits(whole_bytes=flight.hold, resumes=flight.resumes, window_bytes=flight.window)
        kit = Kit(fetcher=self.fetcher, blobs=self.blobs, catalog=self.catalog, clock=self._clock, limits=limits)
        derived = DerivedBlobs(self.blobs, self.catalog)
        soundness = Soundness(self.blobs, self.catalog, self._count_quarantine)
        self.flights = Flights(kit, self._board, self.generation, self.background)
        documents = Documents(kit, self.flights, FactBook(derived), soundness, self.counters)
        views = Views(derived, self._board, self._settings.limits.views)
        indexes = Indexes(documents, views, self.counters)
        self.engine = Engine(kit, self.flights, documents, indexes, soundness, self.counters, flight.range_wait)
        self.janitor = Janitor(kit, self.generation, self.counters, self._settings.storage.max_size)
        self.operations = Operations(
            kit, self.repositories, self.generation, self.engine.absences, self.janitor, self.tally
        )

    def _count_quarantine(self) -> None:
        self.counters.quarantined += 1

    def make_app(self) -> App:
        """The ASGI application. Its lifespan opens and closes everything else."""
        settings = self._settings
        door = Door(identity_of(settings))
        hot = HotAnswers(settings.storage.memory, settings.storage.open_files)
        sender = Sender()
        self.log = AccessLog(settings.server.access_log, self._clock.timestamp)
        ledger = Ledger(self.counters, self.log)
        keeper = Keeper(
            hot=hot,
            catalog=self.catalog,
            generation=self.generation,
            clock=self._clock,
            counters=self.counters,
            ledger=ledger,
        )
        proxy = Proxy(
            repositories=self.repositories,
            engine=self.engine,
            door=door,
            sender=sender,
            keeper=keeper,
            ledger=ledger,
            clock=self._clock,
            knows_session=self._knows_session,
            is_own_via=self.fetcher.own_via,
            own_via=self.fetcher.via,
            request_body_limit=settings.limits.request_body,
            warning_header=settings.compat.warning_header,
        )
        self.status = Status(
            door=door,
            catalog=self.catalog,
            blobs=self.blobs,
            totals=self.tally.totals,
            repositories=self.repositories,
            metrics_open=settings.metrics.open,
        )
        return App(
            proxy=proxy,
            keeper=keeper,
            status=self.status,
            door=door,
            hot=hot,
            sender=sender,
            log=self.log,
            generation=self.generation,
            clock=self._clock,
            lifetime=Lifetime(start=self.start, stop=self.stop),
        )

    def _knows_session(self, name: str) -> bool:
        return not self._blueprint.private or name in self.sessions

    # --- life -------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        self._keeping = asyncio.create_task(self._keep(), name="housekeeping")

    async def stop(self) -> None:
        """Finish what is under way, as long as the settings allow; then write down and close everything."""
        self.flights.stop()
        self._keeping.cancel()
        await self.background.drain(self._settings.server.shutdown_timeout)
        if self._control is not None:
            await self._control.close()
            await self._back_up()
        self.tally.save()
        await self.fetcher.close()
        await self.catalog.close()
        self.log.close()

    async def _keep(self) -> None:
        """Counts for the others, and, in one worker of each server, the control socket, janitor and backups."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._save_counts())
            group.create_task(self._lead_when_free(group))

    async def _save_counts(self) -> None:
        while True:
            await asyncio.sleep(SAVE_SECONDS)
            try:
                await asyncio.to_thread(self.tally.save)
            except OSError as error:
                _log.warning("counts could not be saved: %s", error.strerror)

    async def _lead_when_free(self, group: asyncio.TaskGroup) -> None:
        while not self._try_lead():
            await asyncio.sleep(1.0)
        self._control = ControlSocket(self._blueprint.data / "control.sock", self.verbs())
        await self._control.open()
        storage = self._settings.storage
        group.create_task(self.janitor.work(evict_every=10.0, sweep_every=storage.sweep_interval))
        group.create_task(self._keep_backups())

    def _try_lead(self) -> bool:
        if self._control_lock < 0:
            path = self._blueprint.data / "run" / "control.lock"
            self._control_lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._control_lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    async def _keep_backups(self) -> None:
        while True:
            await asyncio.sleep(self._settings.catalog.backup_interval)
            await self._back_up()

    async def _back_up(self) -> None:
        try:
            await self.catalog.backup(f"{self._blueprint.data / 'catalog.db'}.backup")
        except StoreFailure as failure:
            _log.error("the catalog could not be backed up: %s", failure)

    def verbs(self) -> dict[str, Verb]:
        """What the control socket understands."""
        operations = self.operations

        async def ping(_: Mapping[str, object]) -> object:
            host, port = split_listener(self._settings.server.listen)
            return {
                "version": __version__,
                "pid": os.getpid(),
                "host": host,
                "port": port,
                "private": self._blueprint.private,
                "repositories": list(self.repositories),
            }

        async def stats(_: Mapping[str, object]) -> object:
            return await asyncio.to_thread(operations.stats)

        async def metrics(_: Mapping[str, object]) -> object:
            return (await asyncio.to_thread(self.status.metrics)).decode()

        async def purge(arguments: Mapping[str, object]) -> object:
            return await operations.purge(str(arguments["target"]))

        async def invalidate(arguments: Mapping[str, object]) -> object:
            return await operations.invalidate(str(arguments["target"]))

        async def forget(arguments: Mapping[str, object]) -> object:
            return await operations.forget(str(arguments["target"]))

        async def accept(arguments: Mapping[str, object]) -> object:
            done = await operations.accept(str(arguments["target"]), str(arguments.get("sha256", "")))
            return {"key": done.key, "remembered": done.remembered, "stored": done.stored}

        async def open_session(arguments: Mapping[str, object]) -> object:
            self.sessions.add(str(arguments["name"]))
            return {}

        async def session(arguments: Mapping[str, object]) -> object:
            return await asyncio.to_thread(operations.session, str(arguments["name"]))

        async def close_session(arguments: Mapping[str, object]) -> object:
            self.sessions.discard(str(arguments["name"]))
            return {"left": len(self.sessions)}

        async def sweep(_: Mapping[str, object]) -> object:
            return await operations.sweep()

        return {
            "ping": ping,
            "stats": stats,
            "metrics": metrics,
            "purge": purge,
            "invalidate": invalidate,
            "forget": forget,
            "accept": accept,
            "open-session": open_session,
            "session": session,
            "close-session": close_session,
            "sweep": sweep,
        }
