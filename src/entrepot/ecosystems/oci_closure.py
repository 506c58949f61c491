"""Everything that clients ask for of an image: what its tag means, the images of its platforms, their parts, and what
others have said of it."""

import hashlib
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from typing import TypeVar
from urllib.parse import quote

from entrepot.contracts.closure import Closure, Need, Reading, Skipped
from entrepot.ecosystems.oci_documents import (
    LARGEST_MANIFEST,
    Descriptor,
    Manifest,
    digests_of,
    read_manifest,
    read_referrers,
    read_tags,
)
from entrepot.ecosystems.oci_names import fallback_tag, is_tag, parse_digest
from entrepot.ecosystems.oci_resources import blob, manifest, referrers, tags
from entrepot.errors import Absent, BadRequest, ConfigError
from entrepot.model.constraints import parse_constraint
from entrepot.model.digest import Digest
from entrepot.model.platforms import Platform, parse_platform
from entrepot.model.purl import Purl
from entrepot.model.release import Document
from entrepot.model.selection import Extent, Selection
from entrepot.model.versions import NATURAL

_Found = TypeVar("_Found")
_Steps = Generator[Need | Selection | Skipped, Reading | None, _Found]

SAID = "said"
"""As a part of a selection: what somebody said of an image. Nobody asks what was said of that."""
_TAGGED = "tag:"
COSIGN = (".sig", ".att", ".sbom")
PAGE = 1000
MOST_PAGES = 1000


def select_image(package: str, purl: Purl, extent: Extent) -> Selection:
    """A digest, with the tag that is to mean it; or a tag; or comparisons of tags. Raises BadRequest."""
    version, tag = purl.version, purl.qualifier("tag")
    arch = purl.qualifier("arch")
    if arch and not extent.platforms:
        extent = replace(extent, platforms=(f"linux/{arch}",))
    if ":" in version:
        if parse_digest(version) is None:
            raise BadRequest(f"{purl}: {version!r} is no digest; write it like sha256: and 64 digits")
        parts = (f"{_TAGGED}{tag}",) if tag else ()
        return Selection(package=package, version=version, parts=parts, extent=extent)
    exact = is_tag(version or tag)
    return Selection(
        package=package,
        version=(version or tag) if exact else "",
        within="" if exact else version,
        extent=extent,
    )


def close_image(selection: Selection) -> Closure:
    if selection.version:
        yield from _close_one(selection)
        return
    yield Need(resource=tags(selection.package))
    chosen = sorted((yield from _all_tags(selection)), key=lambda tag: NATURAL.key(tag) or (), reverse=True)
    found = [tag for tag in chosen if _is_within(tag, selection)][: selection.extent.latest]
    if not found:
        raise Absent(str(selection))
    for tag in found:
        yield replace(selection, version=tag, within="")


def _all_tags(selection: Selection) -> _Steps[list[str]]:
    """Page by page; a registry that knows no pages gives the same one twice."""
    found: dict[str, None] = {}
    hidden = frozenset[str]()
    query = f"n={PAGE}"
    for _ in range(MOST_PAGES):
        reading = yield Need(resource=tags(selection.package, query), reads=True)
        page = read_tags(reading.document) if reading is not None else []
        hidden |= reading.hidden if reading is not None else frozenset()
        if not page or page[-1] in found:
            break
        found |= dict.fromkeys(page)
        query = f"n={PAGE}&last={quote(page[-1], safe='')}"
    return [tag for tag in found if tag not in hidden]


def _is_within(tag: str, selection: Selection) -> bool:
    if not selection.within:
        return True
    try:
        return bool(parse_constraint(selection.within, NATURAL, selection.package).admits(tag))
    except ConfigError as error:
        raise BadRequest(str(error)) from error


# --- one image ------------------------------------------------------------------------------------------------------


def _close_one(selection: Selection) -> Closure:
    name, version = selection.package, selection.version
    pinned = next((digest for digest in selection.digests if digest.algorithm == "sha256"), None)
    if pinned is not None and is_tag(version):
        yield replace(_plain(selection), version=str(pinned), parts=(f"{_TAGGED}{version}",))
        return
    reading = yield Need(resource=manifest(name, version), reads=True)
    assert reading is not None
    digest, found = _read(reading.document, parse_digest(version))
    if is_tag(version):
        yield Need(resource=manifest(name, digest))
    for part in selection.parts:
        if part.startswith(_TAGGED):
            yield from _tagged(name, part.removeprefix(_TAGGED), digest)
    for descriptor, known in digests_of(found.parts):
        if descriptor.is_elsewhere:
            yield Skipped(subject=f"{name}@{known}", reason="a layer that its publisher lets no registry hand out")
        else:
            yield Need(resource=blob(name, known, descriptor.size))
    yield from _images_of(found, selection)
    if SAID not in selection.parts:
        yield from _said_of(digest, selection)


def _plain(selection: Selection) -> Selection:
    """For what the order's digests do not mean."""
    return replace(selection, digests=(), files=())


def _tagged(name: str, tag: str, digest: Digest) -> Closure:
    """The tag, too, where it still means what was ordered."""
    reading = yield Need(resource=manifest(name, tag), reads=True, absent="maybe")
    if reading is None or _read(reading.document, None)[0] != digest:
        yield Skipped(subject=f"{name}:{tag}", reason=f"this tag does not mean {digest} any more")


def _read(document: Document, digest: Digest | None) -> tuple[Digest, Manifest]:
    body = document.body.read(LARGEST_MANIFEST + 1)
    document.body.seek(0)
    return digest or Digest("sha256", hashlib.sha256(body).hexdigest()), read_manifest(document)


def _images_of(found: Manifest, selection: Selection) -> Iterator[Selection]:
    """Those of an index that the order's platforms run, with what attests them. Raises Absent where there are none."""
    every = list(found.manifests or ())
    images = [one for one in every if not one.is_attestation]
    chosen = [one for one in images if _runs(one, selection.extent.platforms)]
    if images and not chosen:
        there = ", ".join(sorted({str(one.platform) for one in images if one.platform}))
        raise Absent(f"{selection} for {', '.join(selection.extent.platforms)}; there are: {there}")
    wanted = {one.digest for one in chosen}
    for one in every:
        if one.digest in wanted:
            yield replace(_plain(selection), version=one.digest, parts=())
        elif one.attests in wanted:
            yield replace(_plain(selection), version=one.digest, parts=(SAID,))


def _runs(one: Descriptor, platforms: Sequence[str]) -> bool:
    """Platforms in the terms of another ecosystem rule nothing out."""
    known = [place for place in map(parse_platform, platforms) if isinstance(place, Platform)]
    at = one.platform
    return not known or at is None or any((at.os, at.architecture) == (a.system, a.processor) for a in known)


def _said_of(digest: Digest, selection: Selection) -> Closure:
    """Signatures, attestations and bills of materials: what refers to the image, and what cosign's tags mean."""
    name = selection.package
    reading = yield Need(resource=referrers(name, digest), reads=True, absent="maybe")
    if reading is None:
        reading = yield Need(resource=manifest(name, fallback_tag(digest)), reads=True, absent="maybe")
    said = read_referrers(reading.document).manifests if reading is not None else None
    for one in said or ():
        yield replace(_plain(selection), version=one.digest, parts=(SAID,))
    for suffix in COSIGN:
        tag = fallback_tag(digest, suffix)
        if (yield Need(resource=manifest(name, tag), reads=True, absent="maybe")) is not None:
            yield replace(_plain(selection), version=tag, parts=(SAID,))
