"""When an image was made, as its author says: annotations, else the configuration of the first platform's image."""

from entrepot.contracts.ecosystem import Dating
from entrepot.ecosystems.oci_documents import (
    CREATED,
    LARGEST_CONFIG,
    Manifest,
    parse_created,
    read_created,
    read_manifest,
)
from entrepot.ecosystems.oci_names import parse_digest
from entrepot.ecosystems.oci_resources import blob, manifest
from entrepot.errors import UnreadableIndex
from entrepot.model.resource import Resource

_CONFIGS = ("application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json")


def date_image(resource: Resource) -> Dating:
    """Each document is read once; one that cannot be read has no date."""
    document = yield resource
    if document is None:
        return None
    try:
        found = read_manifest(document)
        if found.is_index and not _told(found):
            child = _first_image(found)
            document = (yield manifest(resource.about, child)) if child else None
            found = read_manifest(document) if document is not None else found
    except UnreadableIndex:
        return None
    config = found.config
    if _told(found) or config is None or config.media_type not in _CONFIGS:
        return parse_created(_told(found))
    digest = parse_digest(config.digest) if (config.size or 0) <= LARGEST_CONFIG else None
    document = (yield blob(resource.about, digest)) if digest else None
    return read_created(document) if document is not None else None


def _told(found: Manifest) -> str:
    return (found.annotations or {}).get(CREATED, "")


def _first_image(found: Manifest) -> str:
    return next((one.digest for one in found.manifests or () if not one.is_attestation), "")
