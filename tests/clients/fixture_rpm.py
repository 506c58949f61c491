"""A small RPM repository, made by rpmbuild and createrepo_c: what a static server must answer, by path."""

import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

Files = dict[str, tuple[str, bytes]]

MIME = {".rpm": "application/x-rpm", ".xml": "text/xml", ".asc": "text/plain"}
_SPEC = """Name: {name}
Version: {version}
Release: {release}
{epoch}Summary: For tests
License: MIT
BuildArch: noarch
{relations}
%description
For tests.
%install
mkdir -p %{{buildroot}}/usr/share/{name}
echo {name} {version} > %{{buildroot}}/usr/share/{name}/told
%files
/usr/share/{name}/told
"""


@dataclass(slots=True)
class Tree:
    """Packages, and the metadata that was made of them last. `directory` must be new; `prefix` is the path of the
    repository from the root of its server, with slashes at both ends."""

    directory: Path
    prefix: str = "/fedora/40/os/"
    options: tuple[str, ...] = ()
    """Further ones of createrepo_c."""
    _specs: int = 0

    @property
    def root(self) -> Path:
        return self.directory / "repository"

    def publish(
        self,
        name: str,
        version: str,
        *relations: str,
        release: str = "1",
        epoch: int = 0,
    ) -> str:
        """`relations` are lines of a spec file. The path of the package from the server's root."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self._specs += 1
        spec = self.directory / f"{self._specs}.spec"
        tag = f"Epoch: {epoch}\n" if epoch else ""
        spec.write_text(
            _SPEC.format(name=name, version=version, release=release, epoch=tag, relations="\n".join(relations))
        )
        packages = self.root / "Packages"
        build = ["rpmbuild", "--quiet", "-bb", str(spec), "--define", f"_topdir {self.directory / 'build'}"]
        flat = "_rpmfilename %{NAME}-%{VERSION}-%{RELEASE}.%{ARCH}.rpm"
        _run([*build, "--define", f"_rpmdir {packages}", "--define", flat])
        return f"{self.prefix}Packages/{name}-{version}-{release}.noarch.rpm"

    def index(self, *options: str) -> None:
        """Make the metadata anew; that of before is gone."""
        shutil.rmtree(self.root / "repodata", ignore_errors=True)
        _run(["createrepo_c", "--quiet", "--no-database", *self.options, *options, str(self.root)])

    def copy(self, directory: Path, prefix: str = "") -> "Tree":
        """Another that begins as this one is."""
        shutil.copytree(self.root, directory / "repository")
        return replace(self, directory=directory, prefix=prefix or self.prefix)

    @property
    def files(self) -> Files:
        return {
            f"{self.prefix}{path.relative_to(self.root).as_posix()}": (
                MIME.get(path.suffix, "application/octet-stream"),
                path.read_bytes(),
            )
            for path in self.root.rglob("*")
            if path.is_file()
        }

    def named(self, kind: str) -> str:
        """The path from the server's root of the one file whose name ends in this, or has it before a dot."""
        (path,) = [path for path in self.files if path.endswith(kind) or f"{kind}." in path]
        return path


def rpm_repository(directory: Path, options: Iterable[str] = ()) -> Tree:
    """In `/fedora/40/os/`:

    - `hello` 1.0-1 and 1.1-1; needs `world` of at least 1 and /usr/share/old/told, and recommends `extra`
    - `world` 2.0-3 with epoch 1, `extra` 1-1, `alone` 1~rc1-1 and 1-1
    - `old` 0.5-1, which says that it provides /usr/share/old/told
    """
    tree = Tree(directory, options=tuple(options))
    for version in ("1.0", "1.1"):
        tree.publish("hello", version, "Requires: world >= 1:1", "Requires: /usr/share/old/told", "Recommends: extra")
    tree.publish("world", "2.0", release="3", epoch=1)
    tree.publish("extra", "1")
    tree.publish("old", "0.5", "Provides: /usr/share/old/told")
    for version in ("1~rc1", "1"):
        tree.publish("alone", version)
    tree.index()
    return tree


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.returncode}\n{done.stdout}\n{done.stderr}")
