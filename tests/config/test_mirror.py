"""Schedules in the configuration are checked when it is read, with file and line."""

from pathlib import Path

import pytest

from entrepot.config.load import load
from entrepot.errors import ConfigError
from tests.config.shelf import ECOSYSTEMS

REPOSITORY = '[repositories.npm]\necosystem = "npm"\n'
START = '[[mirror]]\nname = "nightly"\npurls = ["pkg:npm/left-pad"]\n'


def complaint_about(text: str, directory: Path) -> str:
    file = directory / "entrepot.toml"
    file.write_text(REPOSITORY + text)
    with pytest.raises(ConfigError) as caught:
        load(file, {}, {}, ECOSYSTEMS)
    return str(caught.value).replace(str(file), "FILE")


@pytest.mark.parametrize(
    ("text", "line", "complaint"),
    [
        (START, 3, "it needs one of every and cron"),
        (START + 'every = "1d"\ncron = "0 3 * * *"\n', 3, "it needs one of every and cron"),
        (START + 'every = "5s"\n', 3, "every is shorter than a minute"),
        (START + 'cron = "0 3 * *"\n', 6, "it has not five fields"),
        (START + 'cron = "0 99 * * *"\n', 6, "is no time in cron's words"),
        (START + 'cron = "0 0 31 2 *"\n', 6, "is no time in cron's words"),
        (START + 'every = "1d"\nrepositories = ["nmp"]\n', 7, "'nmp' is no repository; there are: npm"),
        (START + 'every = "1d"\ntrees = ["npm/folder"]\n', 7, "'npm/folder' is no directory of ours"),
        (START + 'every = "1d"\nplatforms = ["linux/z80"]\n', 7, "'linux/z80' is no platform"),
        (START + 'every = "1d"\nlatest = 0\n', 7, "greater than or equal to 1"),
        (START + 'every = "1d"\ncrom = "x"\n', 7, "unknown key; did you mean 'cron'?"),
        ('[[mirror]]\nname = "a"\nevery = "1d"\n', 3, "it mirrors nothing"),
        ('[[mirror]]\nname = "a"\npurls = ["left-pad"]\nevery = "1d"\n', 5, "is no package URL"),
        ((START + 'every = "1d"\n') * 2, 4, "is the name of two schedules"),
        ("[mirroring]\njobs = 0\n", 4, "greater than or equal to 1"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_what_to_do(tmp_path: Path, text: str, line: int, complaint: str) -> None:
    told = complaint_about(text, tmp_path)
    assert told.startswith(f"FILE:{line}: ")
    assert complaint in told


def test_a_schedule_that_is_right_is_read(tmp_path: Path) -> None:
    file = tmp_path / "entrepot.toml"
    file.write_text(REPOSITORY + START + 'cron = "0 3 * * *"\njitter = "10m"\n')
    (schedule,) = load(file, {}, {}, ECOSYSTEMS).settings.mirror
    assert (schedule.name, schedule.cron, schedule.jitter) == ("nightly", "0 3 * * *", 600.0)
