"""Athens's download files in a running server, beside what Athens itself answers.

Athens could not be installed here, so what it answers is taken from its description (behaviours §1.4, which was read
from its source): a file that is stored is 200 whatever the mode; a miss is by the mode; `list` and `@latest` know no
modes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.fixture_golang import dated_go, escape
from tests.clients.registry import Registry
from tests.faults.served import Served

SAMPLES = Path(__file__).parent.parent / "policy" / "samples" / "athens"
REPOSITORY = """
[repositories.{name}]
ecosystem = "golang"
upstreams = ["{url}/"]
sumdb = "off"
mode = "{mode}"
redirect_status = 301
"""

DATE = "2024-05-01T10:00:00Z"
HIT, MISS = "Stored", "Absent"
"""Modules below each prefix. Go sends their capital as `%21` and a small letter."""
PREFIXES = ("github.com/gomods", "golang.org/x", "github.com/pkg", "git.example/a")
LISTS = ("@v/list", "@latest")
FILES = ("@v/v1.0.0.info", "@v/v1.0.0.mod", "@v/v1.0.0.zip")

PROXY, CENTER, MIRROR = "https://proxy.example", "https://center.example", "https://mirror.example"
MISSED = {"sync": 200, "async": 404, "redirect": 301, "async_redirect": 301, "none": 404}
"""By mode, what a miss gets. Files get it in Athens too. Lists get it here only, and on purpose: Athens asks upstream
for them whatever the mode says (its issues 1774 and 1959)."""
SAID = {
    "documentation": (("sync", PROXY), ("none", PROXY), ("redirect", CENTER), ("async_redirect", PROXY)),
    "example": (("async_redirect", PROXY), ("none", PROXY), ("redirect", CENTER), ("sync", PROXY)),
    "chart": (("async_redirect", PROXY),) * 4,
    "package": (("redirect", PROXY),) * 4,
    "mirror": (
        ("sync", f"{MIRROR}/goproxy"),
        ("async_redirect", f"{MIRROR}/goproxy"),
        ("sync", f"{MIRROR}/goproxy"),
        ("async", f"{MIRROR}/goproxy"),
    ),
    "organisation": (("sync", PROXY), *(("redirect", PROXY),) * 3),
    "private": (*(("sync", MIRROR),) * 3, ("async_redirect", MIRROR)),
}
"""Per sample: mode and target of each prefix."""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """With half of the modules stored in every repository while it fetched, and the samples after that."""
    directory = tmp_path_factory.mktemp("athens")
    modules = {f"{prefix}/{name}": {"v1.0.0": DATE} for prefix in PREFIXES for name in (HIT, MISS)}
    with Registry(decoded=True, files=dated_go(modules)) as registry:
        with Served(directory, _config(registry.url, dict.fromkeys(SAID, "sync"))) as stocking:
            for name in SAID:
                for prefix in PREFIXES:
                    found = _statuses(stocking, name, f"{prefix}/{HIT}")
                    assert set(found.values()) == {(200, "")}, found
        for name in SAID:
            (directory / f"{name}.hcl").write_bytes((SAMPLES / f"{name}.hcl").read_bytes())
        files = {name: f"file:{name}.hcl" for name in SAID}
        with Served(directory, _config(registry.url, files)) as judged:
            yield judged


def _config(url: str, modes: dict[str, str]) -> str:
    repositories = [REPOSITORY.format(name=name, url=url, mode=mode) for name, mode in modes.items()]
    return "".join(['[server]\naccess_log = "off"\n', *repositories])


def _statuses(served: Served, repository: str, module: str) -> dict[str, tuple[int, str]]:
    """By path below the repository: status and Location."""
    found = {}
    for end in (*LISTS, *FILES):
        path = _path(module, end)
        got = served.get(f"/{repository}/{path}")
        found[path] = got.status, got.headers.get("location")
    return found


def _path(module: str, end: str) -> str:
    return f"{escape(module).replace('!', '%21')}/{end}"


@pytest.mark.parametrize("name", SAID)
def test_ath_01_what_is_stored_is_served_whatever_an_athens_file_says_as_athens_does(served: Served, name: str) -> None:
    found = {path: told for prefix in PREFIXES for path, told in _statuses(served, name, f"{prefix}/{HIT}").items()}
    assert found == dict.fromkeys(found, (200, ""))
    assert len(found) == len(PREFIXES) * 5


@pytest.mark.parametrize("name", SAID)
def test_ath_01_and_02_a_miss_is_answered_as_athens_answers_it_and_lists_by_the_mode_too(
    served: Served, name: str
) -> None:
    found: dict[str, tuple[int, str]] = {}
    expected = {}
    for prefix, (mode, target) in zip(PREFIXES, SAID[name], strict=True):
        found |= _statuses(served, name, f"{prefix}/{MISS}")
        for end in (*LISTS, *FILES):
            path, status = _path(f"{prefix}/{MISS}", end), MISSED[mode]
            # Athens writes %21 where we write its other spelling; a module proxy takes both.
            expected[path] = status, f"{target}/{path.replace('%21', '!')}" if status == 301 else ""
    assert found == expected
