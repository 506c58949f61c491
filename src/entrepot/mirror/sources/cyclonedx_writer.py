"""Writes a CycloneDX bill (1.6, JSON) of packages that were served. Its reader finds exactly those files again.

A version of a package is one component, however many of its files were served: tools that look for vulnerabilities
count components. Its files are components of type `file` within it, each with its digests.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

import msgspec

from entrepot import __version__
from entrepot.mirror.sources.cyclonedx import PATH_PROPERTY, REPOSITORY_PROPERTY
from entrepot.model.digest import Digest
from entrepot.model.purl import Purl

_ALGORITHMS: Final = {"md5": "MD5", "sha1": "SHA-1", "sha256": "SHA-256", "sha384": "SHA-384", "sha512": "SHA-512"}
_Json = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedFile:
    name: str
    """As in `ReleaseFile.name`."""
    path: str
    """Ours: `/REPOSITORY/KEY`."""
    digests: tuple[Digest, ...]
    """Of what was served, whichever are known."""
    url: str = ""
    """Where upstream has it; empty where that is not known, or not to be told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedPackage:
    """One version of a package, out of one repository."""

    purl: Purl
    repository: str
    files: tuple[ServedFile, ...]


def write_bill(
    packages: Iterable[ServedPackage],
    *,
    serial: UUID,
    at: datetime,
    subject: str = "",
    properties: Sequence[tuple[str, str]] = (),
    aggregate: Literal["complete", "incomplete", ""] = "",
) -> bytes:
    """The same input gives the same bytes. `at` has a zone. `subject`: a name for what used all this; empty: none.
    `properties`: names and values of the bill as a whole. `aggregate`: whether it names all that the subject used."""
    ordered = sorted(packages, key=lambda one: (str(one.purl), one.repository))
    metadata: _Json = {
        "timestamp": at.isoformat(timespec="seconds"),
        "tools": {"components": [{"type": "application", "name": "entrepot", "version": __version__}]},
    }
    if subject:
        metadata["component"] = {"type": "application", "bom-ref": "subject", "name": subject}
    bill: _Json = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": serial.urn,
        "version": 1,
        "metadata": metadata,
        "components": [_component_of(package) for package in ordered],
    }
    if aggregate:
        bill["compositions"] = [{"aggregate": aggregate, "assemblies": ["subject"] if subject else []}]
    if properties:
        bill["properties"] = [{"name": name, "value": value} for name, value in properties]
    return msgspec.json.format(msgspec.json.encode(bill), indent=2) + b"\n"


def _component_of(package: ServedPackage) -> _Json:
    files = sorted(package.files, key=lambda file: file.path)
    component: _Json = {"type": "library", "bom-ref": f"{package.repository}:{package.purl}"}
    if package.purl.namespace:
        component["group"] = package.purl.namespace
    component["name"] = package.purl.name
    if package.purl.version:
        component["version"] = package.purl.version
    if len(files) == 1:
        component["hashes"] = _hashes_of(files[0])
    component["purl"] = str(package.purl)
    references = [reference for file in files for reference in _references_of(file)]
    if references:
        component["externalReferences"] = references
    component["properties"] = [{"name": REPOSITORY_PROPERTY, "value": package.repository}]
    component["components"] = [_file_of(file) for file in files]
    return component


def _file_of(file: ServedFile) -> _Json:
    return {
        "type": "file",
        "bom-ref": file.path,
        "name": file.name,
        "hashes": _hashes_of(file),
        "properties": [{"name": PATH_PROPERTY, "value": file.path}],
    }


def _references_of(file: ServedFile) -> list[_Json]:
    return [{"type": "distribution", "url": file.url, "hashes": _hashes_of(file)}] if file.url else []


def _hashes_of(file: ServedFile) -> list[_Json]:
    """Without those that CycloneDX has no name for."""
    known = [one for one in file.digests if one.algorithm in _ALGORITHMS]
    return [{"alg": _ALGORITHMS[one.algorithm], "content": one.value} for one in sorted(known, key=str)]
