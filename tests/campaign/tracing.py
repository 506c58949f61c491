"""strace on a running server: to see what it does, in which order, and to strike at a system call."""

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from tests.waiting import eventually

AVAILABLE = shutil.which("strace") is not None
_LINE = re.compile(r"(?P<tid>\d+) +(?P<call>\w+)\((?P<rest>.*)")
CALLS = "openat,write,pwrite64,fdatasync,fsync,rename,mkdir"
KILLED = "+++ killed by SIGKILL +++"


class Strace:
    """A context manager: attached to a process and all its threads."""

    def __init__(
        self, pid: int, output: Path, *, calls: str = CALLS, inject: str = "", paths: Sequence[Path] = ()
    ) -> None:
        """`inject`: what strace's `-e inject=` takes; counted for each thread. `paths`: only calls about these."""
        self._output = output
        command = ["strace", "-f", "-y", "-s", "0", "-o", str(output), "-e", f"trace={calls}"]
        for path in paths:
            command += ["-P", str(path)]
        if inject:
            command += ["-e", f"inject={inject}"]
        self._process = subprocess.Popen(
            [*command, "-p", str(pid)], stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
        )

    def __enter__(self) -> Self:
        # It says on standard error when it is attached.
        assert self._process.stderr is not None
        line = self._process.stderr.readline()
        if "attached" not in line:
            raise RuntimeError(f"strace cannot attach: {line.strip()}")
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()

    def struck(self, patience: float) -> bool:
        """Whether the traced process was killed by an injected signal, within so many seconds."""
        return eventually(lambda: KILLED in self._output.read_text(), patience)

    def lines(self) -> list[str]:
        return self._output.read_text().splitlines()


def victim_of(lines: Sequence[str]) -> str:
    """The call that was interrupted by a kill, shortened; empty when it is not to be seen."""
    for line in lines:
        found = _LINE.match(line)
        if found and (" = ?" in line or line.endswith("<unfinished ...>")):
            return f"{found['call']}({short(found['rest'])}"
    return ""


def short(text: str) -> str:
    """A traced call without the parts that differ from run to run."""
    text = re.sub(r"/[^\s\"<>]*/data/", "", text)
    text = re.sub(r"blobs/([0-9a-f]{2})/[0-9a-f]{62}", r"blobs/\1/…", text)
    return re.sub(r"incoming/\d+-[0-9a-f]+", "incoming/…", text)
