"""containerd in front, Debian's registry behind: each of the ways in that its `hosts.toml` knows."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.clients.fixture_oci import DockerRegistry, Layout
from tests.clients.room import missing
from tests.faults.served import Served
from tests.integration.test_images import OPEN

NEEDED = missing("containerd", "ctr", "skopeo", "docker-registry") or ("" if os.geteuid() == 0 else "not root here")
pytestmark = pytest.mark.skipif(bool(NEEDED), reason=NEEDED)
READY_SECONDS = 20.0
DAEMON = """\
version = 2
root = "{place}/root"
state = "{place}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]
[grpc]
address = "{place}/socket"
[ttrpc]
address = "{place}/ttrpc"
"""


@dataclass(frozen=True, slots=True)
class House:
    directory: Path
    served: Served

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.served.address[1]}"

    def lead(self, registry: str, way: str) -> None:
        """What containerd asks instead of a registry."""
        place = self.directory / "hosts" / registry
        place.mkdir(parents=True, exist_ok=True)
        place.joinpath("hosts.toml").write_text(f'server = "{way}"\n[host."{way}"]\noverride_path = true\n')

    def fetch(self, image: str, *options: str) -> subprocess.CompletedProcess[str]:
        return self.ctr("content", "fetch", "--hosts-dir", str(self.directory / "hosts"), *options, image)

    def ctr(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = ["ctr", "--address", str(self.directory / "socket"), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@contextmanager
def _daemon(directory: Path) -> Iterator[None]:
    config = directory / "containerd.toml"
    config.write_text(DAEMON.format(place=directory))
    with (directory / "containerd.log").open("wb") as log:
        process = subprocess.Popen(["containerd", "--config", str(config)], stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + READY_SECONDS
        asked = ["ctr", "--address", str(directory / "socket"), "version"]
        while subprocess.run(asked, capture_output=True, check=False).returncode:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((directory / "containerd.log").read_text()[-2000:])
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    directory = tmp_path_factory.mktemp("containerd")
    with ExitStack() as stack:
        registry = stack.enter_context(DockerRegistry(directory / "registry"))
        layout = Layout(directory / "layout")
        layout.tag(layout.index(layout.image("for amd64", "amd64"), layout.image("for arm64", "arm64")), "1.0")
        registry.push(layout, "1.0", "team/app")
        stack.enter_context(_daemon(directory))
        yield House(directory, stack.enter_context(Served(directory / "server", OPEN.format(url=registry.url))))


@pytest.mark.parametrize(
    ("registry", "below"), [("hub.example", "/v2"), ("images.example", "/hub/v2"), ("named.example", "/v2/hub")]
)
def test_an_image_comes_by_the_host_that_is_meant_and_by_path(house: House, registry: str, below: str) -> None:
    house.lead(registry, f"http://{house.host}{below}")
    done = house.fetch(f"{registry}/team/app:1.0", "--platform", "linux/arm64")
    assert done.returncode == 0, done.stderr
    assert house.ctr("content", "ls", "-q").stdout.count("sha256:") >= 4, "an index, a manifest, two parts"


def test_an_image_comes_by_the_name_of_the_repository(house: House) -> None:
    done = house.fetch(f"{house.host}/hub/team/app:1.0", "--plain-http")
    assert done.returncode == 0, done.stderr


def test_the_mirror_is_not_taken_for_another_registry(house: House) -> None:
    """It has an image of that name, too: another one."""
    house.lead("other.example", f"http://{house.host}/v2")
    done = house.fetch("other.example/team/app:1.0")
    assert (done.returncode, "not found" in done.stderr) == (1, True)
