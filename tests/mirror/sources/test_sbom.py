"""Which packages a bill of materials names, in every notation there is."""

import json
from contextlib import suppress
from pathlib import Path

import pytest
from cyclonedx.schema import OutputFormat, SchemaVersion
from hypothesis import given, settings
from hypothesis import strategies as st

from entrepot.errors import UnreadableBill
from entrepot.mirror.sources.sbom import read_bill
from entrepot.mirror.sources.sbom_member import Member
from entrepot.model.digest import Digest
from tests.mirror.sources.bills import PACKAGES, cyclonedx, identities, spdx2, spdx3_json

NOTATIONS = [
    (notation, version)
    for notation in OutputFormat
    for version in SchemaVersion
    if notation is OutputFormat.XML or version >= SchemaVersion.V1_2
]


def named_in(body: bytes) -> set[tuple[str, tuple[Digest, ...]]]:
    return {(member.purl, member.digests) for member in read_bill("bill", body)}


def members_of(*components: object) -> list[Member]:
    return list(read_bill("bill", bill_of(*components)))


def bill_of(*components: object) -> bytes:
    return json.dumps({"bomFormat": "CycloneDX", "specVersion": "1.6", "components": components}).encode()


# --- all notations say the same ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("notation", "version"), NOTATIONS)
def test_mir_07_every_cyclonedx_gives_the_same_set(notation: OutputFormat, version: SchemaVersion) -> None:
    found = named_in(cyclonedx(notation, version))
    if version is SchemaVersion.V1_0:
        # It cannot tell where a package comes from, so that it is not certain what a hash is of.
        assert {purl for purl, _ in found} == {purl for purl, _ in identities()}
    else:
        assert found == identities()


@pytest.mark.parametrize(("notation", "version"), NOTATIONS)
def test_mir_07_nested_components_give_the_same_set(notation: OutputFormat, version: SchemaVersion) -> None:
    # Before 1.2 a bill has nothing that says what it is about, and so nothing below that.
    expected = PACKAGES if version >= SchemaVersion.V1_2 else PACKAGES[:-1]
    found = named_in(cyclonedx(notation, version, nested=True))
    assert {purl for purl, _ in found} == {named.purl for named in expected}


def test_mir_07_every_spdx_2_gives_the_same_set(tmp_path: Path) -> None:
    found = [named_in(body) for body in spdx2(tmp_path)]
    assert found == [identities()] * 5


def test_mir_07_spdx_3_gives_the_same_set() -> None:
    assert named_in(spdx3_json()) == identities()


def test_both_spellings_of_the_category_of_a_purl_are_read() -> None:
    packages = [
        {"name": name, "externalRefs": [{"referenceCategory": category, "referenceType": "purl", **locator(name)}]}
        for name, category in (("one", "PACKAGE-MANAGER"), ("two", "PACKAGE_MANAGER"))
    ]
    body = json.dumps({"spdxVersion": "SPDX-2.2", "packages": packages}).encode()
    assert {purl for purl, _ in named_in(body)} == {"pkg:npm/one@1", "pkg:npm/two@1"}


def locator(name: str) -> dict[str, str]:
    return {"referenceLocator": f"pkg:npm/{name}@1"}


def test_flat_rdf_says_what_nested_rdf_says() -> None:
    body = b"""<?xml version="1.0"?>
    <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:s="http://spdx.org/rdf/terms#">
      <rdf:Description rdf:nodeID="r">
        <s:referenceType rdf:resource="http://spdx.org/rdf/references/purl"/>
        <s:referenceLocator>pkg:npm/left-pad@1.3.0</s:referenceLocator>
      </rdf:Description>
      <rdf:Description rdf:about="https://x.example/d#SPDXRef-1" s:name="left-pad">
        <rdf:type rdf:resource="http://spdx.org/rdf/terms#Package"/>
        <s:externalRef rdf:nodeID="r"/>
      </rdf:Description>
    </rdf:RDF>"""
    assert [(one.place, one.purl) for one in read_bill("bill", body)] == [
        ("SPDXRef-1 'left-pad'", "pkg:npm/left-pad@1.3.0")
    ]


@pytest.mark.parametrize("member", ["sbom", "predicate"])
def test_a_bill_may_be_wrapped_as_githubs_and_in_totos_are(member: str) -> None:
    inner = json.loads(bill_of({"type": "library", "purl": "pkg:npm/left-pad@1.3.0"}))
    assert named_in(json.dumps({"other": 1, member: inner}).encode()) == {("pkg:npm/left-pad@1.3.0", ())}


def test_utf_16_from_a_shell_that_redirects_so_is_read() -> None:
    body = bill_of({"type": "library", "purl": "pkg:npm/left-pad@1.3.0"}).decode().encode("utf-16")
    assert named_in(body) == {("pkg:npm/left-pad@1.3.0", ())}


# --- what counts ------------------------------------------------------------------------------------------------------


def test_what_a_bill_is_about_counts_only_when_it_names_nothing_else() -> None:
    about = {"component": {"type": "application", "name": "app", "purl": "pkg:npm/app@1.0.0"}}
    bill = {"bomFormat": "CycloneDX", "specVersion": "1.6", "metadata": about}
    assert named_in(json.dumps(bill).encode()) == {("pkg:npm/app@1.0.0", ())}
    part = {"type": "library", "purl": "pkg:npm/left-pad@1.3.0"}
    assert named_in(json.dumps({**bill, "components": [part]}).encode()) == {("pkg:npm/left-pad@1.3.0", ())}


def test_an_spdx_document_that_describes_all_its_packages_is_a_list_of_them() -> None:
    packages = [
        {"SPDXID": name, "externalRefs": [{"referenceType": "purl", **locator(name)}]} for name in ("one", "two")
    ]
    document = {"spdxVersion": "SPDX-2.3", "packages": packages, "documentDescribes": ["one", "two"]}
    assert len(named_in(json.dumps(document).encode())) == 2
    document["documentDescribes"] = ["one"]
    assert named_in(json.dumps(document).encode()) == {("pkg:npm/two@1", ())}


def test_tools_services_and_ancestors_are_no_parts() -> None:
    stranger = '<component type="library"><name>x</name><version>1</version><purl>pkg:npm/x@1</purl></component>'
    body = f"""<bom xmlns="http://cyclonedx.org/schema/bom/1.5">
      <metadata><tools><components>{stranger}</components></tools></metadata>
      <components><component type="library"><name>a</name><purl>pkg:npm/a@1</purl>
        <pedigree><ancestors>{stranger}</ancestors></pedigree></component></components>
      <services><service><name>s</name></service></services>
    </bom>"""
    assert named_in(body.encode()) == {("pkg:npm/a@1", ())}


def test_a_hash_counts_only_where_it_is_certain_what_it_is_of() -> None:
    hashes = [{"alg": "SHA-256", "content": "cd" * 32}]
    alone, beside, named, listed, page = members_of(
        {"type": "library", "purl": "pkg:npm/a@1", "hashes": hashes},
        {"type": "library", "purl": "pkg:npm/b@1", "hashes": hashes, **distributed("https://x.example/b-1.tgz")},
        {"type": "library", "purl": "pkg:pypi/c@1?file_name=c-1.whl", "hashes": hashes},
        {"type": "library", "purl": "pkg:pypi/d@1", **distributed("https://x.example/simple/d/", hashes)},
        {"type": "library", "purl": "pkg:pypi/e@1", "hashes": hashes, **distributed("https://x.example/simple/e/")},
    )
    sha256 = (Digest("sha256", "cd" * 32),)
    assert [one.digests for one in (alone, beside, named, listed, page)] == [(), sha256, sha256, sha256, ()]


def distributed(url: str, hashes: object = None) -> dict[str, object]:
    reference = {"type": "distribution", "url": url}
    return {"externalReferences": [{**reference, "hashes": hashes} if hashes else reference]}


def test_a_package_without_a_purl_is_told_and_a_file_is_not() -> None:
    found = members_of(
        {"type": "library", "name": "nameless"},
        {"type": "file", "name": "/etc/passwd"},
        {"type": "library", "purl": "pkg:npm/a@1"},
    )
    assert [(one.place, one.purl) for one in found] == [
        ("components[0] 'nameless'", ""),
        ("components[2]", "pkg:npm/a@1"),
    ]


def test_a_component_that_cannot_be_read_fails_alone() -> None:
    found = members_of(
        {"type": "library", "name": ["no", "text"]},
        {"type": "library", "purl": "pkg:npm/a@1", "components": [{"purl": 7}]},
    )
    assert [(one.place, bool(one.error)) for one in found] == [
        ("components[0]", True),
        ("components[1]", False),
        ("components[1].components[0]", True),
    ]


# --- what is no bill --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "is empty"),
        (b"hello\nworld", "begins with 'hello'"),
        (b'{"lockfileVersion": 3, "name": "x"}', "members: lockfileVersion, name"),
        (b'{"bomFormat": "CycloneDX",\n  "components": tru}', "line 2, column 18"),
        (b'{"bomFormat": "CycloneDX", "components": [', "line 1, column 43: Input data was truncated"),
        (b'{"bomFormat": "CycloneDX", "components": {}}', "components: Expected `array`, got `object`"),
        (
            b'{"bomFormat": "CycloneDX", "specVersion": "1.4"}',
            "CycloneDX in JSON, version 1.4, but it names no package",
        ),
        (bill_of({"type": "library", "name": "x"}), "1 packages, none of them with a purl"),
        (b"<project/>", "outermost element is project"),
        (b'<bom xmlns="http://cyclonedx.org/schema/bom/1.4">\n<components>\n</x></bom>', "line 3, column 5"),
        (b"SPDXVersion: SPDX-2.3\nDataLicense", "line 2: 'DataLicense' is no tag"),
        (b"SPDXVersion: SPDX-2.3\nPackageComment: <text>a\n", "line 2: a text that begins here has no end"),
        (b"spdxVersion: SPDX-2.3\npackages: [\n  a", "line 4, column 1: did not find"),
        (b"spdxVersion: SPDX-2.3\npackages: no", "packages: is no list"),
    ],
)
def test_what_is_no_bill_is_told_with_its_place(body: bytes, told: str) -> None:
    with pytest.raises(UnreadableBill) as error:
        list(read_bill("my.bill", body))
    assert str(error.value).startswith("my.bill: ")
    assert told in str(error.value)


def _laughs(name: str) -> bytes:
    entities = "".join(f'<!ENTITY {name}{n} "{f"&{name}{n - 1};" * 10}">' for n in range(1, 10))
    return f'<!DOCTYPE bom [<!ENTITY {name}0 "ha">{entities}]>'.encode()


_XML = b'<bom xmlns="http://cyclonedx.org/schema/bom/1.4"><components><component type="%s"><purl>%s</purl>'
_XML_END = b"</component></components></bom>"
_COPIES = b"\n".join(b"a%d: &a%d [%s]" % (n, n, b",".join([b"*a%d" % (n - 1)] * 10)) for n in range(1, 12))


@pytest.mark.parametrize(
    "body",
    [
        b'{"bomFormat": "CycloneDX", "components": ' + b"[" * 200_000,
        b'{"bomFormat": "CycloneDX", "components": ' + b'[{"components": ' * 60 + b"[]" + b"}]" * 60 + b"}",
        b'{"bomFormat": "CycloneDX", "components": [' + b"0," * 4_000_001 + b"0]}",
        b'<bom xmlns="http://cyclonedx.org/schema/bom/1.4">' + b"<components><component>" * 5_000,
        _laughs("a") + _XML % (b"library", b"pkg:npm/&a9;@1") + _XML_END,
        _laughs("a") + _XML % (b"&a9;", b"pkg:npm/a@1") + _XML_END,
        b'<!DOCTYPE bom [<!ENTITY x SYSTEM "file:///etc/hostname">]>'
        + _XML % (b"library", b"pkg:npm/&x;@1")
        + _XML_END,
        b"spdxVersion: x\na: " + b"[" * 200_000,
        b"spdxVersion: x\n" + b"- " * 50_000,
        b"spdxVersion: x\na0: &a0 [b, c]\n" + _COPIES,
        b"spdxVersion: x\na: &a [*a]",
    ],
    ids=[
        "deep",
        "nested",
        "many",
        "deep-xml",
        "laughs",
        "attribute",
        "file",
        "deep-yaml",
        "dashes",
        "copies",
        "itself",
    ],
)
def test_hostile_input_is_refused(body: bytes) -> None:
    with pytest.raises(UnreadableBill):
        list(read_bill("bill", body))


_BEGINNINGS = [
    b'{"bomFormat": "CycloneDX", "components": [',
    b'{"spdxVersion": "SPDX-2.3", "packages": [',
    b'{"@context": "https://spdx.org/rdf/3.0.1/x", "@graph": [',
    b'<bom xmlns="http://cyclonedx.org/schema/bom/1.4"><components>',
    b"<Document><packages>",
    b'<r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#">',
    b"SPDXVersion: SPDX-2.3\n",
    b"spdxVersion: SPDX-2.3\npackages:\n",
    b"\xff\xfe",
    b"",
]
_KEYS = [
    *(
        "bomFormat",
        "spdxVersion",
        "@context",
        "@graph",
        "components",
        "metadata",
        "component",
        "purl",
        "name",
        "hashes",
    ),
    *("externalReferences", "externalRefs", "packages", "relationships", "documentDescribes", "rootElement", "sbom"),
    *("externalIdentifier", "verifiedUsing", "type", "properties", "checksums", "referenceType", "referenceLocator"),
]
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(_KEYS) | st.text(max_size=4), inner),
    max_leaves=20,
)
_FRAGMENTS = [
    *(
        b"<components>",
        b"<component>",
        b"</component>",
        b"<purl>pkg:npm/a@1</purl>",
        b"<externalRefs>",
        b"<!--",
        b"&amp;",
    ),
    *(
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b'"purl"',
        b'"a"',
        b"\n",
        b"- ",
        b"  ",
        b"&a ",
        b"*a",
        b"<text>",
        b"PackageName: ",
    ),
    *(b"ExternalRef: ", b"Relationship: ", b"PackageChecksum: ", b"\xff", b"\x00", b"%", b"!!python/object:os.system "),
]


@settings(max_examples=150)
@given(
    st.one_of(
        st.builds(lambda head, rest: head + rest, st.sampled_from(_BEGINNINGS), st.binary(max_size=64)),
        st.builds(
            lambda head, parts: head + b"".join(parts),
            st.sampled_from(_BEGINNINGS),
            st.lists(st.sampled_from(_FRAGMENTS), max_size=24),
        ),
        st.builds(
            lambda mark, rest: json.dumps({**mark, **rest}).encode(),
            st.sampled_from(
                [{"bomFormat": "CycloneDX"}, {"spdxVersion": "SPDX-2.3"}, {"@context": "http://spdx.org/rdf/3"}]
            ),
            st.dictionaries(st.sampled_from(_KEYS), _json),
        ),
    )
)
def test_nothing_but_an_unreadable_bill_comes_of_any_input(body: bytes) -> None:
    with suppress(UnreadableBill):
        assert all(member.place for member in read_bill("bill", body))
