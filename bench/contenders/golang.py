"""Package proxies for Go modules: Athens and git-pkgs/proxy, built by the go command."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from bench.contenders.base import Contender, Launch, Place, run_installer
from bench.machine import CACHE, need


def _install(name: str, home: Path, package: str) -> None:
    """Raises Missing."""
    if not (home / "proxy").exists():
        run_installer(name, [need("go"), "install", f"{package}@latest"], {**os.environ, "GOBIN": str(home)})


class Athens(Contender):
    name = "Athens"
    ecosystems: ClassVar[Mapping[str, str]] = {"golang": ""}
    alive = "/healthz"

    def install(self) -> str:
        _install(self.name, CACHE / "athens", "github.com/gomods/athens/cmd/proxy")
        return "Athens, latest"

    def prepare(self, place: Place) -> Launch:
        storage = place.directory / "storage"
        storage.mkdir()
        variables = {
            "ATHENS_PORT": f"127.0.0.1:{place.port}",
            "ATHENS_STORAGE_TYPE": "disk",
            "ATHENS_DISK_STORAGE_ROOT": str(storage),
            "ATHENS_GO_BINARY_ENV_VARS": f"GOPROXY={place.origin}/go;GOSUMDB=off;GOFLAGS=-modcacherw",
        }
        return Launch(command=[str(CACHE / "athens" / "proxy")], environment=variables)


class GitPkgs(Contender):
    name = "git-pkgs/proxy"
    ecosystems: ClassVar[Mapping[str, str]] = {"golang": "/go"}
    alive = "/health"

    def install(self) -> str:
        _install(self.name, CACHE / "git-pkgs", "github.com/git-pkgs/proxy/cmd/proxy")
        return "git-pkgs/proxy, latest"

    def prepare(self, place: Place) -> Launch:
        directory = place.directory
        command = [str(CACHE / "git-pkgs" / "proxy"), "serve", "-listen", f"127.0.0.1:{place.port}"]
        command += ["-base-url", place.base, "-storage-url", f"file://{directory}/storage"]
        command += ["-database-path", f"{directory}/proxy.db", "-access-log", f"{directory}/access.jsonl"]
        variables = {
            "PROXY_UPSTREAM_GO": f"{place.origin}/go",
            "PROXY_UPSTREAM_ALLOW_LOOPBACK": "true",
            "PROXY_UPSTREAM_ALLOW_PRIVATE_HOSTS": "127.0.0.1",
        }
        return Launch(command=command, environment=variables)
