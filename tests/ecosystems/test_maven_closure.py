"""What mirroring a Maven package names."""

from collections.abc import Iterator, Mapping

import pytest

from entrepot.contracts.ecosystem import Ecosystem
from entrepot.ecosystems.maven import Maven
from entrepot.errors import Absent, BadRequest
from entrepot.model.digest import Digest
from entrepot.model.purl import parse_purl
from entrepot.model.release import Document
from entrepot.model.selection import Depth, Extent, Selection
from tests.clients.fixture_maven import MavenRepository, coordinates, maven_repository, with_boms
from tests.ecosystems.closures import Closed, close

MAVEN = Maven()
TOOL = "org/acme/tool"


def documents(made: MavenRepository | None = None) -> dict[str, bytes | Document]:
    return {path[1:]: body for path, (_, body) in (made or maven_repository()).files.items()}


def select(purl: str, extent: Extent | None = None) -> Selection:
    return MAVEN.select(parse_purl(purl), extent or Extent())


def closed(purl: str, made: MavenRepository | None = None) -> Closed:
    return close(MAVEN, select(purl), documents(made))


def closure_samples() -> Iterator[tuple[Ecosystem, Selection, Mapping[str, bytes | Document]]]:
    yield MAVEN, select("pkg:maven/org.acme/tool@1.0"), documents()
    yield MAVEN, select("pkg:maven/org.acme/moving@1.0-SNAPSHOT?type=pom"), documents()


def names(found: Closed) -> list[str]:
    """Without side files, each once."""
    return list(dict.fromkeys(key.rpartition("/")[2] for key in found.keys if not key.endswith(("1", "5"))))


def test_a_version_is_its_pom_its_file_its_list_and_what_tells_digests() -> None:
    found = closed("pkg:maven/org.acme/tool@1.0")

    assert names(found) == ["maven-metadata.xml", "tool-1.0.pom", "tool-1.0.jar"]
    assert {f"{TOOL}/1.0/tool-1.0.jar.sha1", f"{TOOL}/1.0/tool-1.0.pom.sha1"} <= set(found.keys)
    assert not [key for key in found.keys if key.endswith(".md5")], "where there is .sha1, nobody asks for .md5"


def test_where_there_is_no_sha1_maven_asks_for_md5() -> None:
    made = maven_repository()
    del made.files[f"/{TOOL}/1.0/tool-1.0.jar.sha1"]

    assert closed("pkg:maven/org.acme/tool@1.0", made).probes[f"{TOOL}/1.0/tool-1.0.jar.md5"] == "maybe"


def test_type_and_classifier_choose_the_file() -> None:
    assert names(closed("pkg:maven/org.acme/tool@1.0?type=pom")) == ["maven-metadata.xml", "tool-1.0.pom"]
    made = maven_repository()
    for rest in ("-tests.jar", ".zip"):
        made.put(f"/{TOOL}/1.0/tool-1.0{rest}", "application/octet-stream", b"x")
    assert names(closed("pkg:maven/org.acme/tool@1.0?type=test-jar", made))[-1] == "tool-1.0-tests.jar"
    assert names(closed("pkg:maven/org.acme/tool@1.0?classifier=tests", made))[-1] == "tool-1.0-tests.jar"
    assert names(closed("pkg:maven/org.acme/tool@1.0?type=zip", made))[-1] == "tool-1.0.zip"


def test_of_a_packaging_that_nobody_knows_both_names_are_tried() -> None:
    made = maven_repository()
    made.publish("org.acme:odd", "1.0", packaging="lair")
    probes = closed("pkg:maven/org.acme/odd@1.0", made).probes
    assert {"org/acme/odd/1.0/odd-1.0.lair", "org/acme/odd/1.0/odd-1.0.jar"} <= probes.keys()


def test_parents_and_imported_poms_come_along_as_far_as_they_are_told_literally() -> None:
    made = MavenRepository()
    made.publish(
        "org.acme:child",
        "1.0",
        packaging="pom",
        parent=coordinates("parent", "org.acme:base", "1.0"),
        rest=with_boms(("org.acme:bom", "1.0"), ("org.acme:other", "${other.version}")),
    )
    found = closed("pkg:maven/org.acme/child@1.0", made)

    assert [(str(one), one.qualifiers) for one in found.selections] == [
        ("org.acme:base 1.0", (("type", "pom"),)),
        ("org.acme:bom 1.0", (("type", "pom"),)),
    ]
    assert [one.subject for one in found.skipped] == ["org.acme:other:${other.version}"]


def test_gradles_own_metadata_comes_along_where_the_pom_says_so() -> None:
    made = maven_repository()
    made.publish("org.acme:kt", "1.0", rest="<!-- do_not_remove: published-with-gradle-metadata -->")
    assert "org/acme/kt/1.0/kt-1.0.module" in closed("pkg:maven/org.acme/kt@1.0", made).probes
    assert not [key for key in closed("pkg:maven/org.acme/tool@1.0").keys if ".module" in key]


def test_the_digest_of_a_bill_is_that_of_the_file_it_names() -> None:
    wanted = Digest("sha256", "0" * 64)
    selection = select("pkg:maven/org.acme/tool@1.0")
    for kind, name in (("jar", "tool-1.0.jar"), ("pom", "tool-1.0.pom")):
        told = Selection(package=selection.package, version="1.0", digests=(wanted,), qualifiers=(("type", kind),))
        found = close(MAVEN, told, documents())
        assert {need.resource.key.rpartition("/")[2] for need in found.needs if need.resource.digest} == {name}


def test_a_range_is_the_newest_versions_that_the_list_has() -> None:
    extent = Extent(latest=2)
    found = close(MAVEN, select("pkg:maven/org.acme/base@<1.2", extent), documents())
    assert [one.version for one in found.selections] == ["1.1", "1.0"]
    with pytest.raises(Absent):
        close(MAVEN, select("pkg:maven/org.acme/base@>7"), documents())


def test_a_snapshot_is_the_build_that_is_the_newest_now() -> None:
    found = closed("pkg:maven/org.acme/moving@1.0-SNAPSHOT?type=pom")
    assert "org/acme/moving/1.0-SNAPSHOT/moving-1.0-20240501.100000-1.pom" in found.keys
    assert "org/acme/moving/1.0-SNAPSHOT/maven-metadata.xml" in found.read


def test_what_it_depends_on_is_told_to_be_somebody_elses_work() -> None:
    selection = select("pkg:maven/org.acme/tool@1.0", Extent(depth=Depth.RUNTIME))
    (skipped,) = close(MAVEN, selection, documents()).skipped
    assert "bill of materials" in skipped.reason


def test_a_group_alone_is_no_package() -> None:
    with pytest.raises(BadRequest):
        close(MAVEN, select("pkg:maven/tool@1.0"), documents())
