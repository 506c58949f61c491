"""apt-get through Entrepot, against an archive made by apt's own tools."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.campaign.apt_generations import rehearse
from tests.clients.fixture_apt import NEEDED, Archive, Machine, Signer, new_signer
from tests.clients.registry import Registry
from tests.clients.room import ClientFailed, missing
from tests.faults.served import Served
from tests.faults.wire import Talk

pytestmark = pytest.mark.skipif(bool(reason := missing(*NEEDED)), reason=reason)

HOUR, DAY = 3600.0, 86400.0
CONFIG = '[repositories.deb]\necosystem = "apt"\nupstreams = ["{url}/"]\nstale.patience = "1m"\n{more}'


@pytest.fixture(scope="session")
def signer() -> Iterator[Signer]:
    with new_signer() as signer:
        yield signer


class Scene:
    """An archive, a server of it, and Entrepot before that."""

    def __init__(self, directory: Path, archive: Archive, registry: Registry, served: Served) -> None:
        self.directory, self.archive, self.registry, self.served = directory, archive, registry, served
        self._machines = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.served.address[1]}/deb{self.archive.prefix}"

    def publish(self, name: str, version: str, *, section: str = "misc") -> str:
        path = self.archive.publish(name, version, section=section)
        self.archive.index()
        self.show()
        return path

    def show(self) -> None:
        """The server has what the archive has now."""
        self.registry.files, self.registry.modified = self.archive.files, self.archive.modified

    def machine(self, url: str = "", further: str = "") -> Machine:
        self._machines += 1
        place = "./" if self.archive.flat else "stable main"
        line = f"deb [signed-by={self.archive.signer.keyring}] {url or self.url} {place}\n"
        return Machine(self.directory / f"machine{self._machines}", line, further)

    def later(self, seconds: float) -> None:
        self.served.stop()
        self.served.start(seconds)

    def packages_asked(self) -> list[str]:
        return self.registry.asked(".deb")


@pytest.fixture
def opened(tmp_path: Path, signer: Signer) -> Iterator["Opener"]:
    opener = Opener(tmp_path, signer)
    try:
        yield opener
    finally:
        opener.close()


class Opener:
    def __init__(self, directory: Path, signer: Signer) -> None:
        self._directory, self._signer = directory, signer
        self._open: list[Served | Registry] = []

    def __call__(self, more: str = "", *, workers: int = 1, **archive: object) -> Scene:
        made = Archive(self._directory / "archive", self._signer, **archive)  # type: ignore[arg-type]
        made.publish("base", "1.0")
        made.publish("tool", "1:1.0+b1", depends="base (>= 1), lib | other")
        made.publish("lib", "2.0~rc1")
        made.index()
        registry = Registry(decoded=True)
        registry.__enter__()
        self._open.append(registry)
        config = CONFIG.format(url=registry.url, more=more)
        served = Served(self._directory / "server", config, workers=workers)
        served.__enter__()
        self._open.append(served)
        scene = Scene(self._directory, made, registry, served)
        scene.show()
        return scene

    def close(self) -> None:
        for one in reversed(self._open):
            one.__exit__(None, None, None)


INSTALLED = ["base_1.0_amd64.deb", "lib_2.0~rc1_amd64.deb", "tool_1%3a1.0+b1_amd64.deb"]


@pytest.mark.parametrize("form", [{}, {"inline": False, "by_hash": False}, {"flat": True}])
def test_apt_installs_cold_warm_and_offline(opened: Opener, form: dict[str, object]) -> None:
    scene = opened(**form)  # type: ignore[arg-type]
    cold = scene.machine()
    cold.update()
    installed = cold.install("tool")
    assert list(installed) == INSTALLED
    assert len(scene.packages_asked()) == 3

    scene.registry.forget()
    warm = scene.machine()
    warm.update()
    assert warm.install("tool") == installed
    assert scene.packages_asked() == []

    scene.registry.go_dark()
    scene.served.stop()
    scene.served.reconfigure(lambda config: f'{config}network = "offline"\n')
    scene.served.start()
    offline = scene.machine()
    offline.update()
    assert offline.install("tool") == installed
    cold.update()


def test_a_flipped_bit_in_a_package_is_never_complete_and_never_stored(opened: Opener) -> None:
    scene = opened()
    machine = scene.machine()
    machine.update()
    path = next(path for path in scene.registry.files if "/tool_" in path)
    body = bytearray(scene.registry.files[path][1])
    body[len(body) // 2] ^= 1
    scene.registry.instead = {path: bytes(body)}
    before = scene.served.blobs()
    with pytest.raises(ClientFailed, match="502"):
        machine.install("tool")
    got = scene.served.get(f"/deb{path}")
    assert (got.status, got.headers.get("cache-status")) == (502, "entrepot; detail=digest-mismatch")
    assert hashlib.sha256(body).hexdigest() not in scene.served.blobs() - before
    scene.registry.instead = {}
    assert list(machine.install("tool")) == INSTALLED


def test_apt_sees_what_was_published_or_replaced_since(opened: Opener) -> None:
    scene = opened()
    machine = scene.machine()
    machine.update()
    before = machine.install("base", "lib")
    machine.forget_packages()
    scene.archive.publish("lib", "2.1")
    scene.publish("base", "1.0", section="changed")
    scene.later(HOUR)
    machine.update()
    after = machine.install("base", "lib")
    assert list(after) == ["base_1.0_amd64.deb", "lib_2.1_amd64.deb"]
    assert before["base_1.0_amd64.deb"] != after["base_1.0_amd64.deb"], "the one that the index names"


def test_what_no_index_names_is_refused_where_the_configuration_says_so(opened: Opener) -> None:
    scene = opened('unlisted = "refuse"\n')
    machine = scene.machine()
    machine.update()
    stray = scene.archive.publish("stray", "1.0")
    scene.show()
    assert scene.served.get(f"/deb{stray}").status == 404
    scene.archive.index()
    scene.show()
    scene.later(HOUR)
    assert scene.served.get(f"/deb{stray}").status == 200, "once more, after the newest root was read"


@pytest.mark.parametrize("by_hash", [True, False])
def test_nobody_gets_files_of_two_generations(tmp_path: Path, by_hash: bool) -> None:
    outcome = rehearse(tmp_path, clients=4, generations=5, by_hash=by_hash, workers=2, pause=0.2)
    assert (outcome.mixed, dict(outcome.failed)) == (0, {}), str(outcome)
    assert len(outcome.editions) > 1


def test_apt_may_use_us_as_its_proxy(opened: Opener) -> None:
    scene = opened()
    direct = f"{scene.registry.url}{scene.archive.prefix}"
    machine = scene.machine(url=direct, further=f"Acquire::http::Proxy=http://127.0.0.1:{scene.served.address[1]}")
    machine.update()
    assert list(machine.install("tool")) == INSTALLED
    by_path = scene.machine()
    by_path.update()
    by_path.install("tool")
    assert len(scene.packages_asked()) == 3, "it is the same repository"

    with Talk(scene.served.address) as talk:
        talk.send(b"GET http://other.example/debian/dists/stable/InRelease HTTP/1.1\r\nHost: other.example\r\n\r\n")
        assert talk.read().status == 421, "hosts of upstreams, and no others"

    scene.registry.forget()
    running, wrapper = scene.machine(url=direct), scene.served.line("run", "--")
    running.update(wrapper)
    assert list(running.install("tool", wrapper=wrapper)) == INSTALLED
    assert scene.packages_asked() == [], "`entrepot run` leads apt through us, its sources as they are"


def test_a_cooldown_serves_an_older_generation_as_a_whole(opened: Opener) -> None:
    scene = opened('[repositories.deb.cooldown]\ndefault = "2d"\n')
    young = scene.machine()
    young.update()
    assert list(young.install("base")) == ["base_1.0_amd64.deb"], "nothing is old enough: the oldest that is held"
    got = scene.served.get("/deb/debian/dists/stable/InRelease")
    assert "detail=too-young" in (got.headers.get("cache-status") or "")
    new = scene.publish("base", "1.1")
    scene.later(DAY)
    machine = scene.machine()
    machine.update()
    assert list(machine.install("base")) == ["base_1.0_amd64.deb"]
    refused = scene.served.get(f"/deb{new}")
    assert refused.status == 403
    assert b"first seen" in refused.body
    assert "served is generation 1" in scene.served.entrepot("explain", "deb/debian/dists/stable/InRelease")
    dated = scene.served.get("/@2020-01-01/deb/debian/dists/stable/InRelease")
    assert "detail=too-young" in (dated.headers.get("cache-status") or ""), "nothing is held of that day"
    scene.later(4 * DAY)
    later = scene.machine()
    later.update()
    assert list(later.install("base")) == ["base_1.1_amd64.deb"]


def test_what_was_mirrored_installs_offline(opened: Opener, tmp_path: Path) -> None:
    scene = opened('suites = ["debian/dists/stable"]\narchitectures = ["amd64"]\n')
    wanted = tmp_path / "apt-packages.txt"
    wanted.write_text("# for a test\ntool\n")
    told = scene.served.entrepot("mirror", "--lockfile", str(wanted), "--dependencies", "runtime")
    assert "error" not in told.lower(), told
    scene.served.stop()
    scene.registry.go_dark()
    scene.served.reconfigure(lambda config: f'{config}network = "offline"\n')
    scene.served.start()
    machine = scene.machine()
    machine.update()
    assert list(machine.install("tool")) == INSTALLED
