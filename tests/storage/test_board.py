"""Who leads, who follows, and what is left of a leader that died. Two boards on one directory are two processes: the
kernel's lock belongs to the open file."""

import os
import signal
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

import pytest

from entrepot.contracts.board import Claim, Progress, Stage, Watch
from entrepot.errors import StoreFailure
from entrepot.storage.board import FileBoard, FileGeneration


@pytest.fixture
def boards(tmp_path: Path) -> tuple[FileBoard, FileBoard]:
    return FileBoard(tmp_path / "flights"), FileBoard(tmp_path / "flights")


def lead(board: FileBoard, key: str = "key") -> Claim:
    claim = board.claim(key)
    assert isinstance(claim, Claim)
    return claim


def follow(board: FileBoard, key: str = "key") -> Watch:
    watch = board.claim(key)
    assert isinstance(watch, Watch)
    assert not isinstance(watch, Claim)
    return watch


def test_the_first_leads_and_the_others_watch(boards: tuple[FileBoard, FileBoard]) -> None:
    first, second = boards
    claim = lead(first)
    watch = follow(second)
    assert first.shared()
    assert watch.look() == Progress(Stage.CLAIMED, 0, b"")
    claim.announce(b"what comes")
    assert watch.look() == Progress(Stage.ARRIVING, 0, b"what comes")
    claim.advance(10)
    assert watch.look() == Progress(Stage.ARRIVING, 10, b"")
    claim.whole(12)
    assert watch.look() == Progress(Stage.WHOLE, 12, b"")
    claim.end()
    assert watch.look() == Progress(Stage.DONE, 12, b"")
    watch.close()


def test_who_looks_late_is_told_the_announcement_too(boards: tuple[FileBoard, FileBoard]) -> None:
    claim, watch = lead(boards[0]), follow(boards[1])
    claim.announce(b"what comes")
    claim.whole(3)
    assert watch.look() == Progress(Stage.WHOLE, 3, b"what comes")
    watch.close()
    claim.end()


def test_a_failure_is_told_with_its_reason(boards: tuple[FileBoard, FileBoard]) -> None:
    claim, watch = lead(boards[0]), follow(boards[1])
    claim.announce(b"what comes")
    claim.end(b"why not")
    assert watch.look() == Progress(Stage.FAILED, 0, b"why not")
    watch.close()


def test_different_keys_have_different_leaders(boards: tuple[FileBoard, FileBoard]) -> None:
    claims = [lead(board, key) for board, key in zip(boards, ("one", "two"), strict=True)]
    for claim in claims:
        claim.end()


def test_after_the_end_the_next_claim_leads_and_leaves_nothing(
    boards: tuple[FileBoard, FileBoard], tmp_path: Path
) -> None:
    lead(boards[0]).end()
    lead(boards[1]).end()
    assert list((tmp_path / "flights").iterdir()) == []


def test_what_is_said_behind_the_end_is_not_heard(boards: tuple[FileBoard, FileBoard]) -> None:
    claim, watch = lead(boards[0]), follow(boards[1])
    claim.end(b"why not")
    claim.announce(b"?")
    claim.advance(5)
    claim.whole(5)
    claim.end()
    assert watch.look() == Progress(Stage.FAILED, 0, b"why not")
    watch.close()


def test_a_living_leader_is_not_abandoned(boards: tuple[FileBoard, FileBoard]) -> None:
    claim, watch = lead(boards[0]), follow(boards[1])
    assert not watch.abandoned()
    claim.end()
    watch.close()


def test_a_note_that_is_too_long_is_refused(boards: tuple[FileBoard, FileBoard]) -> None:
    claim = lead(boards[0])
    with pytest.raises(StoreFailure):
        claim.announce(bytes(1 << 20))
    claim.end()


def test_a_board_that_cannot_be_written_says_so(boards: tuple[FileBoard, FileBoard], tmp_path: Path) -> None:
    (tmp_path / "flights").rmdir()
    with pytest.raises(StoreFailure):
        boards[0].claim("key")


def test_a_claim_leaves_no_descriptor(boards: tuple[FileBoard, FileBoard]) -> None:
    def count() -> int:
        return len(os.listdir("/proc/self/fd"))

    before = count()
    for _ in range(5):
        claim, watch = lead(boards[0]), follow(boards[1])
        watch.look()
        claim.end()
        watch.close()
    assert count() == before


def _in_child(work: Callable[[], object]) -> None:
    """Do this in a process that is killed when it is done."""
    context = get_context("fork")
    ready = context.Event()

    def run() -> None:
        held = work()
        assert held
        ready.set()
        signal.pause()

    child = context.Process(target=run)
    child.start()
    assert ready.wait(10)
    child.kill()
    child.join()


def test_a_dead_leader_is_noticed_and_its_work_can_be_led_again(boards: tuple[FileBoard, FileBoard]) -> None:
    first, second = boards
    context = get_context("fork")
    ready, go = context.Event(), context.Event()

    def run() -> None:
        claim = lead(first)
        claim.announce(b"what comes")
        claim.advance(100)
        ready.set()
        go.wait(10)
        os.kill(os.getpid(), signal.SIGKILL)

    child = context.Process(target=run)
    child.start()
    assert ready.wait(10)
    watch = follow(second)
    assert watch.look() == Progress(Stage.ARRIVING, 100, b"what comes")
    assert not watch.abandoned()
    go.set()
    child.join()
    claim = lead(second)
    claim.announce(b"something else")
    claim.advance(7)
    # Who watched the dead one sees what it left, and that it is dead: never its successor's progress.
    assert watch.look() == Progress(Stage.ARRIVING, 100, b"")
    assert watch.abandoned()
    fresh = follow(first)
    assert fresh.look() == Progress(Stage.ARRIVING, 7, b"something else")
    for held in (watch, fresh):
        held.close()
    claim.end()


def test_a_leader_that_died_before_it_said_anything_is_in_nobodys_way(boards: tuple[FileBoard, FileBoard]) -> None:
    _in_child(lambda: lead(boards[0]))
    lead(boards[1]).end()


def test_every_advance_of_the_generation_is_seen_by_all(tmp_path: Path) -> None:
    one, two = FileGeneration(tmp_path / "generation"), FileGeneration(tmp_path / "generation")
    start = one.value()
    one.advance()
    two.advance()
    assert one.value() == two.value() == start + 2
    assert FileGeneration(tmp_path / "generation").value() == start + 2
