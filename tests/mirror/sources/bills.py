"""The same packages in every notation, written by the standards' own libraries."""

import io
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from packageurl import PackageURL
from spdx_python_model import v3_0_1 as spdx3
from spdx_tools.spdx.model.actor import Actor, ActorType
from spdx_tools.spdx.model.checksum import Checksum, ChecksumAlgorithm
from spdx_tools.spdx.model.document import CreationInfo, Document
from spdx_tools.spdx.model.package import ExternalPackageRef, ExternalPackageRefCategory, Package
from spdx_tools.spdx.model.relationship import Relationship, RelationshipType
from spdx_tools.spdx.model.spdx_no_assertion import SpdxNoAssertion
from spdx_tools.spdx.writer.write_anything import write_file

from entrepot.model.digest import Digest

NAMESPACE = "https://builds.example/app"
_AT = datetime(2026, 11, 1, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A package as a bill names it."""

    name: str
    version: str
    purl: str
    url: str = ""
    sha512: str = ""

    @property
    def digests(self) -> tuple[Digest, ...]:
        return (Digest("sha512", self.sha512),) if self.sha512 else ()


PACKAGES = (
    Named(
        name="left-pad",
        version="1.3.0",
        purl="pkg:npm/left-pad@1.3.0",
        url="https://registry.example/left-pad/-/left-pad-1.3.0.tgz",
        sha512="ab" * 64,
    ),
    Named(name="@types/node", version="20.1.0", purl="pkg:npm/%40types/node@20.1.0"),
    Named(name="zope.interface", version="7.0", purl="pkg:pypi/zope.interface@7.0"),
    Named(name="cobra", version="v1.8.0", purl="pkg:golang/example.org/spf13/cobra@v1.8.0"),
    Named(name="Alamofire", version="5.9.0", purl="pkg:swift/example.org/Alamofire/Alamofire@5.9.0"),
)
ROOT = Named(name="app", version="1.0.0", purl="pkg:npm/app@1.0.0")


def cyclonedx(notation: OutputFormat, version: SchemaVersion, *, nested: bool = False) -> bytes:
    """`nested`: each package within the one before it, and the last below what the bill is about."""
    bom = Bom(components=[] if nested else [_component(named) for named in PACKAGES])
    bom.metadata.component = _component(ROOT)
    if nested:
        chain = _component(PACKAGES[0])
        bom.components.add(chain)
        for named in PACKAGES[1:-1]:
            inner = _component(named)
            chain.components.add(inner)
            chain = inner
        bom.metadata.component.components.add(_component(PACKAGES[-1]))
    with warnings.catch_warnings():
        # It wants a graph of dependencies, which is no business of ours.
        warnings.simplefilter("ignore")
        return make_outputter(bom, notation, version).output_as_string().encode()


def _component(named: Named) -> Component:
    reference = ExternalReference(type=ExternalReferenceType.DISTRIBUTION, url=XsUri(named.url))
    return Component(
        name=named.name,
        version=named.version,
        type=ComponentType.LIBRARY,
        bom_ref=named.purl,
        purl=PackageURL.from_string(named.purl),
        hashes=[HashType(alg=HashAlgorithm.SHA_512, content=named.sha512)] if named.sha512 else [],
        external_references=[reference] if named.url else [],
    )


def spdx2(directory: Path) -> Iterator[bytes]:
    """One after another, in each of the five notations."""
    info = CreationInfo("SPDX-2.3", "SPDXRef-DOCUMENT", "app", NAMESPACE, [Actor(ActorType.TOOL, "tests")], _AT)
    packages = [_package(named, number) for number, named in enumerate((ROOT, *PACKAGES))]
    describes = Relationship("SPDXRef-DOCUMENT", RelationshipType.DESCRIBES, "SPDXRef-0")
    document = Document(info, packages, relationships=[describes])
    for ending in ("spdx", "spdx.json", "spdx.yaml", "spdx.xml", "spdx.rdf.xml"):
        place = directory / f"bill.{ending}"
        write_file(document, str(place))
        yield place.read_bytes()


def _package(named: Named, number: int) -> Package:
    kind = ExternalPackageRefCategory.PACKAGE_MANAGER
    return Package(
        f"SPDXRef-{number}",
        named.name,
        named.url or SpdxNoAssertion(),
        version=named.version,
        files_analyzed=False,
        checksums=[Checksum(ChecksumAlgorithm.SHA512, named.sha512)] if named.sha512 else [],
        external_references=[ExternalPackageRef(kind, "purl", named.purl)],
    )


def spdx3_json() -> bytes:
    made, objects = spdx3.CreationInfo(_id="_:made"), spdx3.SHACLObjectSet()
    author = spdx3.Person(_id=f"{NAMESPACE}/author", creationInfo=made, name="Author")
    made.specVersion, made.created, made.createdBy = "3.0.1", _AT, [author]
    packages = [_element(named, made) for named in (ROOT, *PACKAGES)]
    bill = spdx3.software_Sbom(_id=f"{NAMESPACE}/bill", creationInfo=made, element=packages, rootElement=packages[:1])
    document = spdx3.SpdxDocument(_id=f"{NAMESPACE}/document", creationInfo=made, rootElement=[bill])
    for one in (made, author, *packages, bill, document):
        objects.add(one)
    written = io.BytesIO()
    spdx3.JSONLDSerializer().write(objects, written)
    return written.getvalue()


def _element(named: Named, made: spdx3.CreationInfo) -> spdx3.software_Package:
    package = spdx3.software_Package(_id=f"{NAMESPACE}/{named.purl}", creationInfo=made, name=named.name)
    package.software_packageVersion = named.version
    if named.url:
        package.software_downloadLocation = named.url
    if named.sha512:
        package.verifiedUsing = [spdx3.Hash(algorithm=spdx3.HashAlgorithm.sha512, hashValue=named.sha512)]
        package.software_packageUrl = named.purl
    else:
        kind = spdx3.ExternalIdentifierType.packageUrl
        package.externalIdentifier = [spdx3.ExternalIdentifier(externalIdentifierType=kind, identifier=named.purl)]
    return package


def identities(packages: Sequence[Named] = PACKAGES) -> set[tuple[str, tuple[Digest, ...]]]:
    return {(named.purl, named.digests) for named in packages}
