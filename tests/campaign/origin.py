"""The rogue origin in a process of its own, so that its work is not ours."""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Sequence
from typing import Self


class Origin:
    """A context manager. `pages` and `faults` as `python -m tests.rogue` takes them."""

    def __init__(self, pages: Sequence[str], faults: Sequence[str] = ()) -> None:
        command = [sys.executable, "-m", "tests.rogue"]
        for name, texts in (("--page", pages), ("--fault", faults)):
            for text in texts:
                command += [name, text]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.base = self._process.stdout.readline().strip()
        if not self.base:
            raise RuntimeError("the origin did not start")

    def report(self) -> dict[str, dict[str, int]]:
        """Requests, ranges and bytes sent, by path."""
        with urllib.request.urlopen(f"{self.base}/-/stats") as response:
            found: dict[str, dict[str, int]] = json.load(response)
            return found

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.communicate()
