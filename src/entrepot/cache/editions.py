"""What a name that moves has meant so far: each meaning is kept under its digest, with when it was first seen."""

import logging
from collections.abc import Mapping
from dataclasses import replace

from entrepot.cache.noting import note_down
from entrepot.cache.order import Kit, Order
from entrepot.cache.repository import Repository
from entrepot.contracts.catalog import Sighting
from entrepot.errors import StoreFailure
from entrepot.model.digest import Digest
from entrepot.model.entry import Blob, Entry
from entrepot.model.resource import Resource

_log = logging.getLogger("entrepot")


class Editions:
    """Of names that are `probed`. Where sightings of versions are kept, digests are, too: no version is spelled so."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit

    async def keep(self, order: Order, entry: Entry, blob: Blob) -> None:
        """Upstream says what the name means now: others may ask for that by its digest, and later, when it means
        something else, we may want it again. Failing costs only that."""
        digest = Digest("sha256", entry.sha256)
        named = order.repository.ecosystem.named_by(order.resource, digest)
        copy = replace(entry, key=named.stored_key, published=True)
        try:
            await note_down(self._kit.catalog.put_stored(copy, blob, remember=True), order.subject)
            for package in (order.resource.about, _history_of(order.resource)):
                put = self._kit.catalog.put_sightings(
                    order.repository.name,
                    order.resource.stored_key,
                    package,
                    [str(digest)],
                    entry.validated_at,
                    reading=True,
                )
                await note_down(put, order.subject)
        except StoreFailure as failure:
            _log.warning("what %s means now could not be noted: %s", order.subject, failure)

    def seen(self, repository: Repository, resource: Resource, digest: Digest) -> Sighting | None:
        """When these bytes were first seen, under whatever name. They are baseline as long as nobody saw the name
        come to mean them, and nobody saw the name appear."""
        catalog, about = self._kit.catalog, resource.about
        anywhere = catalog.find_sighting(repository.name, about, str(digest))
        if not resource.probed:
            return anywhere
        here = catalog.find_sighting(repository.name, _history_of(resource), str(digest))
        name = catalog.find_sighting(repository.name, about, resource.version)
        if here is None or here.baseline:
            return name if name is not None and not name.baseline else here
        first = min(here.first_seen, anywhere.first_seen) if anywhere is not None else here.first_seen
        return Sighting(first_seen=first, baseline=False)

    def former(self, repository: Repository, resource: Resource) -> list[Digest]:
        """What a name has meant so far, newest first."""
        known: Mapping[str, Sighting] = self._kit.catalog.find_sightings(repository.name, _history_of(resource))
        newest_first = sorted(known, key=lambda text: known[text].first_seen, reverse=True)
        return [Digest(*text.split(":", 1)) for text in newest_first]


def _history_of(resource: Resource) -> str:
    """Under what the meanings of one name are noted. No package is called so."""
    return f"{resource.about}:{resource.version}"
