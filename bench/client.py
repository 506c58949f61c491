"""One download, with the times of its first and last byte."""

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    first_byte: float
    """Seconds from the request to the body's first byte."""
    seconds: float
    size_bytes: int
    sha256: str
    encoding: str

    @property
    def mb_per_second(self) -> float:
        return self.size_bytes / self.seconds / 1e6


def download(url: str, headers: Mapping[str, str] | None = None) -> Transfer:
    """Raises OSError or HTTPException where the transfer breaks; OSError for any status but 200."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    connection = HTTPConnection(parts.hostname, parts.port, timeout=120)
    connection.connect()
    body = bytearray()
    began = time.perf_counter()
    try:
        connection.request("GET", parts.path, headers=dict(headers or {}))
        response = connection.getresponse()
        if response.status != 200:
            raise OSError(f"{url}: {response.status} {response.read(500).decode()}")
        body += response.read1(1 << 16)
        first = time.perf_counter() - began
        while piece := response.read1(1 << 20):
            body += piece
        seconds = time.perf_counter() - began
    finally:
        connection.close()
    return Transfer(
        first_byte=first,
        seconds=seconds,
        size_bytes=len(body),
        sha256=hashlib.sha256(body).hexdigest(),
        encoding=response.headers.get("content-encoding", ""),
    )
