"""config.json: where upstream has its crates, and the one that our clients get in its place.

Source: https://doc.rust-lang.org/cargo/reference/registry-index.html#index-configuration
"""

import re

import msgspec

from entrepot.ecosystems.cargo_names import prefix_of
from entrepot.errors import UnreadableIndex
from entrepot.model.release import Document, Location, Rendered, locate

JSON = "application/json"
_MARKERS = ("{crate}", "{version}", "{prefix}", "{lowerprefix}", "{sha256-checksum}")
# A path with a query that may be asked of a server: no dot segments, no control characters or backslashes.
_PLACE = re.compile(
    r"(?!.*%(?:[01]|2[eEfF]|5[cC]|7[fF]))"
    r"(?:/(?!\.{1,2}(?:[/?]|\Z))(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})*)+"
    r"(?:\?(?:[A-Za-z0-9/?._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})*)?\Z"
)


class _Config(msgspec.Struct, frozen=True):
    dl: str


def read_template(document: Document) -> str:
    """The `dl` of a config.json. Raises UnreadableIndex."""
    body = document.body.read()
    document.body.seek(0)
    try:
        return msgspec.json.decode(body, type=_Config).dl
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UnreadableIndex(f"{document.url}: this is no config.json of a Cargo registry: {error}") from error


def locate_crate(document: Document, name: str, version: str, sha256: str) -> Location:
    """Raises UnreadableIndex, also for a place that is never asked: neither upstream's own origin nor https."""
    template = read_template(document)
    if not any(marker in template for marker in _MARKERS):
        template += "/{crate}/{version}/download"
    values = (name, version, prefix_of(name), prefix_of(name.lower()), sha256)
    url = template
    for marker, value in zip(_MARKERS, values, strict=True):
        url = url.replace(marker, value)
    location = locate(url, document.upstream)
    if location is None or not _PLACE.match(location.path):
        raise UnreadableIndex(
            f"{document.url}: its dl, {template[:200]!r}, leads neither to a place on the same server nor to one that "
            "is reached by https"
        )
    return location


def render_config(document: Document, base: str, *, guarded: bool) -> Rendered:
    """Our own: crates are here, under names that tell their digests, and there is no web API. `guarded`: cargo shall
    send its token with every request. Raises UnreadableIndex where upstream's is none."""
    read_template(document)
    content: dict[str, object] = {"dl": f"{base}/crates/{{crate}}/{{version}}/{{sha256-checksum}}"}
    if guarded:
        content["auth-required"] = True
    return Rendered(body=msgspec.json.encode(content), content_type=JSON)
