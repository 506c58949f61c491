"""What a registry of images serves, as resources. Keys are paths of the API, whichever way they were asked for."""

from entrepot.ecosystems.oci_names import parse_reference
from entrepot.model.digest import Digest
from entrepot.model.resource import Kind, Resource

IMAGE = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_IMAGE = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
ARTIFACT = "application/vnd.oci.artifact.manifest.v1+json"
ACCEPT = ", ".join((IMAGE, INDEX, DOCKER_IMAGE, DOCKER_LIST, ARTIFACT))
"""All there are, for every client: a registry answers 404, or converts, where the stored type is not among them."""
TAG_SECONDS = 60.0
"""For how long what a tag means is taken for granted."""


def manifest(name: str, reference: str | Digest) -> Resource:
    """By tag or by digest. Raises BadRequest."""
    parsed = parse_reference(reference) if isinstance(reference, str) else reference
    path = f"v2/{name}/manifests/{parsed}"
    if isinstance(parsed, Digest):
        return Resource(
            key=path,
            path=path,
            kind=Kind.ARTIFACT,
            about=name,
            digest=parsed,
            accepts=ACCEPT,
            examined=True,
            must_be_confirmed=True,
        )
    return Resource(
        key=path,
        path=path,
        kind=Kind.SIGNED,
        about=name,
        version=parsed,
        accepts=ACCEPT,
        examined=True,
        probed=True,
        mutable_ttl=TAG_SECONDS,
    )


def blob(name: str, digest: Digest, size_bytes: int | None = None) -> Resource:
    path = f"v2/{name}/blobs/{digest}"
    return Resource(
        key=path,
        path=path,
        kind=Kind.ARTIFACT,
        about=name,
        digest=digest,
        size_bytes=size_bytes,
        must_be_confirmed=True,
    )


def tags(name: str, query: str = "") -> Resource:
    """`query`: which page, as the client or upstream's link has it."""
    path = f"v2/{name}/tags/list"
    return Resource(key=path, path=path, query=query, kind=Kind.INDEX, about=name, mutable_ttl=TAG_SECONDS)


def referrers(name: str, digest: Digest, query: str = "", artifact_type: str = "") -> Resource:
    """Filtered by us: what upstream has is stored once."""
    path = f"v2/{name}/referrers/{digest}"
    return Resource(
        key=path,
        path=path,
        query=query,
        kind=Kind.INDEX,
        about=name,
        form=artifact_type,
        accepts=INDEX,
        mutable_ttl=TAG_SECONDS,
    )
