"""The access log at its end."""

import asyncio
from pathlib import Path

import pytest

from entrepot.web.access import FLUSH_SECONDS, AccessLog

pytestmark = pytest.mark.anyio


async def test_a_log_that_was_closed_has_its_lines_and_tries_to_write_no_more(tmp_path: Path) -> None:
    """Its server may have more to close: what was to be written in a moment comes to nothing, and to no defect."""
    log = AccessLog(str(tmp_path / "access.log"), lambda: 0.0)
    log.add("one")
    log.close()
    passed = asyncio.Event()
    asyncio.get_running_loop().call_later(FLUSH_SECONDS, passed.set)
    await passed.wait()
    assert (tmp_path / "access.log").read_text() == "one\n"
