"""Maven itself in front of a repository of files: ranges, snapshots, checksums, and what it shows of a refusal."""

import hashlib
import json
import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from pathlib import Path

import pytest

from entrepot.ecosystems.maven_clients import SETTINGS
from tests.clients.fixture_maven import MavenRepository, maven_repository, project
from tests.clients.registry import Registry
from tests.clients.room import ClientFailed, Room, missing
from tests.faults.served import Served
from tests.faults.wire import Got

TOOLS = (("org.acme:tool", "1.0"),)
JAR = "org/acme/tool/1.0/tool-1.0.jar"
LIST = "org/acme/base/maven-metadata.xml"
NEWEST = "org/acme/base/1.2/base-1.2.pom"

QUICK = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
"""For programs that run only for a moment."""

with_maven = pytest.mark.skipif(bool(missing("mvn")), reason=missing("mvn"))


def days_ago(days: float) -> str:
    return format_datetime(datetime.now(UTC) - timedelta(days=days), usegmt=True)


@dataclass(slots=True, kw_only=True)
class Yard:
    """A repository, an Entrepot in front of it, and developers."""

    made: MavenRepository
    registry: Registry
    served: Served
    directory: Path
    _rooms: list[Room] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.served.address[1]}/maven"

    def stock(self) -> None:
        self.registry.files, self.registry.modified = dict(self.made.files), dict(self.made.modified)

    def get(self, path: str, *fields: tuple[str, str], method: str = "GET") -> Got:
        return self.served.get(f"/maven/{path}", fields, method=method)

    def room(self, pom: str) -> Room:
        """A developer with empty caches."""
        room = Room(self.directory / f"room{len(self._rooms)}", self.url, {"MAVEN_OPTS": QUICK})
        self._rooms.append(room)
        room.write("pom.xml", pom)
        room.write("settings.xml", SETTINGS.replace("{url}", self.url))
        return room

    def validate(self, pom: str) -> str:
        """What a strict Maven prints. Raises ClientFailed."""
        room = self.room(pom)
        local = f"-Dmaven.repo.local={room.home}/repository"
        return room.run("mvn", "-B", "-C", "-s", "settings.xml", "-gs", "settings.xml", local, "validate")

    def start_anew(self) -> None:
        """With nothing stored, and nothing asked."""
        self.served.stop()
        shutil.rmtree(self.served.data)
        self.registry.forget()
        self.served.start()

    def go_offline(self) -> None:
        self.served.stop()
        self.registry.go_dark()
        self.served.reconfigure(lambda config: config.replace("upstreams =", 'network = "offline"\nupstreams ='))
        self.served.start()


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    with ExitStack() as stack:
        yield open_yard(stack, tmp_path)


def open_yard(stack: ExitStack, directory: Path, extra: str = "") -> Yard:
    registry = stack.enter_context(Registry())
    config = (
        f'[repositories.maven]\necosystem = "maven"\nupstreams = ["{registry.url}/"]\n{extra}'
        '[repositories.maven.freshness]\nmutable_ttl = "0"\nnegative_ttl = "0"\n'
    )
    served = stack.enter_context(Served(directory / "server", config))
    yard = Yard(made=maven_repository(), registry=registry, served=served, directory=directory)
    yard.stock()
    return yard


@with_maven
def test_a_build_works_cold_then_without_artifacts_then_without_upstream(yard: Yard) -> None:
    pom = project(tools=TOOLS)

    assert NEWEST in yard.validate(pom), "the range takes the newest"
    assert yard.registry.asked("/tool-1.0.jar") == [f"/{JAR}"]

    yard.registry.forget()
    yard.validate(pom)
    assert [path for path in yard.registry.artifacts_asked if "metadata" not in path] == []

    yard.go_offline()
    yard.validate(pom)


@with_maven
def test_a_snapshot_is_had_without_upstream_once_it_was_had(yard: Yard) -> None:
    folder = "org/acme/moving/1.0-SNAPSHOT"
    for path in ("maven-metadata.xml", "moving-1.0-20240501.100000-1.pom"):
        assert yard.get(f"{folder}/{path}").status == 200
    yard.go_offline()
    assert "moving-1.0-20240501.100000-1.pom" in yard.validate(
        project(package="org.acme:moving", parent="1.0-SNAPSHOT", bom=False)
    )


@with_maven
def test_a_flipped_bit_is_never_complete_and_never_stored(yard: Yard) -> None:
    bodies = {path: yard.registry.files[f"/{path}"][1] for path in (JAR, "org/acme/part/1.0/part-1.0.pom")}
    for path, body in bodies.items():
        yard.registry.instead[f"/{path}"] = bytes([body[0] ^ 1]) + body[1:]
        assert yard.get(path).status == 502
    with pytest.raises(ClientFailed, match="502"):
        yard.validate(project(tools=TOOLS))

    yard.registry.instead.clear()
    for path, body in bodies.items():
        assert yard.get(path).body == body


@pytest.mark.timeout(120)
@with_maven
def test_mir_02_what_run_recorded_is_mirrored_and_built_from_without_upstream(yard: Yard) -> None:
    pom = project(tools=TOOLS)
    room = yard.room(pom)
    (room.project / "settings.xml").unlink()
    bill, file = str(yard.directory / "bill.json"), str(room.project / "pom.xml")
    local = f"-Dmaven.repo.local={room.home}/repository"

    yard.served.entrepot("run", "--record", bill, "--", "mvn", "-B", "-C", "-f", file, local, "validate")
    assert yard.registry.asked("/tool-1.0.jar") == [f"/{JAR}"], "run points Maven at us"

    yard.start_anew()
    yard.served.entrepot("mirror", "--sbom", bill)
    yard.registry.forget()
    assert "\n0 done, " in yard.served.entrepot("mirror", "--sbom", bill)
    assert [path for path in yard.registry.artifacts_asked if "metadata" not in path] == []
    yard.go_offline()
    yard.validate(pom)


def test_side_files_fit_the_list_that_is_shown(yard: Yard) -> None:
    shown = yard.get(LIST).body

    assert shown == yard.registry.files[f"/{LIST}"][1]
    for algorithm in ("md5", "sha1", "sha256", "sha512"):
        assert yard.get(f"{LIST}.{algorithm}").body.decode() == hashlib.new(algorithm, shown).hexdigest()
    assert yard.get(f"{LIST}.asc").status == 404
    assert yard.registry.asked(".sha1") == [], "they are made from the list itself"


# --- cooldown ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Yard]:
    """With 1.2 of `base` two days old, where three are asked for."""
    with ExitStack() as stack:
        yard = open_yard(stack, tmp_path, '[repositories.maven.cooldown]\ndefault = "3d"\n')
        yard.made.updated = f"{datetime.now(UTC):%Y%m%d%H%M%S}"
        yard.made.publish("org.acme:base", "1.3", packaging="pom", date=days_ago(2))
        yard.stock()
        yield yard


@with_maven
def test_a_strict_maven_takes_the_newest_that_is_old_enough(guarded: Yard) -> None:
    said = guarded.validate(project())

    assert "base-1.2.pom" in said
    assert "base-1.3" not in said
    shown = guarded.get(LIST).body
    assert b"<version>1.3</version>" not in shown
    assert b"<latest>1.2</latest>" in shown
    assert b"<release>1.2</release>" in shown
    for algorithm in ("md5", "sha1", "sha256", "sha512"):
        assert guarded.get(f"{LIST}.{algorithm}").body.decode() == hashlib.new(algorithm, shown).hexdigest()


@with_maven
def test_maven_shows_the_address_that_tells_which_rule_refuses_a_young_version_and_until_when(guarded: Yard) -> None:
    with pytest.raises(ClientFailed) as failed:
        guarded.validate(project(parent="1.3"))

    found = re.search(rf"failed for {guarded.url}/(\S+), status: 403", str(failed.value))
    assert found
    told = json.loads(guarded.get(found[1]).body)
    assert "cooldown.default" in told["detail"]
    published = parsedate_to_datetime(guarded.registry.modified["/org/acme/base/1.3/base-1.3.pom"])
    assert f"{published + timedelta(days=3):%Y-%m-%d}" in told["detail"]


def test_the_first_date_that_was_told_counts_though_the_repository_moves(guarded: Yard) -> None:
    assert guarded.get(NEWEST, method="HEAD").status == 200
    guarded.registry.modified[f"/{NEWEST}"] = days_ago(0.5)

    assert guarded.get(NEWEST).status == 200
    guarded.served.stop()
    guarded.served.start()
    assert guarded.get(f"{NEWEST}.sha1").status == 200


def test_a_list_that_did_not_change_for_long_needs_no_dates(guarded: Yard) -> None:
    assert guarded.get("org/acme/tool/maven-metadata.xml").status == 200
    guarded.registry.forget()
    guarded.made.updated = "20240501100000"
    guarded.made.publish("org.acme:tool", "2.0")
    guarded.stock()

    assert b"<version>2.0</version>" in guarded.get("org/acme/tool/maven-metadata.xml").body
    assert guarded.registry.asked(method="HEAD") == []


def test_a_dated_view_shows_the_list_as_it_was(guarded: Yard) -> None:
    day = f"{datetime.now(UTC) - timedelta(days=4):%Y-%m-%d}"
    shown = guarded.served.get(f"/@{day}/maven/{LIST}").body
    assert b"<version>1.2</version>" in shown
    assert b"<version>1.3</version>" not in shown


def test_a_file_without_a_pom_is_as_old_as_itself_and_what_is_nowhere_is_absent(guarded: Yard) -> None:
    for name, date in (("old", days_ago(30)), ("new", days_ago(1))):
        guarded.registry.files[f"/org/acme/{name}/1/{name}-1.jar"] = ("application/java-archive", b"jar")
        guarded.registry.modified[f"/org/acme/{name}/1/{name}-1.jar"] = date
    got = {name: guarded.get(f"org/acme/{name}/1/{name}-1.jar").status for name in ("old", "new", "none")}
    assert got == {"old": 200, "new": 403, "none": 404}

    guarded.go_offline()
    assert guarded.get("org/acme/old/1/old-1.jar").body == b"jar"
    assert guarded.get("org/acme/new/1/new-1.jar").status in (403, 504)


@pytest.mark.parametrize("name", ["moving-1.0-SNAPSHOT.jar", "notes.txt"])
def test_what_moves_is_as_old_as_upstream_says_today(guarded: Yard, name: str) -> None:
    """What was stored of it, and tells its date, is from another day."""
    folder = "org/acme/moving/1.0-SNAPSHOT" if "SNAPSHOT" in name else "org/acme/other/1.0"
    told = f"/{folder}/maven-metadata.xml" if "SNAPSHOT" in name else f"/{folder}/{name}"
    guarded.registry.files[f"/{folder}/{name}"] = ("text/plain", b"old")
    guarded.registry.modified[told] = days_ago(30)
    assert guarded.get(told[1:]).status == 200
    assert guarded.get(f"{folder}/{name}").body == b"old"

    guarded.registry.files[f"/{folder}/{name}"] = ("text/plain", b"new")
    guarded.registry.modified[told] = days_ago(0.1)
    assert guarded.get(f"{folder}/{name}").status == 403
    guarded.registry.failure = (503, {})
    assert guarded.get(f"{folder}/{name}").body == b"old", "while upstream is down the date that is stored counts"


def test_a_list_that_cannot_be_read_is_never_shown(guarded: Yard) -> None:
    guarded.registry.instead[f"/{LIST}"] = b"<html><title>Log in</title></html>"
    assert guarded.get(LIST).status == 502
    assert guarded.get(f"{LIST}.sha1").status == 502


def test_whoever_had_a_package_first_owns_it(tmp_path: Path) -> None:
    """A second repository has plugins of its own, and another edition of what the first one has."""
    portal = MavenRepository()
    portal.publish("org.acme.plugin:org.acme.plugin.gradle.plugin", "1.0", packaging="pom")
    portal.publish("org.acme:base", "9.0", packaging="pom")
    with Registry() as first, Registry(files=portal.files) as second:
        first.files = maven_repository().files
        config = f'[repositories.maven]\necosystem = "maven"\nupstreams = ["{first.url}/", "{second.url}/"]\n'
        with Served(tmp_path / "server", config) as served:
            paths = (
                "org/acme/plugin/org.acme.plugin.gradle.plugin/1.0/org.acme.plugin.gradle.plugin-1.0.pom",
                "org/acme/base/1.0/base-1.0.pom",
                "org/acme/base/9.0/base-9.0.pom",
            )
            assert [served.get(f"/maven/{path}").status for path in paths] == [200, 200, 404]


@pytest.mark.parametrize(
    ("method", "first"), [("GET", "1.0/lib-1.0.pom"), ("HEAD", "1.0/lib-1.0.pom"), ("GET", "maven-metadata.xml")]
)
def test_a_login_page_makes_nobody_the_owner(tmp_path: Path, method: str, first: str) -> None:
    """The first of two upstreams answers everything with one for a while, and has nothing of the package."""
    second = MavenRepository()
    second.publish("org.other:lib", "1.0", packaging="pom")
    paths = [f"org/other/lib/{name}" for name in ("1.0/lib-1.0.pom", "1.0/lib-1.0.pom.sha1", "maven-metadata.xml")]
    with Registry() as login, Registry(files=second.files) as real:
        login.files = {f"/{path}": ("text/html", b"<html>Log in</html>") for path in paths}
        config = (
            f'[repositories.maven]\necosystem = "maven"\nupstreams = ["{login.url}/", "{real.url}/"]\n'
            '[repositories.maven.freshness]\nnegative_ttl = "0"\n'
        )
        with Served(tmp_path / "server", config) as served:
            asked = served.get(f"/maven/org/other/lib/{first}", method=method)
            assert method == "HEAD" or asked.status == 502
            assert real.requests == [], "an upstream that is out of order still comes first"
            login.files = {}
            assert [served.get(f"/maven/{path}").status for path in paths] == [200, 200, 200]


@pytest.mark.parametrize(
    "target", ["pkg:maven/acme/kit", "pkg:maven/acme/kit@1.0", "maven/acme/kit/1.0/kit-1.0.jar", "maven/acme:kit"]
)
def test_what_is_forgotten_is_what_was_named(yard: Yard, target: str) -> None:
    """Paths of other groups hold the path of this one."""
    paths = [f"{group}acme/kit/1.0/kit-1.0.jar" for group in ("", "org/", "com/org/")]
    for path in paths:
        yard.registry.files[f"/{path}"] = ("application/java-archive", b"jar")
        assert yard.get(path).status == 200

    assert yard.served.entrepot("forget", target).strip() == f"forgot maven/{paths[0]}"


# --- Gradle -----------------------------------------------------------------------------------------------------------

BUILD = """
repositories { maven { url 'http://repository.example/' } }
configurations { tool }
dependencies { tool 'org.acme:tool:1.+' }
task show { doLast { configurations.tool.files.each { println 'got ' + it.name } } }
"""


@pytest.mark.skipif(bool(missing("gradle")), reason=missing("gradle"))
@pytest.mark.timeout(120)
def test_run_has_gradle_resolve_through_us(yard: Yard) -> None:
    room = yard.room("")
    room.write("build.gradle", BUILD)
    room.write("settings.gradle", "")
    home = ("--gradle-user-home", f"{room.home}/gradle", "--project-dir", str(room.project))

    said = yard.served.entrepot("run", "--", "gradle", *home, "--no-daemon", "-q", "show")

    assert {"got tool-1.0.jar", "got part-1.0.jar"} <= set(said.splitlines())
    assert yard.registry.asked("/tool-1.0.jar") == [f"/{JAR}"]
