"""The only test that counts: mirror, pull the plug, and let the go command verify everything, caches empty."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.clients.conftest import Opener
from tests.clients.fixture_golang import DATABASE, Modules
from tests.clients.fixture_sumdb import GrowingDatabase
from tests.clients.registry import Files
from tests.clients.room import Room, missing
from tests.clients.shop import Shop

MINE = "module mine.example/mine\n\ngo 1.20\n"
# A program would have parts of the standard library compiled.
SOURCE = 'package mine\n\nimport (\n\t_ "go.example/deep/hello"\n\t_ "go.example/deep/hello/a/b/c"\n)\n'
PACKAGE = "go.example/deep/hello/a/b/c"

pytestmark = pytest.mark.skipif(bool(missing("go")), reason=missing("go"))


@dataclass(slots=True)
class Publisher:
    """A proxy whose checksum database has grown a lot before each answer to a new question."""

    modules: Modules = field(default_factory=Modules)
    database: GrowingDatabase = field(default_factory=GrowingDatabase)

    def publish(self, module: str, version: str, *packages: str, **needs: str) -> None:
        names = {f"go.example/{name}": at for name, at in needs.items()}
        self.database.add(module, version, self.modules.publish(module, version, names, packages=packages))

    def sign(self, module: str, version: str, size: int) -> None:
        self.database.grow_to(size)
        self.database.sign(module, version)

    @property
    def files(self) -> Files:
        own = f"/sumdb/{DATABASE}"
        modules = {path: file for path, file in self.modules.files.items() if not path.startswith(own)}
        return modules | self.database.files


@pytest.fixture
def publisher() -> Publisher:
    """Some modules; what was the package `a/d` of `deep/hello` is a module of its own now."""
    made = Publisher()
    made.publish("go.example/world", "v0.2.0", "w", old="v2.0.0+incompatible")
    made.publish("go.example/old", "v2.0.0+incompatible")
    made.database.grow_to(300)
    made.publish("go.example/deep/hello", "v1.0.0", "a/b/c", "a/d", world="v0.2.0")
    made.publish("go.example/late", "v1.0.0", "sub", old="v2.0.0+incompatible")
    made.publish("go.example/deep/hello/a/d", "v1.5.0")
    made.sign("go.example/world", "v0.2.0", 310)
    made.sign("go.example/old", "v2.0.0+incompatible", 700)
    made.sign("go.example/deep/hello", "v1.0.0", 65_600)
    return made


@pytest.fixture
def shop(opened: Opener, publisher: Publisher) -> Shop:
    return opened("golang", stock=lambda _: publisher.files)


def _locked(shop: Shop) -> Room:
    """A program that was built while upstream could be asked; nothing of that is stored afterwards."""
    room = shop.room()
    room.write("go.mod", MINE)
    room.write("mine.go", SOURCE)
    room.run("go", "get", "go.example/deep/hello@v1.0.0")
    room.run("go", "mod", "tidy")
    shop.start_anew()
    return room


def _mirror_locks(shop: Shop, room: Room) -> str:
    locks = (Path(room.project / name) for name in ("go.mod", "go.sum"))
    return shop.served.entrepot("mirror", *(word for lock in locks for word in ("--lockfile", str(lock))))


def _other(shop: Shop, room: Room, *names: str) -> Room:
    other = shop.room()
    for name in names:
        other.write(name, room.read(name))
    return other


def test_mir_01_mir_02_what_go_sum_locks_is_built_and_got_without_upstream(shop: Shop) -> None:
    room = _locked(shop)
    _mirror_locks(shop, room)
    shop.registry.forget()
    again = _mirror_locks(shop, room)
    assert shop.registry.artifacts_asked == []
    assert "\n0 done, " in again
    shop.go_offline()

    built, fresh, newest, listed = (_other(shop, room, "go.mod", "go.sum", "mine.go") for _ in range(4))
    built.run("go", "mod", "download")
    built.run("go", "build", "./...")
    built.run("go", "mod", "tidy")
    listed.run("go", "list", "-m", "-u", "all")
    for anew, path in ((fresh, f"{PACKAGE}@v1.0.0"), (newest, PACKAGE)):
        # Without go.sum everything is looked up.
        (anew.project / "go.sum").unlink()
        anew.write("go.mod", MINE)
        anew.run("go", "get", path)
        anew.run("go", "mod", "tidy")
        anew.run("go", "build", "./...")

    assert {built.read("go.sum"), fresh.read("go.sum"), newest.read("go.sum")} == {room.read("go.sum")}


@pytest.mark.parametrize("late_first", [False, True])
def test_mir_02_lookups_of_two_orders_prove_each_other_in_any_order(
    shop: Shop, publisher: Publisher, late_first: bool
) -> None:
    """The database grew past tiles that were partial when the first order was done."""
    _mirror_locks(shop, _locked(shop))
    publisher.sign("go.example/late", "v1.0.0", 131_500)
    shop.registry.files = publisher.files
    shop.served.entrepot("mirror", "pkg:golang/go.example/late@v1.0.0", "--dependencies", "runtime")
    shop.go_offline()

    room = shop.room()
    room.write("go.mod", MINE)
    packages = [f"{PACKAGE}@v1.0.0", "go.example/late/sub@v1.0.0", "go.example/world/w@v0.2.0"]
    for package in reversed(packages) if late_first else packages:
        room.run("go", "get", package)

    assert "go.example/late v1.0.0 h1:" in room.read("go.sum")
    assert "go.example/deep/hello v1.0.0 h1:" in room.read("go.sum")


def test_what_upstream_has_wins_over_what_an_archive_shows_to_be_a_package(shop: Shop) -> None:
    purls = ("pkg:golang/go.example/deep/hello@v1.0.0", "pkg:golang/go.example/deep/hello/a/d@v1.5.0")
    shop.served.entrepot("mirror", *purls)
    shop.go_offline()
    asked = ("a/@v/list", "a/d/@v/list", "a/d/@v/v1.5.0.zip", "a/d/@v/v1.0.0.info", "a/e/@v/list")
    assert [shop.get(f"go.example/deep/hello/{path}").status for path in asked] == [404, 200, 200, 404, 504]


def test_mir_05_a_module_in_other_letters_fails_alone(shop: Shop) -> None:
    told = shop.served.entrepot("mirror", "pkg:golang/go.example/Old@v2.0.0", "pkg:golang/go.example/late", status=2)
    assert ", 1 failed;" in told
    shop.go_offline()
    assert shop.get("go.example/late/@v/v1.0.0.zip").status == 200
