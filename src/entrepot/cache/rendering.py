"""One index as clients get it, rendered and compressed: here, or by the helper from file to file."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass

from entrepot.cache.facts import guarded
from entrepot.cache.jobs import Paper, Written, write
from entrepot.contracts.ecosystem import Ecosystem, View
from entrepot.errors import TooBig
from entrepot.model.release import Document, Rendered
from entrepot.model.resource import Resource

COMPRESSED_FROM = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendering:
    """What is to be rendered, and how. Picklable."""

    subject: str
    kind: type[Ecosystem]
    options: Mapping[str, object]
    resource: Resource
    view: View
    cap: int
    """The most bytes that it may have."""

    def of(self, document: Document) -> Rendered | None:
        """None where the ecosystem sends it untouched. Raises UnreadableIndex, Absent, TooBig."""
        ecosystem = self.kind(self.options)
        rendered = guarded(ecosystem.render, self.subject, self.resource, (document,), self.view)
        if rendered is not None and len(rendered.body) > self.cap:
            raise TooBig(f"{self.subject}: the rendered index is larger than {self.cap} bytes")
        return rendered


def compressed(body: bytes) -> bytes | None:
    """None for what is too short to gain."""
    if len(body) < COMPRESSED_FROM:
        return None
    # Beyond a megabyte the last percents of size cost more time than they save.
    level = 6 if len(body) <= 1 << 20 else 4
    work = zlib.compressobj(level, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    return work.compress(body) + work.flush()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """A rendering in files."""

    content_type: str
    plain: Written
    packed: Written | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderJob:
    """Renders a document into two files."""

    rendering: Rendering
    paper: Paper
    plain: str
    packed: str

    def run(self) -> Pages | None:
        with self.paper.document() as document:
            rendered = self.rendering.of(document)
        if rendered is None:
            return None
        body = compressed(rendered.body)
        return Pages(
            content_type=rendered.content_type,
            plain=write(self.plain, rendered.body),
            packed=write(self.packed, body) if body is not None else None,
        )
