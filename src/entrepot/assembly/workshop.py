"""Builds the parts of one process and keeps them alive between start and stop."""

import asyncio
import fcntl
import logging
import os
import signal
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from entrepot import __version__
from entrepot.assembly.blueprint import Blueprint
from entrepot.assembly.build_caches import build_caches_of
from entrepot.assembly.bundles import BundleParts, depot_maker
from entrepot.assembly.fills import make_fills
from entrepot.assembly.mirrors import MirrorParts, make_mirror, rules_of, schedules_of
from entrepot.assembly.sessions import is_living, make_sessions
from entrepot.assembly.tokens import guard_of
from entrepot.assembly.trees import TreeParts, make_accesses, make_walker
from entrepot.assembly.values import identity_of, repositories_of, upstreams_of
from entrepot.assembly.version_control import with_version_control
from entrepot.assembly.ways import hosts_of, ways_of
from entrepot.cache.ageing import Ages
from entrepot.cache.background import Background
from entrepot.cache.counters import Counters
from entrepot.cache.derived import DerivedBlobs
from entrepot.cache.documents import Documents
from entrepot.cache.engine import Engine
from entrepot.cache.explanation import Explainer
from entrepot.cache.facts import FactBook
from entrepot.cache.flights import Flights
from entrepot.cache.indexes import Indexes
from entrepot.cache.inspection import Inspection
from entrepot.cache.janitor import Janitor
from entrepot.cache.operations import Operations
from entrepot.cache.order import Kit, Limits
from entrepot.cache.rehearsal import Rehearsal
from entrepot.cache.scribe import Scribe
from entrepot.cache.solo import SoloBoard, SoloGeneration, SoloReadings
from entrepot.cache.soundness import Soundness
from entrepot.cache.tally import SAVE_SECONDS, Tally
from entrepot.cache.validation import Validation
from entrepot.cache.views import Views
from entrepot.catalog.listings import SqliteListings
from entrepot.catalog.pins import SqlitePins
from entrepot.catalog.sqlite import SqliteCatalog
from entrepot.config.addresses import base_url, own_addresses
from entrepot.contracts.board import Board, Generation, Readings
from entrepot.contracts.fetcher import Fetcher
from entrepot.errors import StoreFailure
from entrepot.mirror.filling import Filler
from entrepot.mirror.schedules import Scheduler
from entrepot.storage.board import FileBoard, FileGeneration
from entrepot.storage.filesystem import FilesystemBlobs
from entrepot.storage.readings import FileReadings
from entrepot.upstream.client import AiohttpFetcher
from entrepot.upstream.health import Health
from entrepot.upstream.settings import ClientSettings
from entrepot.upstream.validator import HttpValidator
from entrepot.web.access import AccessLog
from entrepot.web.api import Api
from entrepot.web.app import App, Lifetime
from entrepot.web.bundle_verbs import BundleVerbs
from entrepot.web.control import ControlSocket, Verb
from entrepot.web.door import Door
from entrepot.web.hot import HotAnswers
from entrepot.web.keeping import Keeper
from entrepot.web.ledger import Ledger
from entrepot.web.mirror_routes import MirrorRoutes
from entrepot.web.openapi import document_of
from entrepot.web.proxy import Proxy
from entrepot.web.sending import SHARED_BYTES, Sender
from entrepot.web.session_routes import SessionRoutes
from entrepot.web.sessions import Sessions
from entrepot.web.status import Status
from entrepot.web.verbs import Verbs

FIRST_SESSION_SECONDS = 10.0
"""A private server that nobody uses within this time was started by somebody who is gone."""

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
        self._readings = _readings_at(run / "readings") if shared else SoloReadings()
        self.counters = Counters()
        self.tally = Tally(run / "counts", self.counters)
        self.background = Background()
        self.repositories = repositories_of(blueprint)
        self.sessions = Sessions(private=blueprint.private, shared=run / "sessions" if shared else None)
        self.fetcher = self._make_fetcher()
        self._make_engine()
        self._door = Door(identity_of(self._settings))
        self._status = Status(
            door=self._door,
            catalog=self.catalog,
            blobs=self.blobs,
            totals=self.tally.totals,
            repositories=self.repositories,
            metrics_open=self._settings.metrics.open,
            openapi=cache(lambda: document_of(self._verbs().routes())),
        )
        self._control_lock = -1
        self._control: ControlSocket | None = None

    # --- parts ------------------------------------------------------------------------------------------------------

    def _make_fetcher(self) -> Fetcher:
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
        self._http = AiohttpFetcher(upstreams_of(self._blueprint), settings, health, self._clock)
        return with_version_control(self._http, self._blueprint, settings, health)

    def _make_engine(self) -> None:
        flight, shared = self._settings.flight, self._settings.server.workers > 1
        limits = Limits(whole_bytes=flight.hold, resumes=flight.resumes, window_bytes=flight.window)
        kit = self._kit = Kit(
            fetcher=self.fetcher,
            blobs=self.blobs,
            catalog=self.catalog,
            clock=self._clock,
            limits=limits,
            readings=self._readings,
            listings=SqliteListings(self.catalog),
            commands=FileGeneration(self._blueprint.data / "run" / "commands") if shared else SoloGeneration(),
        )
        derived = DerivedBlobs(self.blobs, self.catalog)
        soundness = Soundness(self.blobs, self.catalog, self._count_quarantine)
        self.flights = Flights(kit, self._board, self.generation, self.background)
        self._scribe = Scribe()
        book = FactBook(derived, scribe=self._scribe)
        documents = Documents(kit, self.flights, book, soundness, self.counters)
        views = Views(derived, self._board, self._settings.limits.views, self._scribe)
        ages = Ages(kit, documents)
        indexes = Indexes(documents, views, self.counters, ages)
        holder = f"{self._blueprint.instance}/{os.getpid()}"
        forest = TreeParts(
            kit=kit,
            catalog=self.catalog,
            flights=self.flights,
            documents=documents,
            soundness=soundness,
            counters=self.counters,
            generation=self.generation,
            repositories=self.repositories,
            holder=holder,
        )
        directories = forest.directories()
        self.fills = make_fills(self._settings.fills, self.catalog, self._clock, self.counters)
        self.engine = Engine(
            kit,
            self.flights,
            documents,
            indexes,
            soundness,
            self.counters,
            flight.range_wait,
            self.fills,
            ages,
            self._make_validation(documents),
            directories,
        )
        self.rehearsal = Rehearsal(ages, documents, self.repositories)
        self.explainer = Explainer(kit, documents, ages, self.fills.leases, self.repositories)
        self._filler = Filler(self.fills, self.repositories, self.engine.fill, holder=holder)
        self.pins = SqlitePins(self.catalog)
        self.janitor = Janitor(kit, self.generation, self.counters, self._settings.storage.max_size, self.repositories)
        self.mirror = make_mirror(
            MirrorParts(
                data=self._blueprint.data,
                kit=kit,
                catalog=self.catalog,
                repositories=self.repositories,
                supply=self.engine.supply,
                scribe=self._scribe,
                rules=rules_of(self._settings.mirroring),
                holder=holder,
                is_living=lambda other: is_living(other, self._blueprint.instance),
                validator=self._validator,
                validator_cache=self._settings.validator.cache,
                trees=make_walker(forest, directories, self.engine.supply, self.janitor),
            )
        )
        beside = self._blueprint.sources.file
        schedules = schedules_of(self._settings.mirror, beside.parent if beside else Path())
        self._scheduler = Scheduler(self.mirror, self.fills.leases, self._clock, schedules, holder=holder)
        self.accesses = make_accesses(forest, self.mirror, self._settings.fills.allow_trigger)
        self.operations = Operations(
            kit, self.repositories, self.generation, self.engine.absences, self.janitor, self.tally
        )
        self.bundles = self._make_bundles(documents)
        self.recorded = make_sessions(
            self._settings.sessions,
            kit,
            self.catalog,
            self.sessions,
            self.repositories,
            self.generation,
            instance=self._blueprint.instance,
            shared=self._settings.server.workers > 1,
        )

    def _make_bundles(self, documents: Documents) -> BundleVerbs:
        parts = BundleParts(
            data=self._blueprint.data,
            kit=self._kit,
            catalog=self.catalog,
            documents=documents,
            engine=self.engine,
            mirror=self.mirror,
            generation=self.generation,
            repositories=self.repositories,
            trusted=self._settings.bundles.trusted_keys,
        )
        return BundleVerbs(depot_maker(parts), self.repositories)

    def _make_validation(self, documents: Documents) -> Validation:
        settings = self._settings.validator
        agent = f"entrepot/{__version__}"
        self._validator = HttpValidator(settings.url, settings.timeout, agent) if settings.url else None
        return Validation(self._validator, documents, self.background, self._clock, settings.cache)

    def _count_quarantine(self) -> None:
        self.counters.quarantined += 1

    def make_app(self) -> App:
        """The ASGI application. Its lifespan opens and closes everything else."""
        settings = self._settings
        hot = HotAnswers(settings.storage.memory, settings.storage.open_files)
        sender = Sender(SHARED_BYTES // settings.server.workers)
        self.log = AccessLog(settings.server.access_log, self._clock.timestamp)
        ledger = Ledger(self.counters, self.log)
        keeper = Keeper(
            hot=hot,
            catalog=self.catalog,
            generation=self.generation,
            clock=self._clock,
            counters=self.counters,
            ledger=ledger,
            touch_of=self.accesses.touch_of,
            view_of=self.recorded.views.id_of,
        )
        guard = guard_of(self._blueprint, self.sessions.is_open)
        proxy = Proxy(
            repositories=self.repositories,
            engine=self.engine,
            door=self._door,
            sender=sender,
            keeper=keeper,
            ledger=ledger,
            clock=self._clock,
            knows_session=self.sessions.knows,
            is_own_via=self._http.own_via,
            own_via=self._http.via,
            ways=ways_of(self._blueprint, self.repositories),
            request_body_limit=settings.limits.request_body,
            warning_header=settings.compat.warning_header,
            guard=guard,
            accesses=self.accesses,
            views=self.recorded.views,
            recorder=self.recorded.recorder,
        )
        return App(
            proxy=proxy,
            keeper=keeper,
            status=self._status,
            api=Api(self._verbs().routes(), self._door, ledger),
            hot=hot,
            sender=sender,
            log=self.log,
            generation=self.generation,
            clock=self._clock,
            lifetime=Lifetime(start=self.start, stop=self.stop),
            guard=guard,
            build_caches=build_caches_of(self._blueprint, self._door, sender, ledger),
        )

    # --- life -------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        self._keeping = asyncio.create_task(self._keep(), name="housekeeping")

    async def stop(self) -> None:
        """Finish what is under way, as long as the settings allow; then write down and close everything."""
        self.sessions.refuse()
        self.flights.stop()
        self._keeping.cancel()
        # What is cancelled gives its leases back.
        await asyncio.wait({self._keeping})
        await self.background.drain(self._settings.server.shutdown_timeout)
        await self.recorded.recorder.close()
        if self._control is not None:
            await self._control.close()
            await self._back_up()
        if self._control_lock >= 0:
            os.close(self._control_lock)
        self.log.close()
        await self.close()

    async def close(self) -> None:
        """What was opened by making this; all there is to do where nothing was served."""
        # A download whose body has arrived still writes it down.
        await self.background.drain(self._settings.server.shutdown_timeout)
        self.tally.save()
        await self._scribe.close()
        if self._validator is not None:
            await self._validator.close()
        await self.fetcher.close()
        await self.catalog.close()

    async def _keep(self) -> None:
        """Counts for the others, fills, and, in one worker of each server, the control socket, janitor and backups."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._save_counts())
            group.create_task(self._filler.work())
            group.create_task(self.accesses.work())
            group.create_task(self.recorded.recorder.work())
            group.create_task(self.mirror.work())
            group.create_task(self._scheduler.work())
            group.create_task(self._lead_when_free(group))

    async def _save_counts(self) -> None:
        while True:
            await asyncio.sleep(SAVE_SECONDS)
            try:
                await asyncio.to_thread(self.tally.save)
            except OSError as error:
                _log.warning("counts could not be saved: %s", error.strerror)

    async def _lead_when_free(self, group: asyncio.TaskGroup) -> None:
        while not self._try_lead():  # noqa: ASYNC110 - the lock belongs to another process
            await asyncio.sleep(1.0)
        self._control = ControlSocket(self._blueprint.data / "control.sock", self.verbs())
        await self._control.open()
        storage = self._settings.storage
        group.create_task(self.janitor.work(evict_every=10.0, sweep_every=storage.sweep_interval))
        group.create_task(self._keep_backups())
        group.create_task(self.recorded.archive.work())
        if self._blueprint.private:
            group.create_task(self._end_when_left())

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

    # --- the control socket -----------------------------------------------------------------------------------------

    def verbs(self) -> Mapping[str, Verb]:
        """What the control socket understands."""
        return self._verbs().table() | self.bundles.table()

    def _verbs(self) -> Verbs:
        return Verbs(
            operations=self.operations,
            inspection=Inspection(self._kit, self.repositories, self.engine, self.janitor),
            fills=self.fills,
            explainer=self.explainer,
            recorded=SessionRoutes(self.recorded.archive, self.sessions, self._about()),
            mirroring=MirrorRoutes(self.mirror, self.pins, self.repositories),
            metrics=self._status.metrics,
            about=self._about(),
            settling=SAVE_SECONDS if self._settings.server.workers > 1 else 0.0,
        )

    def _about(self) -> Mapping[str, object]:
        """Which server this is, and where clients reach it."""
        return {
            "version": __version__,
            "pid": os.getpid(),
            "url": base_url(self._settings.server),
            "private": self._blueprint.private,
            "repositories": {name: one.ecosystem.name for name, one in self.repositories.items()},
            "stands_for": hosts_of(self._blueprint, self.repositories),
        }

    async def _end_when_left(self) -> None:
        """A private server ends with its last user; what is under way for the next one is finished first."""
        while True:
            await self.sessions.wait_until_left(FIRST_SESSION_SECONDS)
            await self.background.settle(self._settings.server.shutdown_timeout)
            if self.sessions.end():
                break
        os.kill(os.getppid(), signal.SIGTERM)


def _readings_at(path: Path) -> Readings:
    """Shared by all workers; by none where the disk is full, so that the server starts all the same."""
    try:
        return FileReadings(path)
    except StoreFailure as failure:
        _log.warning("each worker remembers by itself which generation a client reads: %s", failure)
        return SoloReadings()
