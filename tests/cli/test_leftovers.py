"""Lock files that name the address of a run."""

import os
from pathlib import Path

import pytest

from entrepot.cli.leftovers import find_leftovers
from entrepot.contracts.ecosystem import Lockfile

KNOWN = (Lockfile(name="x.lock", remedy="remove it"), Lockfile(name="req*.txt", remedy="write it again"))
NOW = 1_800_000_000.0


def write(path: Path, text: str = "see http://127.0.0.1:1/~abc/one/", at: float = NOW) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (at, at))


def found(top: Path) -> list[str]:
    return find_leftovers(top, "~abc", KNOWN, since=NOW - 10)


def test_a_lock_file_that_names_us_is_told_with_the_remedy(tmp_path: Path) -> None:
    write(tmp_path / "x.lock")
    write(tmp_path / "service" / "req-dev.txt")
    assert found(tmp_path) == [
        "entrepot: x.lock names the address of this run",
        "  remove it",
        "entrepot: service/req-dev.txt names the address of this run",
        "  write it again",
    ]


def test_other_files_are_not(tmp_path: Path) -> None:
    write(tmp_path / "x.lock", text="see http://127.0.0.1:1/~abd/one/")
    write(tmp_path / "notes.txt")
    write(tmp_path / "service" / "x.lock", at=NOW - 100)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "x.lock").symlink_to("nowhere")
    assert found(tmp_path) == []


@pytest.mark.parametrize("directory", ["node_modules/left", ".git", ".venv/lib", "1/2/3/4/5/6/7"])
def test_directories_that_are_nobodys_own_and_the_very_deep_are_passed_over(tmp_path: Path, directory: str) -> None:
    write(tmp_path / directory / "x.lock")
    assert found(tmp_path) == []


def test_a_file_system_that_keeps_whole_seconds_hides_nothing(tmp_path: Path) -> None:
    write(tmp_path / "x.lock", at=NOW)
    assert find_leftovers(tmp_path, "~abc", KNOWN, since=NOW + 0.9)
