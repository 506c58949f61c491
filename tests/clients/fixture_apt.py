"""A small Debian archive, made by apt-ftparchive and signed by gpg, and machines that apt runs on without root."""

import gzip
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.clients.registry import Files
from tests.clients.room import SEARCHED, ClientFailed

NEEDED = ("apt-get", "apt-ftparchive", "dpkg-deb", "gpg", "xz")
ARCH = "amd64"
_BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
_TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Signer:
    """A key of a test's own."""

    home: Path

    @property
    def keyring(self) -> Path:
        return self.home / "archive.gpg"

    def sign(self, how: str, source: Path, target: Path) -> None:
        target.unlink(missing_ok=True)
        self.gpg("--armor", how, "--output", str(target), str(source))

    def gpg(self, *arguments: str) -> None:
        _run(["gpg", "--homedir", str(self.home), "--batch", "--quiet", "--pinentry-mode", "loopback", *arguments])


@contextmanager
def new_signer() -> Iterator[Signer]:
    # The path of an agent's socket must be short.
    with tempfile.TemporaryDirectory(prefix="gpg", dir="/tmp") as place:
        signer = Signer(Path(place))
        signer.home.chmod(0o700)
        try:
            signer.gpg(
                "--passphrase", "", "--quick-generate-key", "Archive <archive@deb.example>", "ed25519", "sign", "0"
            )
            signer.gpg("--output", str(signer.keyring), "--export")
            yield signer
        finally:
            subprocess.run(["gpgconf", "--homedir", place, "--kill", "all"], check=False, capture_output=True)


@dataclass(slots=True)
class Archive:
    """Packages, and the indexes that were made of them last. `directory` must be new."""

    directory: Path
    signer: Signer
    prefix: str = "/debian/"
    """The path of the archive from the root of its server."""
    by_hash: bool = True
    flat: bool = False
    inline: bool = True
    """Whether there is an InRelease; else Release and Release.gpg."""
    packer: str = "xz"
    """The program that compresses indexes."""
    fields: dict[str, str] = field(default_factory=dict)
    """Further fields of the Release."""
    patches: bool = False
    """Whether editions come with the differences to those before."""
    editions: int = 0
    _kept: Files = field(default_factory=dict)
    """By-hash files of earlier editions."""
    _patched: dict[str, list[str]] = field(default_factory=dict)

    @property
    def root(self) -> Path:
        return self.directory / "archive"

    @property
    def suite(self) -> Path:
        return self.root if self.flat else self.root / "dists" / "stable"

    @property
    def index_folder(self) -> Path:
        return self.suite if self.flat else self.suite / "main" / f"binary-{ARCH}"

    def publish(self, name: str, version: str, *, size: int = 100, **relations: str) -> str:
        """A package; `relations` are control fields (`depends="other (>= 1)"`). Its path from the server's root."""
        made = self.directory / "build" / f"{name}_{version}"
        (made / "DEBIAN").mkdir(parents=True)
        more = "".join(f"{key.replace('_', '-').title()}: {value}\n" for key, value in relations.items())
        (made / "DEBIAN" / "control").write_text(
            f"Package: {name}\nVersion: {version}\nArchitecture: {ARCH}\nMaintainer: nobody <no@deb.example>\n"
            f"{more}Description: for tests\n"
        )
        told = made / "usr" / "share" / name
        told.mkdir(parents=True)
        (told / "told").write_bytes(hashlib.sha512(f"{name} {version}".encode()).digest() * (size // 64 + 1))
        pool = self.root if self.flat else self.root / "pool" / "main" / name[0] / name
        pool.mkdir(parents=True, exist_ok=True)
        file = pool / f"{name}_{version.partition(':')[2] or version}_{ARCH}.deb"
        _run(["dpkg-deb", "--root-owner-group", "-Znone", "--build", str(made), str(file)])
        shutil.rmtree(made)
        return f"{self.prefix}{file.relative_to(self.root)}"

    def index(self) -> None:
        """Make and sign the indexes anew."""
        self.editions += 1
        self.index_folder.mkdir(parents=True, exist_ok=True)
        pool = "." if self.flat else "pool"
        packages = _run(["apt-ftparchive", "packages", pool], cwd=self.root)
        plain = self.index_folder / "Packages"
        self.patch(plain, packages)
        plain.write_bytes(packages)
        _run([self.packer, "--keep", "--force", "-1", str(plain)])
        self._translate()
        self.list_sources()
        for name in ("Release", "InRelease", "Release.gpg"):
            (self.suite / name).unlink(missing_ok=True)
        told = {"Origin": "Tests", "Suite": "stable", "Codename": "stable", "Architectures": ARCH, "Components": "main"}
        told |= {"Acquire-By-Hash": "yes"} if self.by_hash else {}
        options = [f"-oAPT::FTPArchive::Release::{key}={value}" for key, value in told.items()]
        release = _run(["apt-ftparchive", *options, "release", str(self.suite)]).decode()
        more = "".join(f"{key}: {value}\n" for key, value in self.fields.items())
        (self.suite / "Release").write_text(f"{more}{release}")
        if self.inline:
            self.signer.sign("--clear-sign", self.suite / "Release", self.suite / "InRelease")
        else:
            self.signer.sign("--detach-sign", self.suite / "Release", self.suite / "Release.gpg")

    def patch(self, plain: Path, packages: bytes) -> None:
        """With `patches`, tell how the index before becomes the next one (Packages.diff)."""
        if not self.patches or not plain.exists():
            return
        folder = plain.with_suffix(".diff")
        folder.mkdir(exist_ok=True)
        new = folder / "new"
        new.write_bytes(packages)
        name = f"2026-01-01-{self.editions:04}.00"
        patch = subprocess.run(["diff", "--ed", str(plain), str(new)], capture_output=True, check=False).stdout
        new.unlink()
        (folder / f"{name}.gz").write_bytes(packed := gzip.compress(patch, mtime=0))
        files = (("History", plain.read_bytes(), name), ("Patches", patch, name), ("Download", packed, f"{name}.gz"))
        for kind, body, told in files:
            self._patched.setdefault(kind, []).append(f" {hashlib.sha256(body).hexdigest()} {len(body)} {told}\n")
        lists = "".join(f"SHA256-{kind}:\n{''.join(lines)}" for kind, lines in self._patched.items())
        current = f"SHA256-Current: {hashlib.sha256(packages).hexdigest()} {len(packages)}\n"
        (folder / "Index").write_text(current + lists)

    def list_sources(self) -> None:
        if not any(self.root.rglob("*.dsc")):
            return
        folder = self.suite if self.flat else self.suite / "main" / "source"
        folder.mkdir(parents=True, exist_ok=True)
        sources = _run(["apt-ftparchive", "sources", "." if self.flat else "pool"], cwd=self.root)
        (folder / "Sources").write_bytes(sources)
        _run([self.packer, "--keep", "--force", "-1", str(folder / "Sources")])

    def publish_source(self, name: str, version: str) -> str:
        """A source package without content. The path of its .dsc from the server's root."""
        pool = self.root if self.flat else self.root / "pool" / "main" / name[0] / name
        pool.mkdir(parents=True, exist_ok=True)
        upstream = version.rpartition("-")[0]
        files = {f"{name}_{upstream}.orig.tar.xz": b"original", f"{name}_{version}.debian.tar.xz": b"debian"}
        for file, body in files.items():
            (pool / file).write_bytes(body * 100)
        lists = ""
        for told, algorithm in (("Files", "md5"), ("Checksums-Sha256", "sha256")):
            lists += f"{told}:\n"
            for file in files:
                body = (pool / file).read_bytes()
                lists += f" {hashlib.new(algorithm, body).hexdigest()} {len(body)} {file}\n"
        dsc = pool / f"{name}_{version}.dsc"
        dsc.write_text(
            f"Format: 3.0 (quilt)\nSource: {name}\nBinary: {name}\nArchitecture: any\nVersion: {version}\n"
            f"Maintainer: nobody <no@deb.example>\nStandards-Version: 4.6.0\n{lists}"
        )
        return f"{self.prefix}{dsc.relative_to(self.root)}"

    def _translate(self) -> None:
        if not self.flat:
            folder = self.suite / "main" / "i18n"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "Translation-en").write_text(f"Package: none\nDescription-en: of edition {self.editions}\n")

    @property
    def files(self) -> Files:
        """What a server has now, by path; by-hash files of earlier editions, too."""
        found: Files = {}
        for path in sorted(self.root.rglob("*")):
            if path.is_file() and not (not self.inline and path.name == "InRelease"):
                name = f"{self.prefix}{path.relative_to(self.root).as_posix()}"
                body = path.read_bytes()
                found[name] = "application/octet-stream", body
                if self.by_hash and path.suffix != ".deb":
                    digest = hashlib.sha512(body).hexdigest()
                    place = name.rpartition("/")[0]
                    self._kept[f"{place}/by-hash/SHA512/{digest}"] = "application/octet-stream", body
        return found | self._kept

    @property
    def modified(self) -> dict[str, str]:
        """Last-Modified of everything, one hour later with each edition: apt tells editions apart by it."""
        moment = _BEGAN + timedelta(hours=self.editions)
        return dict.fromkeys(self.files, moment.strftime("%a, %d %b %Y %H:%M:%S GMT"))


@dataclass(frozen=True, slots=True)
class Machine:
    """Where apt runs: a root of its own in `directory`, which must be new."""

    directory: Path
    sources: str
    """Of its sources.list."""
    further: str = ""
    """Of `-o`, as `Name=value`."""
    environment: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for folder in ("etc/apt", "state/lists/partial", "cache/archives/partial", "log", "dpkg"):
            (self.directory / folder).mkdir(parents=True)
        (self.directory / "dpkg/status").write_text("")
        (self.directory / "etc/apt/sources.list").write_text(self.sources)

    @property
    def options(self) -> list[str]:
        place = self.directory
        told = {
            "Dir": f"{place}/",
            "Dir::State": f"{place}/state",
            "Dir::State::status": f"{place}/dpkg/status",
            "Dir::Cache": f"{place}/cache",
            "Dir::Log": f"{place}/log",
            "Dir::Etc": f"{place}/etc/apt",
            "Dir::Etc::parts": "-",
            "Dir::Etc::sourceparts": "-",
            "Dir::Etc::trustedparts": "-",
            "Dir::Bin::methods": "/usr/lib/apt/methods",
            "APT::Architecture": ARCH,
            "APT::Architectures": ARCH,
            "APT::Sandbox::User": "",
            "Acquire::Languages": "en",
            "Acquire::Retries": "0",
            "Debug::NoLocking": "true",
        }
        return [*(f"-o{key}={value}" for key, value in told.items()), *([f"-o{self.further}"] if self.further else [])]

    def run(self, *command: str, wrapper: Sequence[str] = ()) -> str:
        """What apt prints. `wrapper`: a command that runs it. Raises ClientFailed, also for what apt only warns of."""
        environment = {"PATH": SEARCHED, "LANG": "C.UTF-8", "HOME": str(self.directory), **self.environment}
        done = subprocess.run(
            [*wrapper, command[0], *self.options, *command[1:]],
            cwd=self.directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
        if done.returncode or "\nE:" in done.stdout or "\nErr:" in done.stdout or "\nW: Failed" in done.stdout:
            raise ClientFailed(f"{' '.join(command)}: {done.returncode}\n{done.stdout}")
        return done.stdout

    def update(self, wrapper: Sequence[str] = ()) -> str:
        return self.run("apt-get", "update", wrapper=wrapper)

    def install(self, *packages: str, wrapper: Sequence[str] = ()) -> dict[str, str]:
        """Fetch them and what they need, as an installation does: file names to sha256."""
        self.run("apt-get", "install", "--yes", "--download-only", *packages, wrapper=wrapper)
        return {path.name: _sha256(path) for path in sorted((self.directory / "cache/archives").glob("*.deb"))}

    def add_sources(self) -> None:
        """Source packages of the same archive, too."""
        lines = f"{self.sources}{self.sources.replace('deb ', 'deb-src ', 1)}"
        (self.directory / "etc/apt/sources.list").write_text(lines)

    def forget_packages(self) -> None:
        for path in (self.directory / "cache/archives").glob("*.deb"):
            path.unlink()


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _run(command: list[str], cwd: Path | None = None) -> bytes:
    environment = {**os.environ, "LANG": "C.UTF-8"}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.decode(errors='replace')}")
    return done.stdout
