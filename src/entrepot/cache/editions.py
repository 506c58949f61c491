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
    """Of names that are `probed`: which digests a name has meant, and which names have meant a digest, are kept where
    sightings of versions are."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit

    async def keep(self, order: Order, entry: Entry, blob: Blob) -> None:
        """Upstream says what the name means now: others may ask for that by its digest, and later, when it means
        something else, we may want it again. Failing costs only that."""
        digest, resource = Digest("sha256", entry.sha256), order.resource
        named = order.repository.ecosystem.named_by(resource, digest)
        copy = replace(entry, key=named.stored_key, published=True)
        try:
            await note_down(self._kit.catalog.put_stored(copy, blob, remember=True), order.subject)
            for package, said in (
                (_history_of(resource), str(digest)),
                (_names_of(resource, digest), resource.version),
            ):
                put = self._kit.catalog.put_sightings(
                    entry.repository, resource.stored_key, package, [said], entry.validated_at, reading=True
                )
                await note_down(put, order.subject)
        except StoreFailure as failure:
            _log.warning("what %s means now could not be noted: %s", order.subject, failure)

    def seen(self, repository: Repository, resource: Resource, digest: Digest) -> Sighting | None:
        """Since when the name may have meant this. Baseline, as long as nobody saw that it came to mean it, and nobody
        saw the name itself appear in the list of names. Bytes that another name meant before are as old as that."""
        catalog = self._kit.catalog
        here = catalog.find_sighting(repository.name, _history_of(resource), str(digest))
        name = catalog.find_sighting(repository.name, resource.about, resource.version)
        if here is None or here.baseline:
            return name if name is not None and not name.baseline else here
        others = catalog.find_sightings(repository.name, _names_of(resource, digest)).values()
        return Sighting(first_seen=min([here.first_seen, *(one.first_seen for one in others)]), baseline=False)

    def former(self, repository: Repository, resource: Resource) -> list[Digest]:
        """What a name has meant so far, newest first."""
        known: Mapping[str, Sighting] = self._kit.catalog.find_sightings(repository.name, _history_of(resource))
        newest_first = sorted(known, key=lambda text: known[text].first_seen, reverse=True)
        return [Digest(*text.split(":", 1)) for text in newest_first]

    def names(self, repository: Repository, resource: Resource) -> list[str]:
        """What has ever meant a digest."""
        assert resource.digest is not None
        return sorted(self._kit.catalog.find_sightings(repository.name, _names_of(resource, resource.digest)))


# Under what it is noted. No package is called so.


def _history_of(resource: Resource) -> str:
    return f"{resource.about}:{resource.version}"


def _names_of(resource: Resource, digest: Digest) -> str:
    return f"{resource.about}@{digest}"
