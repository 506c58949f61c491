"""What is read through the front door is told to whoever has trees walked: cold answers once, hot ones by a mark."""

from pathlib import Path

import pytest

from entrepot.contracts.trees import Touch
from entrepot.errors import Unreachable
from tests.cache.works import RecordedTriggers, Works, page
from tests.fakes import Reply
from tests.web.front import Front

pytestmark = pytest.mark.anyio


@pytest.fixture
def accesses() -> RecordedTriggers:
    return RecordedTriggers()


async def test_z_02_every_read_is_offered(works: Works, tmp_path: Path, accesses: RecordedTriggers) -> None:
    front = Front(works, tmp_path, accesses=accesses)
    works.fetcher.on("loose/a", page(b"bytes"))
    assert (await front.get("/shelf/loose/a")).status == 200
    assert (await front.get("/shelf/loose/a", range="bytes=0-1")).status == 206
    assert (await front.get("/shelf/loose/a", if_none_match="*")).status == 304
    assert [(one.reason, one.repository, one.resource.key) for one in accesses.offered] == [
        ("access", "shelf", "loose/a")
    ] * 3
    front.close()


async def test_w_19_probes_and_failures_are_not(works: Works, tmp_path: Path, accesses: RecordedTriggers) -> None:
    front = Front(works, tmp_path, accesses=accesses)
    works.fetcher.on("loose/a", page(b"bytes"))
    works.fetcher.on("loose/none", Reply(status=404))
    works.fetcher.on("loose/down", Unreachable("no connection"))
    assert (await front.get("/shelf/loose/a", method="HEAD")).status == 200
    assert (await front.get("/shelf/loose/none")).status == 404
    assert (await front.get("/shelf/loose/down")).status == 502
    assert (await front.get("/nowhere/a")).status == 404
    assert accesses.offered == []
    front.close()


async def test_z_02_an_answer_from_memory_marks_its_tree(works: Works, tmp_path: Path) -> None:
    touch = Touch()
    front = Front(works, tmp_path, touch=touch)
    works.fetcher.on("loose/a", page(b"bytes"))
    await front.get("/shelf/loose/a")
    await works.settle()
    await front.get("/shelf/loose/a")
    touch.touched = False
    offered = len(front.hot._known)
    assert (offered, (await front.get("/shelf/loose/a")).status) == (1, 200)
    assert touch.touched
    front.close()
