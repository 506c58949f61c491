"""What takes triggers, made from settings."""

from entrepot.cache.counters import Counters
from entrepot.catalog.fills import SqliteFills
from entrepot.catalog.leases import SqliteLeases
from entrepot.catalog.sqlite import SqliteCatalog
from entrepot.config.fills import Fills as FillSettings
from entrepot.contracts.clock import Clock
from entrepot.mirror.fills import Fills
from entrepot.mirror.rules import FillRules


def make_fills(settings: FillSettings, catalog: SqliteCatalog, clock: Clock, counters: Counters) -> Fills:
    return Fills(SqliteFills(catalog), SqliteLeases(catalog), clock, counters, fill_rules_of(settings))


def fill_rules_of(settings: FillSettings) -> FillRules:
    return FillRules(
        workers=settings.workers,
        allow_trigger=settings.allow_trigger,
        per_client=settings.per_client,
        per_repository=settings.per_repository,
        total=settings.total,
        quiet_period=settings.quiet_period,
        backoff=settings.backoff,
        failed_for=settings.failed_for,
    )
