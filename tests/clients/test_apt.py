"""apt-get through Entrepot, against an archive made by apt's own tools."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.fixture_apt import NEEDED, Archive, Machine, Signer, new_signer
from tests.clients.registry import Registry
from tests.clients.room import ClientFailed, missing
from tests.faults.served import Served

pytestmark = pytest.mark.skipif(bool(reason := missing(*NEEDED)), reason=reason)

HOUR = 3600.0
CONFIG = '[repositories.deb]\necosystem = "apt"\nupstreams = ["{url}/"]\n{more}'


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

    def publish(self, name: str, version: str, **relations: str) -> str:
        path = self.archive.publish(name, version, **relations)
        self.archive.index()
        self.show()
        return path

    def show(self) -> None:
        """The server has what the archive has now."""
        self.registry.files, self.registry.modified = self.archive.files, self.archive.modified

    def machine(self, options: str = "", url: str = "", **environment: str) -> Machine:
        self._machines += 1
        place = "./" if self.archive.flat else "stable main"
        line = f"deb [signed-by={self.archive.signer.keyring} {options}] {url or self.url} {place}\n"
        return Machine(self.directory / f"machine{self._machines}", line, environment)

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


@pytest.mark.parametrize("form", [{}, {"by_hash": False}, {"inline": False, "by_hash": False}, {"flat": True}])
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


def test_apt_sees_what_was_published_since(opened: Opener) -> None:
    scene = opened()
    machine = scene.machine()
    machine.update()
    scene.publish("base", "1.1")
    scene.later(HOUR)
    assert "InRelease" in machine.update()
    assert list(machine.install("base")) == ["base_1.1_amd64.deb"]


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
