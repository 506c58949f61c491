"""A small Maven repository, made from nothing: what a static server must answer, by path."""

import hashlib
import io
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, field

Files = dict[str, tuple[str, bytes]]

XML = "text/xml"
TEXT = "text/plain"
JAR = "application/java-archive"
LONG_AGO = "Wed, 01 May 2024 10:00:00 GMT"
STAMP = "20240501.100000-1"

_POM = """<?xml version="1.0" encoding="UTF-8"?>
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  {parent}<groupId>{group}</groupId>
  <artifactId>{artifact}</artifactId>
  <version>{version}</version>
  <packaging>{packaging}</packaging>
  {rest}
</project>
"""
_METADATA = """<?xml version="1.0" encoding="UTF-8"?>
<metadata>
  <groupId>{group}</groupId>
  <artifactId>{artifact}</artifactId>
  <versioning>
    <latest>{latest}</latest>
    <release>{release}</release>
    <versions>
{versions}
    </versions>
    <lastUpdated>{updated}</lastUpdated>
  </versioning>
</metadata>
"""
_SNAPSHOT = """<?xml version="1.0" encoding="UTF-8"?>
<metadata modelVersion="1.1.0">
  <groupId>{group}</groupId>
  <artifactId>{artifact}</artifactId>
  <version>{version}</version>
  <versioning>
    <snapshot><timestamp>20240501.100000</timestamp><buildNumber>1</buildNumber></snapshot>
    <lastUpdated>20240501100000</lastUpdated>
    <snapshotVersions>
      <snapshotVersion><extension>pom</extension><value>{value}</value><updated>20240501100000</updated></snapshotVersion>
    </snapshotVersions>
  </versioning>
</metadata>
"""


def jar(**contents: str) -> bytes:
    """The same bytes each time."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, text in contents.items():
            archive.writestr(zipfile.ZipInfo(name.replace("__", "/")), text)
    return packed.getvalue()


def coordinates(tag: str, package: str, version: str, rest: str = "") -> str:
    """An element of a POM that names a package."""
    group, _, artifact = package.partition(":")
    named = f"<groupId>{group}</groupId><artifactId>{artifact}</artifactId><version>{version}</version>"
    return f"<{tag}>{named}{rest}</{tag}>"


def with_boms(*boms: tuple[str, str]) -> str:
    imported = "".join(coordinates("dependency", *bom, "<type>pom</type><scope>import</scope>") for bom in boms)
    return f"<dependencyManagement><dependencies>{imported}</dependencies></dependencyManagement>"


@dataclass(slots=True)
class MavenRepository:
    files: Files = field(default_factory=dict)
    modified: dict[str, str] = field(default_factory=dict)
    """`Last-Modified`, by path."""
    updated: str = "20240501100000"
    _versions: dict[str, list[str]] = field(default_factory=dict)

    def publish(
        self,
        package: str,
        version: str,
        *,
        packaging: str = "jar",
        parent: str = "",
        rest: str = "",
        date: str = LONG_AGO,
        content: bytes = b"",
    ) -> None:
        """A POM and, unless it is all there is, a jar."""
        group, _, artifact = package.partition(":")
        stem = f"{artifact}-{version.replace('SNAPSHOT', STAMP)}"
        folder = f"/{group.replace('.', '/')}/{artifact}/{version}"
        pom = _POM.format(
            parent=parent, group=group, artifact=artifact, version=version, packaging=packaging, rest=rest
        )
        self.put(f"{folder}/{stem}.pom", XML, pom.encode(), date)
        if packaging == "jar":
            self.put(f"{folder}/{stem}.jar", JAR, content or jar(META__a=f"{package}:{version}"), date)
        self._versions.setdefault(package, []).append(version)
        if version.endswith("SNAPSHOT"):
            value = version.replace("SNAPSHOT", STAMP)
            text = _SNAPSHOT.format(group=group, artifact=artifact, version=version, value=value)
            self.put(f"{folder}/maven-metadata.xml", XML, text.encode(), date)
        self._list(package)

    def put(self, path: str, kind: str, body: bytes, date: str = LONG_AGO) -> None:
        self.files[path] = kind, body
        self.files[f"{path}.sha1"] = TEXT, hashlib.sha1(body, usedforsecurity=False).hexdigest().encode()
        self.modified[path] = date

    def _list(self, package: str) -> None:
        group, _, artifact = package.partition(":")
        versions = self._versions[package]
        releases = [version for version in versions if not version.endswith("SNAPSHOT")]
        text = _METADATA.format(
            group=group,
            artifact=artifact,
            latest=versions[-1],
            release=(releases or [""])[-1],
            versions="\n".join(f"      <version>{version}</version>" for version in versions),
            updated=self.updated,
        )
        self.put(f"/{group.replace('.', '/')}/{artifact}/maven-metadata.xml", XML, text.encode())


def maven_repository() -> MavenRepository:
    """Packages, all in `org.acme`:

    - `base` 1.0, 1.1 and 1.2: parents
    - `bom` 1.0
    - `tool` 1.0, whose jar needs that of `part` 1.0
    - `moving` 1.0-SNAPSHOT: a parent
    """
    made = MavenRepository()
    for version in ("1.0", "1.1", "1.2"):
        made.publish("org.acme:base", version, packaging="pom")
    made.publish("org.acme:bom", "1.0", packaging="pom")
    made.publish("org.acme:part", "1.0")
    needs = coordinates("dependency", "org.acme:part", "1.0")
    made.publish("org.acme:tool", "1.0", rest=f"<dependencies>{needs}</dependencies>")
    # Maven loads this beside every extension that does not need it itself.
    made.publish("org.codehaus.plexus:plexus-utils", "1.1")
    made.publish("org.acme:moving", "1.0-SNAPSHOT", packaging="pom")
    return made


def project(
    *,
    parent: str = "[1.0,2.0)",
    package: str = "org.acme:base",
    tools: Iterable[tuple[str, str]] = (),
    bom: bool = True,
) -> str:
    """A POM that `mvn validate` reads without any plugin: its parent, a BOM, and tools whose jars are loaded."""
    extensions = "".join(coordinates("extension", *tool) for tool in tools)
    build = f"<build><extensions>{extensions}</extensions></build>" if extensions else ""
    return (
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
        f"{coordinates('parent', package, parent, '<relativePath/>')}"
        "<groupId>mine</groupId><artifactId>mine</artifactId><version>1</version><packaging>pom</packaging>"
        "<repositories><repository><id>other</id><url>http://repository.example/</url>"
        "<snapshots><enabled>true</enabled></snapshots></repository></repositories>"
        f"{with_boms(('org.acme:bom', '1.0')) if bom else ''}{build}</project>"
    )
