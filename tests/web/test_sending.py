"""How bodies leave: in chunks whose sum stays within a budget."""

from collections.abc import Mapping
from typing import Any

import pytest

from entrepot.storage.memory import MemoryBlobs
from entrepot.web.sending import LARGEST, SHARED_BYTES, SMALLEST, Sender
from tests.rogue import pattern

pytestmark = pytest.mark.anyio

BODY = pattern(1 << 20)


async def chunks_of(sender: Sender) -> list[bytes]:
    growing = MemoryBlobs().create()
    growing.append(BODY)
    sent: list[bytes] = []

    async def send(message: Mapping[str, Any]) -> None:
        sent.append(message["body"])

    assert await sender.send_blob(send, growing.reader(), 0, len(BODY)) == len(BODY)
    assert b"".join(sent) == BODY
    return sent


async def test_a_reader_alone_gets_large_chunks() -> None:
    assert len((await chunks_of(Sender()))[0]) == LARGEST


async def test_chunks_shrink_as_readers_become_many() -> None:
    sender = Sender()
    sender.active = 100
    assert len((await chunks_of(sender))[0]) == SHARED_BYTES // 100


async def test_chunks_do_not_become_smaller_than_is_good() -> None:
    sender = Sender()
    sender.active = 100_000
    assert len((await chunks_of(sender))[0]) == SMALLEST


async def test_one_of_several_processes_has_only_its_part_of_the_budget() -> None:
    sender = Sender(SHARED_BYTES // 4)
    sender.active = 100
    assert len((await chunks_of(sender))[0]) == SHARED_BYTES // 4 // 100
