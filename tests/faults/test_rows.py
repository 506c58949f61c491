"""Upstream faults that are more than a bad answer."""

from collections.abc import Callable, Iterator

import pytest

from tests.faults.rows import LARGE, ORIGINS, ROWS, Situations
from tests.faults.stand import Stand


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    with Stand(tmp_path_factory.mktemp("rows"), plain=ORIGINS, cap=LARGE) as stand:
        yield stand


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_whatever_upstream_does_nothing_wrong_is_served(stand: Stand, row: Callable[[Stand], Situations]) -> None:
    for situation, cell in row(stand).items():
        assert (cell.wrong, cell.lies, cell.complaints) == (0, 0, []), situation
