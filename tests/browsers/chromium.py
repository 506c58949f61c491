"""A real browser, started anew for each page, which tells what the page looked like when it had loaded."""

import html
import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

TIMEOUT_SECONDS = 40.0
_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
_RESULT = re.compile(r'data-result="([^"]*)"')


def missing() -> str:
    """Why no browser can be started here; empty: one can."""
    return "" if shutil.which("chromium") else "not installed here: chromium"


def visit(url: str, profile: Path, names: Mapping[str, int]) -> str:
    """The page's document after its load event, as HTML. `names`: hosts, and the loopback port that each is at."""
    rules = ", ".join(f"MAP {name}:80 127.0.0.1:{port}" for name, port in names.items())
    command = ("chromium", *_FLAGS, f"--user-data-dir={profile}", f"--host-resolver-rules={rules}", "--dump-dom", url)
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def result_of(document: str) -> dict[str, object]:
    """What the attack on a page told."""
    found = _RESULT.search(document)
    assert found, document[-2000:]
    result: dict[str, object] = json.loads(html.unescape(found[1]))
    return result
