"""An upstream that takes connections and says nothing: who may have a stale answer does not wait for it."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.clients.shop import HOUR, Shop, open_shop

LIST = "go.example/hello/@v/list"
NOWHERE = "go.example/hello/nested/@v/list"
SOON = 10.0
"""Seconds; far less than we give an upstream to answer (`fetch.first_byte_timeout`)."""


@pytest.fixture
def go(tmp_path: Path) -> Iterator[Shop]:
    with ExitStack() as stack:
        yield open_shop(stack, tmp_path, "golang")


def _silent(go: Shop) -> socket.socket:
    """In the registry's place: connections are made, and nobody reads what they bring."""
    go.registry.go_dark()
    return socket.create_server(("127.0.0.1", go.registry.port))


def _get(go: Shop, path: str) -> tuple[int, bytes, str]:
    got = go.served.get(f"/golang/{path}", timeout=SOON)
    return got.status, got.body, got.cache_status


def test_an_expired_index_is_served_when_upstream_says_nothing(go: Shop) -> None:
    fresh = go.get(LIST).body
    go.restart(later=HOUR)
    with closing(_silent(go)):
        status, body, told = _get(go, LIST)
    assert (status, body) == (200, fresh)
    assert "detail=upstream-silent" in told


def test_a_404_is_told_again_when_upstream_says_nothing(go: Shop) -> None:
    assert go.get(NOWHERE).status == 404
    go.restart(later=HOUR)
    with closing(_silent(go)):
        assert _get(go, NOWHERE)[0] == 404


def test_what_a_slow_upstream_says_in_the_end_is_what_the_next_one_gets(go: Shop) -> None:
    go.get(LIST)
    go.restart(later=HOUR)
    news = b"v1.0.0\nv1.9.0\n"
    with closing(_silent(go)) as listener:
        assert news != _get(go, LIST)[1]
        connection, _ = listener.accept()
        with closing(connection):
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 14\r\n\r\n" + news)
            assert _get(go, LIST)[:2] == (200, news)
