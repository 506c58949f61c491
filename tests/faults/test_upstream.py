"""Every upstream fault of promises §2, in the situations in which it can meet a client."""

from collections.abc import Iterator

import pytest

from tests.faults.cases import CASES, Case
from tests.faults.stand import Stand
from tests.faults.trial import Cell, Trial, origins_for

PATIENCE = 0.5
EVERY_CASE = pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    plain = sum(origins_for(case) for case in CASES if not case.tls)
    tls = sum(origins_for(case) for case in CASES if case.tls)
    with Stand(tmp_path_factory.mktemp("stand"), plain=plain, tls=tls, patience=PATIENCE) as stand:
        yield stand


@pytest.fixture(scope="module")
def trials(stand: Stand) -> dict[str, Trial]:
    return {case.name: Trial(stand, case) for case in CASES}


def _accept(cell: Cell) -> None:
    assert (cell.wrong, cell.lies, cell.complaints) == (0, 0, [])


@EVERY_CASE
def test_what_is_not_stored_fails_clearly_or_comes_right(trials: dict[str, Trial], case: Case) -> None:
    _accept(trials[case.name].cold_artifact())


@EVERY_CASE
def test_what_is_stored_is_served_without_contact(trials: dict[str, Trial], case: Case) -> None:
    _accept(trials[case.name].warm_artifact())


@EVERY_CASE
def test_a_fresh_index_is_served_without_contact(trials: dict[str, Trial], case: Case) -> None:
    _accept(trials[case.name].fresh_index())


@EVERY_CASE
def test_a_stale_index_is_served_marked_or_renewed(trials: dict[str, Trial], case: Case) -> None:
    _accept(trials[case.name].stale_index())
