"""Maven's repository layout."""

import hashlib
import io
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from entrepot.contracts.ecosystem import Ecosystem, LockText, View
from entrepot.ecosystems.maven import Maven
from entrepot.ecosystems.maven_clients import (
    CLIENTS,
    SETTINGS,
    read_gradle_lock,
    read_init_script,
    read_settings,
)
from entrepot.ecosystems.maven_versions import MAVEN
from entrepot.errors import (
    Absent,
    BadContent,
    BadRequest,
    ConfigError,
    MethodRefused,
    NotServed,
    Unreachable,
    UnreadableIndex,
    UnreadableLock,
)
from entrepot.model.constraints import parse_constraint
from entrepot.model.digest import Digest
from entrepot.model.headers import Headers
from entrepot.model.purl import parse_purl
from entrepot.model.release import Document
from entrepot.model.resource import Kind, Request, Resource
from entrepot.model.selection import Extent
from tests.clients.fixture_maven import maven_repository

UPSTREAM = "https://registry.example/maven2/"
CASES = sorted((Path(__file__).parents[1] / "corpus" / "maven").glob("*.case"))
SHA1 = "356a192b7913b04c54574d18c28d46e6395428ab"


def route(path: str, ecosystem: Maven | None = None) -> Resource:
    resource = (ecosystem or Maven()).route(Request(method="GET", path=path))
    assert isinstance(resource, Resource)
    return resource


def document(place: str, body: bytes) -> Document:
    return Document(body=io.BytesIO(body), content_type="", url=f"{UPSTREAM}{place}", upstream=UPSTREAM, key=place)


def contract_samples() -> Iterator[tuple[Ecosystem, Document]]:
    for path, (_, body) in maven_repository().files.items():
        if path.endswith(".sha1") and "metadata" not in path:
            yield Maven(), document(path[1:], body)


# ------------------------------------------------------------------------------------------------- names and paths


@pytest.mark.parametrize(
    ("path", "kind", "about", "version"),
    [
        ("org/acme/tool/1.0/tool-1.0.jar", Kind.ARTIFACT, "org.acme:tool", "1.0"),
        ("org/acme/tool/1.0/tool-1.0-sources.jar", Kind.ARTIFACT, "org.acme:tool", "1.0"),
        ("org/acme/tool/1.0/tool-1.0.jar.sha1", Kind.ARTIFACT, "org.acme:tool", "1.0"),
        ("org/acme/tool/1.0/tool-1.0.jar.asc", Kind.ARTIFACT, "org.acme:tool", "1.0"),
        ("org/acme/tool/1.0/tool-1.0.module", Kind.ARTIFACT, "org.acme:tool", "1.0"),
        ("org/acme/tool/1.0/tool-1.0.tar.gz", Kind.ARTIFACT, "org.acme:tool", "1.0"),
        ("org/acme/tool_2.13/1.0%2B1/tool_2.13-1.0%2B1.pom", Kind.ARTIFACT, "org.acme:tool_2.13", "1.0+1"),
        ("junit/junit/4.13/junit-4.13.pom", Kind.ARTIFACT, "junit:junit", "4.13"),
        ("org/acme/tool/1.0/other.json", Kind.SIGNED, "org.acme:tool", "1.0"),
        ("org/acme/tool/1.0/tool-1.0", Kind.SIGNED, "org.acme:tool", "1.0"),
        ("org/acme/tool/1.0-SNAPSHOT/tool-1.0-SNAPSHOT.jar", Kind.SIGNED, "org.acme:tool", "1.0-SNAPSHOT"),
        ("org/acme/tool/1.0-SNAPSHOT/tool-1.0-20240501.100000-12.jar", Kind.ARTIFACT, "org.acme:tool",
         "1.0-20240501.100000-12"),
        ("org/acme/tool/1.0-SNAPSHOT/tool-1.0-20240501.100000-12-sources.jar.md5", Kind.ARTIFACT, "org.acme:tool",
         "1.0-20240501.100000-12"),
        ("org/acme/tool/maven-metadata.xml", Kind.INDEX, "org.acme:tool", ""),
        ("org/acme/maven-metadata.xml", Kind.INDEX, "org:acme", ""),
        ("org/maven-metadata.xml", Kind.INDEX, "org", ""),
        ("org/acme/tool/1.0-SNAPSHOT/maven-metadata.xml", Kind.INDEX, "org.acme:tool", "1.0-SNAPSHOT"),
        ("archetype-catalog.xml", Kind.SIGNED, "", ""),
        ("archetype-catalog.xml.sha1", Kind.SIGNED, "", ""),
    ],
)  # fmt: skip
def test_a_path_names_a_package_and_says_whether_it_changes(path: str, kind: Kind, about: str, version: str) -> None:
    resource = route(path)
    assert (resource.key, resource.kind, resource.about, resource.version) == (path, kind, about, version)


@pytest.mark.parametrize(
    "path",
    [
        "", "org/acme/", "org/acme/tool", "tool-1.0.jar", "a/1.0/a-1.0.jar", ".meta/prefixes.txt", ".index/nexus.gz",
        "org.acme/tool/1.0/tool-1.0.jar", "org/acme/tool/maven-metadata.xml.asc", "maven-metadata.xml",
        "org/acme/tool/maven-metadata.xml.sha1.asc", "org/ac:me/tool/1.0/tool-1.0.jar",
        # Some servers cut off what follows a semicolon, and would give what rules deny under its own name.
        "org/acme/tool/1.0;x/tool-1.0.jar", "org/acme/tool/1.0%3Bx/tool-1.0.jar",
    ],
)  # fmt: skip
def test_what_no_coordinates_lead_to_is_not_served(path: str) -> None:
    with pytest.raises((NotServed, BadRequest)) as refusal:
        route(path)
    assert refusal.value.status in (400, 404)


def test_side_files_of_a_list_are_forms_of_the_same_stored_document() -> None:
    plain = route("org/acme/tool/maven-metadata.xml")
    for algorithm in ("md5", "sha1", "sha256", "sha512"):
        form = route(f"org/acme/tool/maven-metadata.xml.{algorithm}")
        assert (form.stored_key, form.form) == (plain.stored_key, algorithm)


def test_nothing_is_uploaded() -> None:
    with pytest.raises(MethodRefused):
        Maven().route(Request(method="PUT", path="org/acme/tool/1.0/tool-1.0.jar"))


# ------------------------------------------------------------------------------------------------- digests


def test_a_file_is_checked_by_the_side_file_that_is_configured() -> None:
    path = "org/acme/tool/1.0/tool-1.0.jar"
    listed = route(path).listed_in
    assert listed is not None
    assert (listed.key, listed.examined, listed.listed_in) == (f"{path}.sha1", True, None)
    strong = route(path, Maven({"checksums": "sha512"})).listed_in
    assert strong is not None
    assert strong.key == f"{path}.sha512"
    assert not route(path).must_be_listed
    assert route(f"{path}.asc").listed_in is None
    with pytest.raises(ConfigError, match="crc32"):
        Maven({"checksums": "crc32"})


@pytest.mark.parametrize(
    "text",
    [
        SHA1,
        f"{SHA1}\n",
        f"{SHA1.upper()}  tool-1.0.jar\n",
        f"SHA1(tool-1.0.jar)= {SHA1}",
        f"{SHA1} */tmp/a",
        f"SHA1({'c0ffee00' * 5}.jar)= {SHA1}",
    ],
)
def test_a_side_file_tells_a_digest_however_it_is_written(text: str) -> None:
    place = "org/acme/tool/1.0/tool-1.0.jar.sha1"
    (release,) = Maven().releases(document(place, text.encode()))
    (file,) = release.files
    assert (release.package, release.version) == ("org.acme:tool", "1.0")
    assert file.digests == (Digest("sha1", SHA1),)
    assert Maven().link(release.package, file) == "org/acme/tool/1.0/tool-1.0.jar"


@pytest.mark.parametrize("text", ["", "<html>Log in</html>", "d41d8cd98f00b204e9800998ecf8427e", "x" * 10_000])
def test_what_is_no_checksum_is_neither_kept_nor_believed(text: str) -> None:
    place = "org/acme/tool/1.0/tool-1.0.jar.sha1"
    with pytest.raises(BadContent):
        Maven().examine(route(place), document(place, text.encode()))
    with pytest.raises(UnreadableIndex):
        list(Maven().releases(document(place, text.encode())))


def test_checksums_in_an_answers_fields_count_except_beside_side_files() -> None:
    told = [("x-checksum-md5", "0" * 32), ("x-checksum-sha1", SHA1)]
    maven = Maven()
    assert maven.told_digest(Headers([*told, ("content-length", "1000")])) == Digest("sha1", SHA1)
    assert maven.told_digest(Headers([*told, ("content-length", "40")])) is None
    assert maven.told_digest(Headers([("x-checksum-sha1", "none")])) is None
    jar, listed = route("org/acme/tool/1.0/tool-1.0.jar"), route("org/acme/tool/maven-metadata.xml")
    assert list(maven.shown(jar, Headers(told), "")) == list(reversed(told))
    assert list(maven.shown(listed, Headers(told), "")) == []


# ------------------------------------------------------------------------------------------------- lists


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_a_list_is_shown_as_its_golden_case_says(case: Path) -> None:
    head, body, expected = case.read_text().split("----\n")
    place, _, hidden = head.partition("\n")
    view = View(form="", base="", hidden=frozenset(hidden.split()))
    shown = _shown(place, body.encode(), view)
    assert shown == expected.rstrip("\n")


def _shown(place: str, body: bytes, view: View) -> str:
    maven, resource = Maven(), route(place)
    try:
        list(maven.releases(document(place, body)))
        rendered = maven.render(resource, [document(place, body)], view)
        sums = [
            maven.render(replace(resource, form=form), [document(place, body)], view) for form in ("sha1", "sha512")
        ]
    except Absent:
        return "ABSENT"
    except UnreadableIndex:
        return "UNREADABLE"
    shown = body if rendered is None else rendered.body
    for form, one in zip(("sha1", "sha512"), sums, strict=True):
        assert one is not None
        assert one.body.decode() == hashlib.new(form, shown).hexdigest()
    return "UNTOUCHED" if rendered is None else rendered.body.decode()


def test_a_list_names_its_versions_once_and_tells_when_it_changed() -> None:
    place = "org/acme/tool/maven-metadata.xml"
    body = (
        b"<metadata><groupId>org.other</groupId><versioning><versions><version>1.0</version><version> 1.1 </version>"
        b"<version>1.0</version><version/></versions><lastUpdated>20260801120000</lastUpdated></versioning></metadata>"
    )
    found = [(release.package, release.version) for release in Maven().releases(document(place, body))]
    assert found == [("org.acme:tool", "1.0"), ("org.acme:tool", "1.1")]
    assert Maven().last_change(document(place, body)) == datetime(2026, 8, 1, 12, tzinfo=UTC)
    assert Maven().last_change(document(place, body.replace(b"2026", b"when"))) is None


def test_a_list_means_what_maven_reads_in_it() -> None:
    """Comments and instructions are no end of a text."""
    place = "org/acme/tool/maven-metadata.xml"
    versions = b"<version>1.<!-- -->1</version><version><?x?>1.2</version><version>1.0</version>"
    body = b"<metadata><versioning><versions>" + versions + b"</versions></versioning></metadata>"
    assert [release.version for release in Maven().releases(document(place, body))] == ["1.1", "1.2", "1.0"]
    view = View(form="", base="", hidden=frozenset(["1.1", "1.2"]))
    rendered = Maven().render(route(place), [document(place, body)], view)
    assert rendered is not None
    assert rendered.body.count(b"<version>") == 1


def test_a_version_is_as_old_as_its_pom_and_a_moving_one_as_what_tells_its_files() -> None:
    keys = {
        version: found.key
        for version in ("1.0", "1.0-20240501.100000-1", "1.0-SNAPSHOT")
        if (found := Maven().dated_by("org.acme:tool", version))
    }
    assert keys == {
        "1.0": "org/acme/tool/1.0/tool-1.0.pom",
        "1.0-20240501.100000-1": "org/acme/tool/1.0-SNAPSHOT/tool-1.0-20240501.100000-1.pom",
        "1.0-SNAPSHOT": "org/acme/tool/1.0-SNAPSHOT/maven-metadata.xml",
    }
    assert Maven().dated_by("org", "1.0") is None


@pytest.mark.parametrize("version", ["..", ".", "../../x", "1.0\n", "1;x", "", "1" * 10_000])
def test_upstream_is_asked_for_no_date_of_what_is_no_version(version: str) -> None:
    """A list may name anything, and the address that is asked is made of it."""
    assert Maven().dated_by("org.acme:tool", version) is None


ORDER = [
    "1.0-alpha1", "1.0-b2", "1.0-M1", "1.0-cr1", "1.0-rc2", "1.0-SNAPSHOT", "1.0", "1.0-sp", "1.0-abc", "1.0-1",
    "1.0.1", "1.1-jre", "1.2-SNAPSHOT", "1.2", "1.10", "2.0.RC1", "2.0.Final", "31.0-android", "31.0-jre",
    "31.1-android",
]  # fmt: skip


def test_versions_follow_each_other_as_maven_has_them() -> None:
    """As ComparableVersion of maven-artifact 3.8 sorts them."""
    keys = [MAVEN.key(version) for version in ORDER]
    assert all(key is not None for key in keys)
    assert sorted(ORDER, key=lambda version: MAVEN.key(version) or ()) == ORDER
    assert MAVEN.key("1") == MAVEN.key("1.0") == MAVEN.key("1.0.0-ga") == MAVEN.key("1.0.Final")
    assert MAVEN.key("1.0-rc1") == MAVEN.key("1.0-cr1")
    assert MAVEN.key("") is None
    assert MAVEN.key("9" * 5000) is None


@pytest.mark.parametrize("version", ["1.²", "1.①", "1.٣", "1-½"])
def test_what_looks_like_a_number_and_is_none_is_a_word(version: str) -> None:
    assert MAVEN.key("1.0-alpha") < (MAVEN.key(version) or ())  # type: ignore[operator]


def test_a_build_of_a_snapshot_comes_before_its_release() -> None:
    builds = ["1.0-20240501.100000-2", "1.0-20240502.100000-1"]
    order = ["1.0-rc1", "1.0-SNAPSHOT", *builds, "1.0"]
    assert sorted(["1.0", *order[:-1]], key=lambda version: MAVEN.key(version) or ()) == order
    assert parse_constraint("<1.0", MAVEN, "a rule").admits(builds[0])
    assert not parse_constraint(">=1.0", MAVEN, "an exception").admits(builds[0])


# ------------------------------------------------------------------------------------------------- clients


def test_the_default_upstream_is_the_root_of_a_public_repository() -> None:
    assert re.fullmatch(r"https://[a-z.]+/[a-z0-9]+/", Maven.default_upstream() or "")


def test_our_own_settings_are_read_as_what_they_are() -> None:
    assert read_settings(SETTINGS.replace("{url}", "http://proxy.example/maven")) == "http://proxy.example/maven/"


@pytest.mark.parametrize(
    ("mirror", "found"),
    [
        ("<mirrorOf>external:*,!here</mirrorOf><url>https://mirror.example/all</url>", "https://mirror.example/all"),
        ("<mirrorOf>central</mirrorOf><url>https://mirror.example/c</url>", "https://mirror.example/c"),
        ("<mirrorOf>other</mirrorOf><url>https://mirror.example/o</url>", None),
        ("<mirrorOf>*</mirrorOf><url>https://${env.HOST}/x</url>", None),
        ("<mirrorOf>*</mirrorOf><url>https://me:secret@mirror.example/</url>", None),
        ("<mirrorOf>external:*</mirrorOf><url>http://0.0.0.0/</url><blocked>true</blocked>", None),
    ],
)
def test_the_mirror_of_everything_is_found_in_settings(mirror: str, found: str | None) -> None:
    text = f"<settings xmlns='http://maven.apache.org/SETTINGS/1.0.0'><mirrors><mirror>{mirror}</mirror></mirrors>"
    assert read_settings(f"{text}</settings>") == found
    assert read_settings("<settings>") is None


def test_gradles_init_script_is_read_as_what_it_is() -> None:
    script = next(file.content for client in CLIENTS if client.name == "Gradle" for file in client.files)
    assert read_init_script(script.replace("{url}", "http://proxy.example/maven")) == "http://proxy.example/maven/"
    assert read_init_script("println 'hello'") is None


def test_refusals_are_told_as_problems() -> None:
    reply = Maven().problem(Unreachable("tool: no connection"))
    assert reply.content_type == "application/problem+json"
    assert json.loads(reply.body)["detail"] == "tool: no connection"


# ------------------------------------------------------------------------------------------------- purls and locks


@pytest.mark.parametrize(
    ("path", "purl", "name"),
    [
        ("org/acme/tool/1.0/tool-1.0.jar", "pkg:maven/org.acme/tool@1.0?type=jar", "tool-1.0.jar"),
        ("org/acme/tool/1.0/tool-1.0.pom", "pkg:maven/org.acme/tool@1.0?type=pom", "tool-1.0.pom"),
        ("org/acme/tool/1.0/tool-1.0-linux-x86_64.tar.gz",
         "pkg:maven/org.acme/tool@1.0?classifier=linux-x86_64&type=tar.gz", "tool-1.0-linux-x86_64.tar.gz"),
        ("org/acme/tool/1.0-SNAPSHOT/tool-1.0-20240501.100000-1.jar",
         "pkg:maven/org.acme/tool@1.0-20240501.100000-1?type=jar", "tool-1.0-20240501.100000-1.jar"),
        ("org/acme/tool/1.0/tool-1.0.jar.sha1", None, ""),
        ("org/acme/tool/1.0/tool-1.0.jar.asc", None, ""),
        ("org/acme/tool/maven-metadata.xml", None, ""),
        ("archetype-catalog.xml", None, ""),
    ],
)  # fmt: skip
def test_a_bill_names_what_was_served_with_classifier_and_type(path: str, purl: str | None, name: str) -> None:
    resource = route(path)
    found = Maven().purl_of(resource, resource.version)
    assert (str(found) if found else None, Maven().billed_as(resource)) == (purl, name)


def test_a_purl_is_an_exact_version_or_a_constraint() -> None:
    maven = Maven()
    exact = maven.select(parse_purl("pkg:maven/org.acme/tool@1.0?classifier=tests&type=jar&x=y"), Extent())
    assert (exact.package, exact.version) == ("org.acme:tool", "1.0")
    assert dict(exact.qualifiers) == {"classifier": "tests", "type": "jar"}
    assert maven.select(parse_purl("pkg:maven/org.acme/tool@>=1.0"), Extent()).within == ">=1.0"
    with pytest.raises(BadRequest):
        maven.select(parse_purl("pkg:maven/org%2Facme/tool@1.0"), Extent())
    assert maven.pattern_of("org.acme/*") == "org.acme:*"
    assert maven.spelled("org.acme:tool") == "org/acme/tool"


def test_gradles_lock_file_names_packages() -> None:
    body = b"# comment\norg.acme:tool:1.0=compileClasspath\nempty=annotationProcessor\n"
    found = list(read_gradle_lock(LockText(name="gradle.lockfile", body=body, extent=Extent())))
    assert [str(one) for one in found] == ["org.acme:tool 1.0"]


@pytest.mark.parametrize("line", ["org.acme:tool=a", "not a line", "org.acme:to/ol:1.0=a"])
def test_a_line_that_is_no_package_is_told_with_its_number(line: str) -> None:
    with pytest.raises(UnreadableLock, match=r"gradle.lockfile:2: "):
        list(read_gradle_lock(LockText(name="gradle.lockfile", body=f"\n{line}\n".encode(), extent=Extent())))


@pytest.mark.parametrize("body", [b"", b"<metadata", b"\xff\xfe", b"<metadata>&nbsp;</metadata>"])
def test_what_is_not_xml_is_no_list(body: bytes) -> None:
    place = "org/acme/tool/maven-metadata.xml"
    with pytest.raises(UnreadableIndex):
        list(Maven().releases(document(place, body)))
