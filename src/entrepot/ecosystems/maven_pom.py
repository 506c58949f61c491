"""What of a POM tells which other files its readers will ask for: only what stands there literally."""

from collections.abc import Iterator
from dataclasses import dataclass

from lxml import etree

from entrepot.ecosystems.maven_names import check_package, check_version
from entrepot.ecosystems.maven_xml import children, read_xml, text_of
from entrepot.errors import BadRequest
from entrepot.model.release import Document

_GRADLE = b"published-with-gradle-metadata"
"""A comment in a POM beside which there is a `.module` (Gradle, module metadata specification)."""
_RANGE = "[(,)]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Another POM that this one is made of."""

    kind: str
    """`parent`, or `bom`."""
    package: str
    version: str

    @property
    def is_literal(self) -> bool:
        if "${" in self.package + self.version or any(sign in self.version for sign in _RANGE):
            return False
        try:
            return bool(check_package(self.package) and check_version(self.version)) and ":" in self.package
        except BadRequest:
            return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Pom:
    packaging: str
    has_module: bool
    """Whether Gradle has published metadata of its own beside it."""
    references: tuple[Reference, ...]


def read_pom(document: Document) -> Pom:
    """Raises UnreadableIndex."""
    root = read_xml(document, "project", lenient=True)
    document.body.seek(0)
    return Pom(
        packaging=text_of(root, "packaging") or "jar",
        has_module=_GRADLE in document.body.read(),
        references=tuple(_references(root)),
    )


def _references(root: etree._Element) -> Iterator[Reference]:
    yield from (_reference(parent, "parent") for parent in children(root, "parent"))
    managed = [
        *children(root, "dependencyManagement", "dependencies", "dependency"),
        *children(root, "profiles", "profile", "dependencyManagement", "dependencies", "dependency"),
    ]
    yield from (_reference(one, "bom") for one in managed if text_of(one, "scope") == "import")


def _reference(element: etree._Element, kind: str) -> Reference:
    group, artifact, version = (text_of(element, name) for name in ("groupId", "artifactId", "version"))
    return Reference(kind=kind, package=f"{group}:{artifact}", version=version)
