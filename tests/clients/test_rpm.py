"""dnf through us, with repositories that createrepo_c made of packages that rpmbuild made."""

import hashlib
import os
import re
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from lxml import etree

from tests.clients.fixture_apt import new_signer
from tests.clients.fixture_rpm import Files, Tree, rpm_repository
from tests.clients.registry import Registry
from tests.clients.room import ClientFailed, Room, missing
from tests.faults.served import Served
from tests.faults.wire import Got
from tests.waiting import eventually

pytestmark = pytest.mark.skipif(
    bool(missing("rpmbuild", "createrepo_c")), reason=missing("rpmbuild", "createrepo_c") or "-"
)
with_dnf = pytest.mark.skipif(bool(missing("dnf")), reason=missing("dnf") or "-")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="dnf installs only for root")

DAY = 86400.0
BROUGHT = {
    "hello-1.1-1.noarch.rpm",
    "world-2.0-3.noarch.rpm",
    "old-0.5-1.noarch.rpm",
    "extra-1-1.noarch.rpm",
}


@dataclass(slots=True, kw_only=True)
class Market:
    """A tree of packages below a registry that may have others, and one of our repositories in front of that."""

    tree: Tree
    registry: Registry
    served: Served
    directory: Path
    name: str = "rpm"
    rooms: list[Room] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.served.address[1]}/{self.name}"

    def show(self) -> None:
        """What the tree is now, all at once."""
        others = {path: file for path, file in self.registry.files.items() if not path.startswith(self.tree.prefix)}
        self.registry.files = others | self.tree.files

    def get(self, path: str) -> Got:
        """`path` is from the registry's root."""
        return self.served.get(f"/{self.name}{path}")

    def root(self) -> bytes:
        return self.get(f"{self.tree.prefix}repodata/repomd.xml").body

    @property
    def roots_upstream(self) -> bytes:
        return self.tree.files[f"{self.tree.prefix}repodata/repomd.xml"][1]

    def room(self) -> Room:
        """A new machine, its caches empty."""
        self.rooms.append(Room(self.directory / f"room{len(self.rooms)}", self.url))
        return self.rooms[-1]

    def dnf(self, room: Room, *words: str, place: str = "") -> str:
        """In a room: with its own caches, and packages below `root`."""
        self.configure(room, place or f"baseurl={self.url}{self.tree.prefix}")
        return room.run(*self.command(room), *words)

    def command(self, room: Room) -> tuple[str, ...]:
        return "dnf", "-y", "-c", "dnf.conf", f"--installroot={room.directory / 'root'}", "--releasever=40"

    def configure(self, room: Room, place: str) -> None:
        places = "".join(f"{name}={room.directory / name}\n" for name in ("cachedir", "logdir", "persistdir"))
        room.write(
            "dnf.conf", f"[main]\nreposdir=/dev/null\ngpgcheck=0\nretries=1\n{places}\n[ours]\nname=ours\n{place}\n"
        )

    def installed(self, room: Room) -> set[str]:
        told = room.run("rpm", "--root", str(room.directory / "root"), "-qa", "--qf", "%{NVRA}.rpm\\n")
        return set(told.split())


def open_server(stack: ExitStack, directory: Path, *settings: str, **others: str) -> tuple[Registry, Served]:
    """`others`: settings of further repositories by name."""
    registry = stack.enter_context(Registry(decoded=True))
    config = "".join(
        f'[repositories.{name}]\necosystem = "rpm"\nupstreams = ["{registry.url}/"]\nstale.patience = "1m"\n{lines}\n'
        for name, lines in {"rpm": "\n".join(settings), **others}.items()
    )
    return registry, stack.enter_context(Served(directory / "server", config))


def open_market(stack: ExitStack, directory: Path, stock: Tree, *settings: str) -> Market:
    """With a server of its own, which may be stopped."""
    registry, served = open_server(stack, directory, *settings)
    market = Market(tree=stock.copy(directory / "tree"), registry=registry, served=served, directory=directory)
    market.show()
    return market


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    return rpm_repository(tmp_path_factory.mktemp("rpm"))


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Registry, Served]]:
    with ExitStack() as stack:
        yield open_server(
            stack,
            tmp_path_factory.mktemp("standing"),
            "mirrors = ['https?://mirror\\.example/pub/linux/(?P<path>.*)']",
            always='[repositories.always.freshness]\nmutable_ttl = "0"',
            denied='[[repositories.denied.rules]]\npackage = "alone"\nmode = "deny"',
        )


@pytest.fixture
def market(standing: tuple[Registry, Served], tmp_path: Path, stock: Tree) -> Iterator[Market]:
    """Below a path of its own."""
    tree = stock.copy(tmp_path / "tree", prefix=f"/{tmp_path.name}/os/")
    market = Market(tree=tree, registry=standing[0], served=standing[1], directory=tmp_path)
    market.show()
    yield market
    market.registry.instead = {}


@pytest.fixture
def asking(market: Market) -> Market:
    """The repository that asks upstream about each root each time."""
    return replace(market, name="always")


# --- with dnf ---------------------------------------------------------------------------------------------------------


@with_dnf
@as_root
def test_dnf_installs_cold_warm_and_offline(stack: ExitStack, tmp_path: Path, stock: Tree) -> None:
    market = open_market(stack, tmp_path, stock)
    cold, warm, offline = (market.room() for _ in range(3))
    market.dnf(cold, "install", "hello")
    assert market.installed(cold) == BROUGHT

    market.registry.forget()
    market.dnf(warm, "install", "hello")
    assert market.installed(warm) == BROUGHT
    assert market.registry.artifacts_asked == []

    market.served.stop()
    market.registry.forget()
    market.registry.go_dark()
    market.served.reconfigure(lambda config: config.replace("upstreams =", 'network = "offline"\nupstreams ='))
    market.served.start()
    market.dnf(offline, "install", "hello")
    assert market.installed(offline) == BROUGHT
    assert market.registry.requests == []


@with_dnf
@as_root
@pytest.mark.parametrize(
    "option", ["--general-compress-type=bz2", "--general-compress-type=xz", "--simple-md-filenames"]
)
def test_dnf_is_served_whatever_the_metadata_looks_like(market: Market, option: str) -> None:
    market.tree.index(option)
    market.show()
    room = market.room()
    market.dnf(room, "install", "alone")
    assert market.installed(room) == {"alone-1-1.noarch.rpm"}


@with_dnf
@as_root
def test_dnf_goes_by_metalink_and_mirrorlist_to_us_alone(market: Market) -> None:
    wrong, query = "0" * 64, "?repo=fedora-40&arch=x86_64"
    elsewhere = f"https://mirror.example/pub/linux{market.tree.prefix.rstrip('/')}"
    metalink = (
        '<metalink version="3.0" xmlns="http://www.metalinker.org/"><files><file name="repomd.xml"><verification>'
        f'<hash type="sha256">{wrong}</hash></verification><resources><url protocol="https">'
        f"{elsewhere}/repodata/repomd.xml</url></resources></file></files></metalink>"
    )
    market.registry.files[f"/metalink{query}"] = "application/metalink+xml", metalink.encode()
    market.registry.files[f"/mirrorlist{query}"] = "text/plain", f"# mirrors\n{elsewhere}\n".encode()
    market.registry.forget()
    for kind in ("metalink", "mirrorlist"):
        room = market.room()
        market.dnf(room, "install", "alone", place=f"{kind}={market.url}/{kind}{query}\ncountme=1")
        assert market.installed(room) == {"alone-1-1.noarch.rpm"}
    assert [path for path in market.registry.asked() if query in path] == [f"/metalink{query}", f"/mirrorlist{query}"]
    again = market.get(f"/metalink{query}&countme=3")
    assert "hit" in again.cache_status
    assert wrong.encode() not in again.body


@with_dnf
@as_root
def test_mir_01_mir_02_a_mirrored_package_installs_without_upstream(
    stack: ExitStack, tmp_path: Path, stock: Tree
) -> None:
    market = open_market(stack, tmp_path, stock, 'paths = ["fedora/40/os"]')
    listed = tmp_path / "rpm-packages.txt"
    listed.write_text("alone.noarch\n")
    purl = "pkg:rpm/fedora/hello@1.1-1?arch=noarch"
    order = (purl, "--lockfile", str(listed), "--dependencies", "runtime")
    market.served.entrepot("mirror", *order)
    market.registry.forget()
    again = market.served.entrepot("mirror", *order)
    assert market.registry.artifacts_asked == []
    assert "\n0 done, " in again

    market.served.stop()
    market.registry.go_dark()
    market.served.reconfigure(lambda config: config.replace("upstreams =", 'network = "offline"\nupstreams ='))
    market.served.start()
    room = market.room()
    market.dnf(room, "install", "hello", "alone")
    assert market.installed(room) == BROUGHT | {"alone-1-1.noarch.rpm"}
    assert market.get("/fedora/40/os/repodata/repomd.xml.asc").status == 404
    assert market.get("/fedora/40/os/Packages/hello-1.0-1.noarch.rpm").status == 504


@with_dnf
@as_root
def test_entrepot_run_points_dnf_at_us_without_a_change_to_the_machine(market: Market) -> None:
    room = market.room()
    market.configure(room, f"baseurl=$ENTREPOT{market.tree.prefix}")
    # On Debian, rpm keeps what it knows at home.
    line = f"cd {room.project} && export HOME={room.home} && {' '.join(market.command(room))} install alone"
    line += " && cat $ENTREPOT_DNF_CONFIG"
    told = market.served.entrepot("run", "--", "sh", "-c", line)
    assert market.installed(room) == {"alone-1-1.noarch.rpm"}
    assert re.search(r"baseurl=http://127\.0\.0\.1:\d+/\S*rpm/\n", told)


@with_dnf
@as_root
def test_dnf_shows_why_it_may_not_have_a_package(market: Market) -> None:
    market = replace(market, name="denied")
    with pytest.raises(ClientFailed, match=r"403.*rules"):
        market.dnf(market.room(), "install", "alone")


@with_dnf
@as_root
def test_a_client_in_the_middle_of_an_update_gets_the_rest_of_what_it_began(asking: Market) -> None:
    """All members of the new generation have other names, and upstream removed those of the old one."""
    asking.dnf(asking.room(), "makecache")
    old = [asking.tree.named(kind) for kind in ("primary.xml", "filelists.xml")]
    asking.tree.publish("alone", "2")
    asking.tree.index()
    asking.show()
    assert asking.root() == asking.roots_upstream
    assert [asking.get(path).status for path in old] == [200, 200]
    room = asking.room()
    asking.dnf(room, "install", "alone")
    assert asking.installed(room) == {"alone-2-1.noarch.rpm"}


@with_dnf
@as_root
@pytest.mark.skipif(bool(missing("gpg")), reason=missing("gpg") or "-")
def test_dnf_believes_the_signature_of_each_generation(asking: Market) -> None:
    """Root and signature are two files: one of another generation would be a bad signature."""
    with new_signer() as signer:
        signer.gpg("--armor", "--output", str(asking.directory / "key.asc"), "--export")
        room = asking.room()
        place = f"baseurl={asking.url}{asking.tree.prefix}\nrepo_gpgcheck=1\ngpgkey=file://{asking.directory}/key.asc"
        for version in ("2", "3"):
            asking.tree.publish("alone", version)
            asking.tree.index()
            root = asking.tree.root / "repodata/repomd.xml"
            signer.sign("--detach-sign", root, root.with_name("repomd.xml.asc"))
            asking.show()
            asking.dnf(room, "--refresh", "install", f"alone-{version}", place=place)
            assert asking.installed(room) == {f"alone-{version}-1.noarch.rpm"}


def test_parts_of_zchunk_files_are_served(market: Market) -> None:
    """Clients that read them ask for several ranges at once, and take the whole file as an answer."""
    package = market.tree.publish("chunked", "1")
    market.tree.index("--zck")
    market.show()
    path = market.tree.named("primary.xml.zck")
    body = market.tree.files[path][1]
    market.root()
    several, one = (
        market.served.get(f"/rpm{path}", [("range", ranges)]) for ranges in ("bytes=0-10,40-50", "bytes=0-99")
    )
    assert (several.status, several.body) == (200, body)
    assert (one.status, one.body) == (206, body[:100])
    # What it names is checked: nobody read another list.
    market.registry.instead = {package: _flipped(market.tree.files[package][1])}
    assert not market.get(package).is_whole


def test_a_package_is_explained_by_its_package_url(asking: Market) -> None:
    asking.tree.publish("explained", "2", epoch=1)
    asking.tree.publish("explained", "3")
    asking.tree.index()
    asking.show()
    asking.root()
    assert asking.get(asking.tree.named("primary.xml")).is_whole
    told = asking.served.entrepot("explain", "pkg:rpm/fedora/explained@2-1?epoch=1")
    assert f"always{asking.tree.prefix}Packages/explained-2-1.noarch.rpm\n" in told
    assert "explained-3-1" not in told
    assert "explained-3-1" in asking.served.entrepot("explain", "pkg:rpm/fedora/explained")


# --- what is wrong upstream -------------------------------------------------------------------------------------------


def _flipped(body: bytes) -> bytes:
    middle = len(body) // 2
    return body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]


@pytest.mark.parametrize("kind", ["package", "primary"])
def test_a_flipped_bit_is_never_complete_and_never_stored(market: Market, kind: str) -> None:
    package = market.tree.publish(f"fresh-{kind}", "1")
    market.tree.index()
    market.show()
    market.root()
    primary = market.tree.named("primary.xml")
    path = package if kind == "package" else primary
    if kind == "package":
        assert market.get(primary).is_whole
    evil = _flipped(market.tree.files[path][1])
    market.registry.instead = {path: evil}
    assert [market.get(path).is_whole for _ in range(2)] == [False, False]
    assert hashlib.sha256(evil).hexdigest() not in market.served.blobs()
    market.registry.instead = {}
    assert market.get(path).body == market.tree.files[path][1]


def test_a_package_that_was_built_again_under_its_name_follows_its_metadata(asking: Market) -> None:
    package = asking.tree.named("hello-1.1-1.noarch")
    asking.root()
    assert asking.get(asking.tree.named("primary.xml")).is_whole
    before = asking.get(package).body
    asking.tree.publish("hello", "1.1", "Provides: other")
    asking.tree.index()
    asking.show()
    asking.root()
    after = asking.get(package).body
    assert after == asking.tree.files[package][1]
    assert after != before


@pytest.mark.parametrize("options", [(), ("--simple-md-filenames",)], ids=["hashed", "plain"])
def test_packages_at_other_addresses_are_refused_with_a_text(market: Market, options: tuple[str, ...]) -> None:
    market.tree.index("--baseurl", "http://far.example/elsewhere/", *options)
    market.show()
    market.root()
    got = market.get(market.tree.named("primary.xml"))
    assert got.status == 502
    assert b"http://far.example/elsewhere/" in got.body


def test_a_generation_that_would_lead_elsewhere_does_not_replace_one_that_does_not(asking: Market) -> None:
    asking.tree.publish("near", "1")
    asking.tree.index()
    asking.show()
    root, primary = asking.root(), asking.tree.named("primary.xml")
    # What is not stored yet is not brought along with a new root, and not looked at.
    kept_only = [("cache-control", "only-if-cached")]
    assert asking.get(primary).is_whole
    assert eventually(lambda: asking.served.get(f"/{asking.name}{primary}", kept_only).is_whole)
    asking.tree.index("--baseurl", "http://far.example/elsewhere/")
    asking.show()
    kept = asking.served.get(f"/{asking.name}{asking.tree.prefix}repodata/repomd.xml")
    assert (kept.status, kept.body) == (200, root)
    assert "stale" in kept.cache_status
    assert asking.get(primary).is_whole


def test_metadata_that_upstream_has_no_more_makes_us_look_for_a_new_root_at_once(market: Market) -> None:
    """The first one was read by a client that is slow."""
    market.tree.publish("slow", "1")
    market.tree.index()
    market.show()
    before = market.root()
    lost = market.tree.named("filelists.xml")
    market.tree.publish("hello", "1.2")
    market.tree.index()
    market.show()
    assert market.get(lost).status == 404
    after = market.root()
    assert after != before
    assert after == market.roots_upstream


def test_metadata_that_upstream_names_and_does_not_have_is_asked_for_once_more_and_then_left_alone(
    market: Market,
) -> None:
    market.tree.publish("broken", "1")
    market.tree.index()
    market.show()
    lost, root = market.tree.named("other.xml"), f"{market.tree.prefix}repodata/repomd.xml"
    del market.registry.files[lost]
    market.root()
    market.registry.forget()
    assert market.get(lost).status == 404
    assert market.registry.asked() == [lost, root, lost]
    assert market.get(lost).status == 404
    assert len(market.registry.asked()) == 3


# --- generations ------------------------------------------------------------------------------------------------------


def _read_all(market: Market) -> list[str]:
    """What is wrong with what one client gets that updates."""
    root = market.get(f"{market.tree.prefix}repodata/repomd.xml")
    if not root.is_whole:
        return [f"root: {root.status} {root.end}"]
    problems = []
    for data in etree.fromstring(root.body).findall("{*}data"):
        location, checksum = data.find("{*}location"), data.find("{*}checksum")
        assert location is not None
        assert checksum is not None
        got = market.get(f"{market.tree.prefix}{location.get('href')}")
        if not got.is_whole or got.sha256 != checksum.text:
            problems.append(f"{location.get('href')}: {got.status} {got.sha256}, not {checksum.text}")
    return problems


def _generation(tree: Tree, number: int, *options: str) -> Files:
    """All its metadata is other than that of the one before, which is gone."""
    packages = tree.root / "Packages"
    package = next(packages.glob("alone-1-1*.noarch.rpm"))
    package.rename(packages / f"alone-1-1.{number}.noarch.rpm")
    (packages / "hello-1.0-1.noarch.rpm").unlink(missing_ok=True)
    tree.index(*options, "--revision", str(number))
    return tree.files


@pytest.mark.parametrize("options", [(), ("--simple-md-filenames",)], ids=["hashed", "plain"])
def test_no_client_sees_two_generations_while_upstream_publishes(asking: Market, options: tuple[str, ...]) -> None:
    asking.tree.index(*options)
    asking.show()
    assert _read_all(asking) == []
    generations = [_generation(asking.tree, number, *options) for number in range(10)]
    problems: list[str] = []
    ended = threading.Event()

    def update() -> None:
        while not ended.is_set():
            problems.extend(_read_all(asking))

    clients = [threading.Thread(target=update) for _ in range(4)]
    for client in clients:
        client.start()
    for files in generations * 2:
        asking.registry.files = files
        problems.extend(_read_all(asking))
    ended.set()
    for client in clients:
        client.join()
    assert problems == []


def test_cooldown_serves_the_older_generation_until_the_new_one_is_old_enough(
    stack: ExitStack, tmp_path: Path, stock: Tree
) -> None:
    market = open_market(stack, tmp_path, stock, '[repositories.rpm.cooldown]\ndefault = "2d"')
    old, old_primary, hello = market.root(), market.tree.named("primary.xml"), market.tree.named("hello-1.1-1.noarch")
    assert market.get(old_primary).is_whole
    new_package = market.tree.publish("hello", "1.2")
    market.tree.index()
    market.show()

    _restart(market, 3 * DAY)
    assert market.root() == old
    assert market.get(old_primary).is_whole
    refused = market.get(new_package)
    assert refused.status == 403
    assert b"cooldown" in refused.body
    assert market.get(hello).is_whole

    _restart(market, 6 * DAY)
    assert market.root() == market.roots_upstream
    assert market.get(new_package).is_whole


def _restart(market: Market, later: float) -> None:
    market.served.stop()
    market.served.start(later)
