"""From the configured build caches to what serves them."""

from collections.abc import Mapping

from entrepot.assembly.blueprint import Blueprint
from entrepot.config.names import is_loopback, split_listener
from entrepot.storage.build_cache import BuildCacheStore
from entrepot.web.build_caches import BuildCache, BuildCaches
from entrepot.web.door import Door
from entrepot.web.ledger import Ledger
from entrepot.web.sending import Sender

FOLDER = "build-caches"


def build_caches_of(blueprint: Blueprint, door: Door, sender: Sender, ledger: Ledger) -> BuildCaches:
    settings = blueprint.settings
    caches: Mapping[str, BuildCache] = {
        name: BuildCache(
            name=name,
            store=BuildCacheStore(blueprint.data / FOLDER / name, one.max_size, replace=one.replace),
            max_entry=one.max_entry,
        )
        for name, one in settings.build_caches.items()
    }
    return BuildCaches(
        caches,
        door=door,
        sender=sender,
        ledger=ledger,
        open_to_read=settings.server.open,
        open_to_write=is_loopback(split_listener(settings.server.listen)[0]),
    )
