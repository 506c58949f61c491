"""Lists of mirrors, made ones that name only us: metalinks (version 3, as dnf asks for it) and plain lists."""

from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

from entrepot.ecosystems.rpm_repomd import FOLDER, ROOT, place, read_xml
from entrepot.errors import ConfigError, UnreadableIndex
from entrepot.model.patterns import Regex, parse_regex
from entrepot.model.release import Document, Rendered

_MOST_LINES = 10_000
_TAIL = f"/{FOLDER}/{ROOT}"
# No digest of the root is in it: this list and the root are published at different times, and we may serve an older
# root than upstream does. dnf then takes the root that we serve, which we checked, and keeps it by its own signature.
_METALINK = """<?xml version="1.0" encoding="utf-8"?>
<metalink version="3.0" xmlns="http://www.metalinker.org/" type="dynamic" generator="entrepot">
 <files>
  <file name="repomd.xml">
   <resources maxconnections="1">
    <url protocol="{scheme}" type="{scheme}" preference="100">{url}</url>
   </resources>
  </file>
 </files>
</metalink>
"""


def read_patterns(value: object) -> tuple[Regex, ...]:
    """Of the option `mirrors`. Raises ConfigError."""
    if not isinstance(value, list | tuple) or not all(isinstance(one, str) and one for one in value):
        raise ConfigError(f"rpm: mirrors = {value!r} is not a list of regular expressions")
    found = tuple(parse_regex(one, "rpm: mirrors") for one in value)
    for one in found:
        if "(?P<path>" not in one.pattern:
            raise ConfigError(
                f"rpm: mirrors: {one.pattern!r} has no group of the name path; write it like "
                "'https?://[^/]+/.*/linux/(?P<path>.*)': what stands there is the path below this repository"
            )
    return found


def render_mirrors(document: Document, patterns: Sequence[Regex], base: str) -> Rendered:
    """`base`: our URL of the repository. Raises UnreadableIndex where no mirror in the list leads to what the
    repository's upstream has."""
    start = document.body.read(1)
    document.body.seek(0)
    is_metalink = start == b"<"
    urls = list(_in_metalink(document) if is_metalink else _in_list(document))
    path = next((path for url in urls if (path := _path_of(url, document.upstream, patterns)) is not None), None)
    if path is None:
        shown = urls[0][:200] if urls else "nothing"
        raise UnreadableIndex(
            f"{document.place}: lists {shown}, which is not below this repository's upstream; say with the option "
            "`mirrors` what the upstream's path is in such addresses"
        )
    url = f"{base}/{path}" if path else base
    if not is_metalink:
        return Rendered(body=f"{url}/\n".encode(), content_type="text/plain; charset=utf-8")
    body = _METALINK.format(scheme=urlsplit(base).scheme, url=escape(f"{url}{_TAIL}"))
    return Rendered(body=body.encode(), content_type="application/metalink+xml; charset=utf-8")


def _in_metalink(document: Document) -> Iterator[str]:
    for element in read_xml(document, "metalink").iterfind(".//{*}url"):
        url = (element.text or "").strip()
        if url.endswith(_TAIL):
            yield url.removesuffix(_TAIL)


def _in_list(document: Document) -> Iterator[str]:
    lines = document.body.read(1 << 20).decode("utf-8", "replace").splitlines()
    for line in lines[:_MOST_LINES]:
        url = line.strip()
        if url and not url.startswith("#"):
            yield url.rstrip("/")


def _path_of(url: str, upstream: str, patterns: Sequence[Regex]) -> str | None:
    """Where the mirror's repository is below ours; None where it is not known."""
    if not url.startswith(("http://", "https://")) or "$" in url:
        return None
    above = f"{upstream.rstrip('/')}/"
    if f"{url}/".startswith(above):
        return _placed(f"{url}/".removeprefix(above))
    for pattern in patterns:
        found = pattern.fullmatch(url)
        if found is not None:
            return _placed(found.group("path") or "")
    return None


def _placed(path: str) -> str | None:
    found = place("", path)
    return found if found or not path.strip("/") else None
