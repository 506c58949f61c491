"""Manifests, indexes, and lists of tags and referrers (image-spec and distribution-spec 1.1)."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TypeVar
from urllib.parse import quote, unquote

import msgspec

from entrepot.ecosystems.oci_names import is_tag, parse_digest
from entrepot.ecosystems.oci_resources import DOCKER_LIST, INDEX
from entrepot.errors import UnreadableIndex
from entrepot.model.digest import Digest
from entrepot.model.release import Document

LARGEST_MANIFEST = 4 << 20
"""Registries need not take larger ones, so there are none."""
LARGEST_CONFIG = 8 << 20
"""What is larger is not fetched only to learn a date."""
CREATED = "org.opencontainers.image.created"
_NEVER_WRITTEN_BEFORE = datetime(2013, 1, 1, tzinfo=UTC)
"""There were no images yet: a date before it stands for none, as reproducible builds write it."""
_NEXT = re.compile(r'<[^>?]*\?([!#-;=?-~]{1,2048})>\s*;\s*rel="?next"?', re.IGNORECASE)

_T = TypeVar("_T")


class Platform(msgspec.Struct, frozen=True):
    os: str = ""
    architecture: str = ""
    variant: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)


class Descriptor(msgspec.Struct, frozen=True):
    digest: str
    media_type: str = msgspec.field(default="", name="mediaType")
    size: int | None = None
    urls: list[str] | None = None
    platform: Platform | None = None
    artifact_type: str | None = msgspec.field(default=None, name="artifactType")
    annotations: dict[str, str] | None = None

    @property
    def is_elsewhere(self) -> bool:
        """Whether no registry has to have it ("non-distributable" layers)."""
        return bool(self.urls) and ("foreign" in self.media_type or "nondistributable" in self.media_type)

    @property
    def is_attestation(self) -> bool:
        """As BuildKit puts them into an index, beside the images."""
        return "vnd.docker.reference.type" in (self.annotations or {})

    @property
    def attests(self) -> str:
        """The digest of the image that an attestation is about."""
        return (self.annotations or {}).get("vnd.docker.reference.digest", "") if self.is_attestation else ""


class Manifest(msgspec.Struct, frozen=True):
    """An image, an artifact, or an index of them."""

    media_type: str = msgspec.field(default="", name="mediaType")
    config: Descriptor | None = None
    layers: list[Descriptor] | None = None
    blobs: list[Descriptor] | None = None
    manifests: list[Descriptor] | None = None
    fs_layers: list[dict[str, str]] | None = msgspec.field(default=None, name="fsLayers")
    annotations: dict[str, str] | None = None

    @property
    def is_index(self) -> bool:
        return self.manifests is not None or self.media_type in (INDEX, DOCKER_LIST)

    @property
    def parts(self) -> Iterator[Descriptor]:
        """Everything but other manifests."""
        if self.config is not None:
            yield self.config
        yield from self.layers or ()
        yield from self.blobs or ()
        for layer in self.fs_layers or ():
            yield Descriptor(digest=layer.get("blobSum", ""))


class _Tags(msgspec.Struct):
    tags: list[str] | None = None


class _Config(msgspec.Struct):
    created: str | None = None


def check_manifest(document: Document) -> bytes:
    """Its bytes. Raises UnreadableIndex for a login page and the like; what it says is its readers' business."""
    body = document.body.read(LARGEST_MANIFEST + 1)
    if len(body) > LARGEST_MANIFEST:
        raise UnreadableIndex(f"{document.place}: larger than {LARGEST_MANIFEST} bytes, which no manifest is")
    if not _decode(body, dict[str, msgspec.Raw], document.place).keys() & {"schemaVersion", "mediaType"}:
        raise UnreadableIndex(f"{document.place}: JSON, but no manifest")
    return body


def read_manifest(document: Document) -> Manifest:
    """Raises UnreadableIndex for what is none, or names something by what is no digest."""
    found = _decode(check_manifest(document), Manifest, document.place)
    for descriptor in (*found.parts, *(found.manifests or ())):
        if parse_digest(descriptor.digest) is None:
            raise UnreadableIndex(
                f"{document.place}: names something by {descriptor.digest[:160]!a}, which is no digest"
            )
    return found


def read_tags(document: Document) -> list[str]:
    """In upstream's order. Raises UnreadableIndex."""
    found = _decode(document.body.read(), _Tags, document.place).tags or []
    return [tag for tag in found if is_tag(tag)]


def render_tags(name: str, tags: list[str], hidden: frozenset[str]) -> bytes:
    return msgspec.json.encode({"name": name, "tags": [tag for tag in tags if tag not in hidden]})


def read_referrers(document: Document) -> Manifest:
    """Raises UnreadableIndex."""
    found = read_manifest(document)
    if not found.is_index:
        raise UnreadableIndex(f"{document.place}: no index of referrers")
    return found


def check_referrers(document: Document) -> None:
    """That it is an index. What it names by digests that we do not know, clients may know. Raises UnreadableIndex."""
    if not _decode(check_manifest(document), Manifest, document.place).is_index:
        raise UnreadableIndex(f"{document.place}: no index of referrers")


def render_referrers(document: Document, artifact_type: str) -> bytes:
    """Those of one type. Nothing else of the index is changed. Raises UnreadableIndex."""
    check_referrers(document)
    document.body.seek(0)
    index = _decode(document.body.read(), dict[str, msgspec.Raw], document.place)
    every = msgspec.json.decode(index.get("manifests", msgspec.Raw(b"[]")), type=list[msgspec.Raw] | None) or []
    kept = [one for one in every if _type_of(one) == artifact_type]
    return msgspec.json.encode({**index, "manifests": kept})


def _type_of(raw: msgspec.Raw) -> str:
    return msgspec.json.decode(raw, type=Descriptor).artifact_type or ""


def read_created(document: Document) -> datetime | None:
    """When an image's configuration says that it was made."""
    body = document.body.read(LARGEST_CONFIG + 1)
    try:
        return parse_created(msgspec.json.decode(body, type=_Config).created) if len(body) <= LARGEST_CONFIG else None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def parse_created(text: str | None) -> datetime | None:
    """RFC 3339. None where it says nothing, or a time from before there were images."""
    try:
        moment = msgspec.convert(text, datetime, strict=False) if text else None
        if moment is None or moment.tzinfo is None or moment < _NEVER_WRITTEN_BEFORE:
            return None
        return moment.astimezone(UTC)
    except (msgspec.ValidationError, OverflowError):
        return None


def next_page(link: str, artifact_type: str) -> str:
    """Upstream's link to the next page as one to ours; empty: there is none."""
    found = _NEXT.search(link)
    if found is None:
        return ""
    query, _ = split_query(found[1])
    if artifact_type:
        query = f"{query}&artifactType={quote(artifact_type, safe='')}"
    return f'<?{query}>; rel="next"'


def split_query(query: str) -> tuple[str, str]:
    """What upstream is asked, and the artifact type by which we filter. `ns` tells proxies which registry is meant."""
    pairs = [pair.partition("=") for pair in query.split("&") if pair]
    kept = [f"{name}={value}" for name, _, value in pairs if name not in ("ns", "artifactType")]
    wanted = next((unquote(value) for name, _, value in pairs if name == "artifactType"), "")
    return "&".join(kept), wanted


def digests_of(descriptors: Iterator[Descriptor]) -> Iterator[tuple[Descriptor, Digest]]:
    """With their digests, which were checked when they were read."""
    for one in descriptors:
        digest = parse_digest(one.digest)
        assert digest is not None
        yield one, digest


def _decode(body: bytes, kind: type[_T], place: str) -> _T:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableIndex(f"{place}: {error}") from error
