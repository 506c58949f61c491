"""Where clients live: a network namespace with one neighbour, Entrepot, and no way to anywhere else."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.live.trap import ADDRESS

NAME_SERVER = f"nameserver {ADDRESS}\noptions timeout:1 attempts:1\n"


class CannotIsolateError(Exception):
    """This machine, or this user, cannot make network namespaces; the text says why."""


class Namespace:
    """A namespace joined to ours by a pair of virtual cables, without a default route. Its name lookups reach a trap
    that writes them down and knows no name; packets to other addresses are counted by its kernel as unroutable."""

    def __init__(self) -> None:
        self._name = f"entrepot-{os.getpid()}"
        third = os.getpid() % 250
        self.outside, self.inside = f"10.213.{third}.1", f"10.213.{third}.2"
        self._cable = f"ent{os.getpid()}"[:13]
        self._etc = Path("/etc/netns") / self._name
        self._lookups = Path(tempfile.mkdtemp(prefix="entrepot-trap-")) / "lookups"

    def __enter__(self) -> Self:
        if os.geteuid() != 0:
            raise CannotIsolateError("network namespaces need root: run `make live` as root")
        if shutil.which("ip") is None:
            raise CannotIsolateError("network namespaces need the command `ip`: install iproute2")
        try:
            self._build()
        except subprocess.CalledProcessError as error:
            self._remove()
            raise CannotIsolateError(f"{' '.join(error.cmd)}: {error.stderr.strip()}") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._trap.terminate()
        self._trap.wait()
        self._remove()

    def _build(self) -> None:
        # `ip netns exec` shows a namespace's own resolv.conf as /etc/resolv.conf.
        self._etc.mkdir(parents=True)
        (self._etc / "resolv.conf").write_text(NAME_SERVER)
        (self._etc / "nsswitch.conf").write_text("hosts: files dns\n")
        _ip("netns", "add", self._name)
        _ip("link", "add", self._cable, "type", "veth", "peer", "name", "eth0", "netns", self._name)
        _ip("addr", "add", f"{self.outside}/30", "dev", self._cable)
        _ip("link", "set", self._cable, "up")
        for arguments in (
            ("addr", "add", f"{self.inside}/30", "dev", "eth0"),
            ("link", "set", "eth0", "up"),
            ("link", "set", "lo", "up"),
        ):
            _ip("-n", self._name, *arguments)
        command = [sys.executable, "-m", "tests.live.trap", str(self._lookups)]
        self._trap = subprocess.Popen(self.entered(command), stdout=subprocess.PIPE, text=True)
        assert self._trap.stdout is not None
        self._trap.stdout.readline()

    def _remove(self) -> None:
        subprocess.run(["ip", "netns", "del", self._name], capture_output=True, check=False)
        subprocess.run(["ip", "link", "del", self._cable], capture_output=True, check=False)
        shutil.rmtree(self._etc, ignore_errors=True)
        shutil.rmtree(self._lookups.parent, ignore_errors=True)

    def entered(self, command: Sequence[str]) -> list[str]:
        """A command as it is run inside."""
        return ["ip", "netns", "exec", self._name, *command]

    def run(
        self, command: Sequence[str], *, cwd: Path, environment: Mapping[str, str], timeout: float
    ) -> subprocess.CompletedProcess[str]:
        """A client's command, inside. `timeout` in seconds; its expiry reads like a failure."""
        try:
            return subprocess.run(
                self.entered(command),
                cwd=cwd,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired as late:
            text = (late.stdout or b"").decode(errors="replace")
            return subprocess.CompletedProcess(command, 124, f"{text}\nnot done after {timeout:.0f} s")

    # --- what would have bypassed us --------------------------------------------------------------------------------

    def routes(self) -> list[str]:
        """Every way out of the namespace; a sound one has its own cable only."""
        return _ip("-n", self._name, "route", "show").splitlines()

    def unroutable(self) -> int:
        """Packets to other addresses that the namespace's kernel had nowhere to send (RFC 4293: OutNoRoutes,
        both versions of IP)."""
        files = ("/proc/net/snmp", "/proc/net/snmp6")
        text = "\n".join(
            subprocess.run(self.entered(["cat", file]), capture_output=True, text=True, check=False).stdout
            for file in files
        )
        return sum(_counts(text))

    def lookups(self) -> list[str]:
        """The names that clients asked a name server for, in order."""
        return self._lookups.read_text().splitlines() if self._lookups.exists() else []

    def is_sealed(self) -> bool:
        """Whether a connection to a public address fails for want of a route, and so is noticed in `unroutable`."""
        probe = "import socket; socket.create_connection(('192.0.2.1', 443), 3)"
        before = self.unroutable()
        done = subprocess.run(self.entered([sys.executable, "-c", probe]), capture_output=True, text=True, check=False)
        return "unreachable" in done.stderr and self.unroutable() > before


def _counts(text: str) -> list[int]:
    """`OutNoRoutes` of /proc/net/snmp (a line of names, a line of values) and `Ip6OutNoRoutes` of snmp6."""
    found, names = [], []
    for line in text.splitlines():
        words = line.split()
        if words[:1] == ["Ip6OutNoRoutes"]:
            found.append(int(words[1]))
        elif words[:1] == ["Ip:"] and "OutNoRoutes" in words:
            names = words
        elif words[:1] == ["Ip:"] and names:
            found.append(int(words[names.index("OutNoRoutes")]))
    return found


def _ip(*arguments: str) -> str:
    return subprocess.run(["ip", *arguments], capture_output=True, text=True, check=True).stdout


def free_port(address: str) -> int:
    with socket.socket() as probe:
        probe.bind((address, 0))
        port: int = probe.getsockname()[1]
        return port
