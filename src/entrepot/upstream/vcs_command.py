"""The go command, run where nothing of this machine or of an earlier question is in sight."""

import asyncio
import contextlib
import logging
import os
import shutil
import signal
import ssl
import tempfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from entrepot.errors import StoreFailure, TooBig, UpstreamFailure
from entrepot.model.netrc import netrc_text
from entrepot.upstream.vcs_settings import VcsSettings

LOOK_SECONDS = 0.5
"""Between two looks at how much a command has written."""
MAX_OUTPUT_BYTES = 16 << 20
"""Of what a command prints: the list of all versions of one module."""

# Nothing detaches itself, and nothing is asked of a person or of a program that keeps passwords.
_GIT_CONFIG = """\
[gc]
auto = 0
[maintenance]
auto = false
[credential]
helper =
"""
_FIXED = {
    "LC_ALL": "C",
    "GOPROXY": "direct",
    "GOSUMDB": "off",
    "GOVCS": "*:git",
    "GOTOOLCHAIN": "local",
    "GOFLAGS": "-modcacherw",
    "GOENV": "off",
    "GOWORK": "off",
    "GO111MODULE": "on",
    "GOTELEMETRY": "off",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_CONFIG_NOSYSTEM": "1",
    # The go command takes this for its own choice of protocols too. Neither ssh nor files: HOME has no keys.
    "GIT_ALLOW_PROTOCOL": "https",
    "GIT_HTTP_PROXY_AUTHMETHOD": "basic",
}
_log = logging.getLogger("entrepot")


@dataclass(frozen=True, slots=True, kw_only=True)
class Printed:
    code: int
    output: bytes
    words: str
    """What went to stderr."""


@dataclass(frozen=True, slots=True)
class Workplace:
    """A private directory in which commands are run, and their environment."""

    directory: Path
    go: str
    environment: Mapping[str, str]
    max_bytes: int

    async def run(self, *arguments: str) -> Printed:
        """Raises TooBig, and UpstreamFailure where the command cannot be started."""
        output, words = self.directory / "output", self.directory / "words"
        with output.open("w+b") as output_file, words.open("w+b") as words_file:
            try:
                process = await asyncio.create_subprocess_exec(
                    self.go,
                    *arguments,
                    cwd=self.directory,
                    env=self.environment,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=output_file,
                    stderr=words_file,
                    start_new_session=True,
                )
            except OSError as error:
                raise UpstreamFailure(f"{self.go} cannot be run: {error.strerror}") from error
            try:
                code = await self._watch(process)
            finally:
                # All of its session: git runs programs of its own.
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
            return Printed(code=code, output=_read(output), words=_read(words).decode(errors="replace"))

    async def _watch(self, process: asyncio.subprocess.Process) -> int:
        while True:
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    return await process.wait()
            except TimeoutError:
                if await asyncio.to_thread(size_of, self.directory) > self.max_bytes:
                    raise TooBig(f"the repository takes more than {self.max_bytes} bytes") from None


class GoCommand:
    """Makes workplaces for one upstream."""

    def __init__(self, settings: VcsSettings, directory: Path, search_path: str) -> None:
        """`directory` must be there. Raises ConfigError where the certificates cannot be read."""
        self._settings, self._directory, self._search_path = settings, directory, search_path
        self._certificates = _bundle(settings.ca_file)

    @contextlib.asynccontextmanager
    async def workplace(self, proxy: str) -> AsyncIterator[Workplace]:
        """Removed with everything in it afterwards. Raises StoreFailure."""
        try:
            directory = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=self._directory))
        except OSError as error:
            raise StoreFailure(f"{self._directory}: {error.strerror}") from error
        try:
            self._furnish(directory)
            go = shutil.which(self._settings.go_command, path=self._search_path) or self._settings.go_command
            yield Workplace(directory, go, self._environment(directory, proxy), self._settings.max_bytes)
        except OSError as error:
            raise StoreFailure(f"{directory}: {error.strerror}") from error
        finally:
            # Also when this is cancelled: the thread goes on.
            await asyncio.to_thread(remove, directory)

    def _furnish(self, directory: Path) -> None:
        home = directory / "home"
        for made in (home, directory / "tmp", directory / "mod"):
            made.mkdir()
        (directory / "go.mod").write_text("module entrepot.invalid/question\n")
        (home / ".gitconfig").write_text(_GIT_CONFIG)
        if self._settings.logins:
            netrc = home / ".netrc"
            netrc.touch(mode=0o600)
            netrc.write_text(netrc_text(self._settings.logins))
        if self._certificates:
            (home / "certificates.pem").write_bytes(self._certificates)

    def _environment(self, directory: Path, proxy: str) -> dict[str, str]:
        home = directory / "home"
        trusted = str(home / "certificates.pem")
        places = {
            "HOME": str(home),
            "TMPDIR": str(directory / "tmp"),
            "GOPATH": str(directory / "go"),
            "GOMODCACHE": str(directory / "mod"),
            "GOCACHE": str(directory / "cache"),
        }
        trust = {"SSL_CERT_FILE": trusted, "GIT_SSL_CAINFO": trusted} if self._certificates else {}
        return {**_FIXED, **places, **trust, "PATH": self._search_path, "HTTPS_PROXY": proxy, "https_proxy": proxy}


def _bundle(ca_file: str) -> bytes:
    """The system's certificates and those in the file, because programs take one file; nothing where none is named."""
    if not ca_file:
        return b""
    system = ssl.get_default_verify_paths().cafile
    return b"\n".join(Path(name).read_bytes() for name in (system, ca_file) if name and Path(name).exists())


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_OUTPUT_BYTES)


def size_of(directory: Path) -> int:
    """The bytes that a directory takes on the disk; what vanishes meanwhile takes none."""
    total = 0
    for place, _, names in os.walk(directory):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                total += os.lstat(os.path.join(place, name)).st_blocks * 512
    return total


def remove(directory: Path) -> None:
    """Also what the go command made read-only."""
    for place, _, _ in os.walk(directory):
        with contextlib.suppress(OSError):
            os.chmod(place, 0o700)
    shutil.rmtree(directory, ignore_errors=True)
    if directory.exists():
        _log.warning("%s could not be removed", directory)


def clear(directory: Path) -> None:
    """Make the directory, and remove what processes that are gone left in it."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for left in directory.iterdir():
        owner = left.name.partition("-")[0]
        if not owner.isdecimal() or int(owner) == os.getpid() or not _is_alive(int(owner)):
            remove(left)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
