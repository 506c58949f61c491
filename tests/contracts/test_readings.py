"""Every Readings remembers for a while what each reader was given."""

from collections.abc import Callable
from pathlib import Path

import pytest

from entrepot.cache.solo import SoloReadings
from entrepot.contracts.board import Readings
from entrepot.storage.readings import FileReadings


@pytest.fixture(params=["solo", "file"])
def readings(request: pytest.FixtureRequest, tmp_path: Path) -> Readings:
    makers: dict[str, Callable[[], Readings]] = {"solo": SoloReadings, "file": lambda: FileReadings(tmp_path / "r")}
    return makers[request.param]()


def test_the_last_note_of_a_reader_is_found_until_its_end(readings: Readings) -> None:
    readings.note("a", 1, 100.0)
    readings.note("a", 2, 110.0)
    assert readings.find("a", 109.0) == (2, 110.0)
    assert readings.find("a", 110.0) is None


def test_nothing_is_found_of_who_was_not_noted(readings: Readings) -> None:
    readings.note("a", 1, 100.0)
    assert readings.find("b", 0.0) is None


def test_each_of_many_readers_has_its_own(readings: Readings) -> None:
    for number in range(5000):
        readings.note(f"reader {number}", number, 100.0 + number)
    found = [readings.find(f"reader {number}", 0.0) for number in range(5000)]
    assert found == [(number, 100.0 + number) for number in range(5000)]


def test_readers_push_out_those_that_ended_first(tmp_path: Path) -> None:
    readings = FileReadings(tmp_path / "r")
    for number in range(100_000):
        readings.note(f"reader {number}", number, float(number))
    assert all(readings.find(f"reader {number}", 0.0) for number in range(95_000, 100_000))


def test_in_memory_the_oldest_is_forgotten_first() -> None:
    readings = SoloReadings(most=2)
    for name in "abc":
        readings.note(name, 1, 100.0)
    assert [readings.find(name, 0.0) is not None for name in "abc"] == [False, True, True]


def test_all_processes_of_a_server_share_a_file(tmp_path: Path) -> None:
    one, other = FileReadings(tmp_path / "r"), FileReadings(tmp_path / "r")
    one.note("a", 7, 100.0)
    assert other.find("a", 0.0) == (7, 100.0)


def test_what_was_half_written_is_not_believed(tmp_path: Path) -> None:
    readings = FileReadings(tmp_path / "r")
    readings.note("a", 7, 100.0)
    body = (tmp_path / "r").read_bytes()
    at = next(index for index, byte in enumerate(body) if byte)
    with (tmp_path / "r").open("r+b") as file:
        file.seek(at + 16)
        file.write(b"\x08")
    assert readings.find("a", 0.0) is None
