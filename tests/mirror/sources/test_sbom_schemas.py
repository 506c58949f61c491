"""Validation of bills, where somebody asks for it."""

import sys
from pathlib import Path

import pytest
from cyclonedx.schema import OutputFormat, SchemaVersion

from entrepot.errors import BadRequest, UnreadableBill
from entrepot.mirror.sources.sbom import read_bill
from entrepot.mirror.sources.sbom_member import Member
from tests.mirror.sources.bills import cyclonedx, spdx2, spdx3_json

PART = b'{"type": "library", "name": "a", "purl": "pkg:npm/a@1"}'


def validated(body: bytes) -> list[Member]:
    return list(read_bill("my.bill", body, validate=True))


@pytest.mark.parametrize("notation", list(OutputFormat))
def test_a_valid_cyclonedx_bill_is_read(notation: OutputFormat) -> None:
    assert validated(cyclonedx(notation, SchemaVersion.V1_5))


def test_valid_spdx_documents_are_read(tmp_path: Path) -> None:
    assert all(validated(body) for body in spdx2(tmp_path))
    assert validated(spdx3_json())


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (
            cyclonedx(OutputFormat.JSON, SchemaVersion.V1_5).replace(b'"library"', b'"libary"'),
            "no valid CycloneDX in JSON, version 1.5: $.",
        ),
        (
            cyclonedx(OutputFormat.XML, SchemaVersion.V1_5).replace(b'"library"', b'"libary"'),
            "no valid CycloneDX in XML, version 1.5: line ",
        ),
        (
            cyclonedx(OutputFormat.JSON, SchemaVersion.V1_5).replace(b'"1.5"', b'"9.9"'),
            "no schema of CycloneDX 9.9 here; there are 1.0",
        ),
        (
            cyclonedx(OutputFormat.JSON, SchemaVersion.V1_5).replace(b"https://", b"https: //"),
            "'https: //registry.example/left-pad/-/left-pad-1.3.0.tgz' is not",
        ),
        (
            b'{"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [%s, %s]}' % (PART, PART),
            "$.components: [1] is there twice",
        ),
        (
            b"SPDXVersion: SPDX-2.3\nPackageName: a\nExternalRef: PACKAGE-MANAGER purl pkg:npm/a@1\n",
            "no valid SPDX 2 as tags and values",
        ),
        (
            spdx3_json().replace(b'"software_downloadLocation"', b'"software_downloadPlace"'),
            "no valid SPDX 3 in JSON-LD",
        ),
    ],
    ids=["json", "xml", "version", "address", "twice", "spdx 2", "spdx 3"],
)
def test_an_invalid_bill_is_refused_with_what_is_wrong(body: bytes, told: str) -> None:
    assert list(read_bill("my.bill", body)), "without validation it is good enough"
    with pytest.raises(UnreadableBill) as error:
        validated(body)
    assert str(error.value).startswith("my.bill: ")
    assert told in str(error.value)


def test_without_the_library_it_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    checker = "entrepot.mirror.sources.sbom_check_cyclonedx"
    monkeypatch.delitem(sys.modules, checker, raising=False)
    # This is how Python itself marks what cannot be imported.
    monkeypatch.setitem(sys.modules, "cyclonedx.validation.json", None)
    with pytest.raises(BadRequest, match=r"cyclonedx\.validation\.json is not installed; install entrepot\[sbom\]"):
        validated(cyclonedx(OutputFormat.JSON, SchemaVersion.V1_5))
