"""Charts through a server: over plain HTTP as helm asks for them, and with helm itself where somebody installed it."""

import gzip
import hashlib
import json
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pytest

from tests.clients.registry import Registry
from tests.clients.room import SEARCHED, missing
from tests.faults.served import Served

CONFIG = '[repositories.charts]\necosystem = "helm"\nupstreams = ["{url}/stable/"]\n'


def chart(name: str, version: str) -> bytes:
    packed = BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for path, text in {
            "Chart.yaml": f"apiVersion: v2\nname: {name}\nversion: {version}\n",
            "values.yaml": "a: 1\n",
        }.items():
            member = tarfile.TarInfo(f"{name}/{path}")
            member.size = len(text)
            archive.addfile(member, BytesIO(text.encode()))
    return gzip.compress(packed.getvalue(), mtime=0)


@dataclass(frozen=True, slots=True)
class House:
    directory: Path
    registry: Registry
    served: Served

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.served.address[1]}/charts"

    def go_offline(self) -> None:
        self.served.stop()
        self.registry.go_dark()
        self.served.reconfigure(lambda text: text.replace("upstreams =", 'network = "offline"\nupstreams ='))
        self.served.start()

    def helm(self, *arguments: str) -> str:
        places = {
            name: str(self.directory / "helm") for name in ("HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME")
        }
        done = subprocess.run(
            ["helm", *arguments], cwd=self.directory, env={"PATH": SEARCHED, **places},
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with ExitStack() as stack:
        registry = stack.enter_context(Registry())
        lines = ["apiVersion: v1", "entries:", "  web:"]
        for version in ("1.1.0", "1.0.0"):
            body = chart("web", version)
            registry.files[f"/stable/charts/web-{version}.tgz"] = "application/gzip", body
            lines += [f"  - {{name: web, version: {version}, apiVersion: v2, created: 2024-05-06T07:08:09.123456789Z,"]
            lines += [f"     digest: {hashlib.sha256(body).hexdigest()}, urls: [charts/web-{version}.tgz]}}"]
        registry.files["/stable/index.yaml"] = "text/yaml", "\n".join(lines).encode()
        registry.files["/stable/charts/hidden-1.0.0.tgz"] = "application/gzip", b"listed by nobody"
        served = stack.enter_context(Served(tmp_path / "server", CONFIG.format(url=registry.url)))
        yield House(tmp_path, registry, served)


def test_charts_are_verified_kept_and_mirrored(house: House) -> None:
    index = json.loads(house.served.get("/charts/index.yaml").body)
    first, second = index["entries"]["web"]
    assert (first["version"], first["urls"]) == ("1.1.0", ["charts/web/stable/charts/web-1.1.0.tgz"])
    wrong = house.registry.files["/stable/charts/web-1.0.0.tgz"][1][:-1] + b"?"
    house.registry.instead["/stable/charts/web-1.0.0.tgz"] = wrong
    path = f"/charts/{second['urls'][0]}"
    assert house.served.get(path).status == 502
    assert hashlib.sha256(wrong).hexdigest() not in house.served.blobs()
    house.registry.instead.clear()
    assert hashlib.sha256(house.served.get(path).body).hexdigest() == second["digest"]
    assert house.served.get("/charts/charts/hidden/stable/charts/hidden-1.0.0.tgz").status == 404
    lock = house.directory / "Chart.lock"
    lock.write_text(f"dependencies:\n- name: web\n  repository: {house.registry.url}/stable\n  version: 1.1.0\n")
    house.served.entrepot("mirror", "--lockfile", str(lock))
    house.go_offline()
    assert house.served.get("/charts/index.yaml").status == 200
    assert hashlib.sha256(house.served.get(f"/charts/{first['urls'][0]}").body).hexdigest() == first["digest"]
    assert house.served.get(f"/charts/{first['urls'][0]}.prov").status == 404
    assert house.served.get(f"{path}.prov").status == 504


@pytest.mark.skipif(bool(missing("helm")), reason=missing("helm"))
def test_helm_pulls_cold_warm_and_offline(house: House) -> None:
    for round_ in ("cold", "warm", "offline"):
        if round_ == "offline":
            house.go_offline()
        house.registry.forget()
        house.helm("repo", "add", "stable", house.url, "--force-update")
        assert "1.1.0" in house.helm("search", "repo", "stable/web")
        house.helm("pull", "stable/web", "--version", "1.0.0", "--destination", str(house.directory))
        assert (house.directory / "web-1.0.0.tgz").read_bytes() == chart("web", "1.0.0")
        assert [path for path in house.registry.asked() if path.endswith(".tgz")] == (
            ["/stable/charts/web-1.0.0.tgz"] if round_ == "cold" else []
        )
