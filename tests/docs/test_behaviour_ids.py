"""Every behaviour that was promised under an id has a test that carries it."""

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
PROMISED = {"ath": 12, "gop": 12, "lease": 7, "mut": 15, "mir": 10, "w": 20, "z": 17}
_NAME = re.compile(r"def (test_\w+)\(")
_ID = re.compile(r"(?<=_)(ath|gop|lease|mut|mir|w|z)_(\d\d(?:_and_\d\d(?=_|\b))*)")


def _carried() -> set[str]:
    """As `mut_03`; a name may carry several: `ath_06_and_07`, `gop_08_and_ath_09`."""
    found = set()
    for file in TESTS.rglob("test_*.py"):
        for name in _NAME.findall(file.read_text()):
            for family, numbers in _ID.findall(name):
                found |= {f"{family}_{number}" for number in numbers.split("_and_")}
    return found


@pytest.mark.parametrize("family", PROMISED)
def test_every_id_is_in_the_name_of_a_test(family: str) -> None:
    promised = {f"{family}_{number:02}" for number in range(1, PROMISED[family] + 1)}
    assert sorted(promised - _carried()) == []
