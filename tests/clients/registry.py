"""A registry that a test can switch: up or down, failing, lying, holding back, with or without validators."""

import contextlib
import hashlib
import re
import ssl
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import unquote

Files = dict[str, tuple[str, bytes]]
WAIT_SECONDS = 30.0
_RANGE = re.compile(r"bytes=([0-9]+)-([0-9]*)\Z")
_ARTIFACT = re.compile(r"(?:/download|\.(?:whl|tgz|tar\.gz|zip|jar|pom|rpm|js|html|css))\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A request that came."""

    method: str
    path: str
    headers: Mapping[str, str]
    """Names in small letters."""
    body: bytes = b""


@dataclass(slots=True, kw_only=True)
class Registry:
    """A context manager. What it holds, and how it behaves, may be changed at any time."""

    decoded: bool = False
    """Whether `files` has decoded paths (Go), or paths as clients spell them."""
    validators: bool = True
    tls: ssl.SSLContext | None = None
    files: Files = field(default_factory=dict)
    modified: dict[str, str] = field(default_factory=dict)
    """`Last-Modified`, by path."""
    fields: dict[str, str] = field(default_factory=dict)
    """Further fields of every answer."""
    failure: tuple[int, dict[str, str]] | None = None
    """Status and fields of the answer to everything."""
    heads: int = 200
    """Another status answers every HEAD."""
    headed: str | None = None
    """The Content-Type that HEADs are told instead; empty: none."""
    instead: dict[str, bytes] = field(default_factory=dict)
    """Other bytes, by path: what a broken cache or an attacker on the way makes of a file."""
    requests: list[Seen] = field(default_factory=list)
    open: threading.Event = field(default_factory=threading.Event)
    """While it is cleared, artifacts wait."""
    port: int = 0
    _server: "_Server | None" = None

    def __enter__(self) -> Self:
        self.open.set()
        self.come_back()
        return self

    def __exit__(self, *_: object) -> None:
        self.open.set()
        self.go_dark()

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def come_back(self) -> None:
        self._server = _Server(self)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def go_dark(self) -> None:
        """Connections are refused from now on."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def forget(self) -> None:
        self.requests.clear()

    def asked(self, suffix: str = "", method: str = "GET") -> list[str]:
        """The paths of the requests that came, oldest first."""
        return [seen.path for seen in self.requests if seen.method == method and seen.path.endswith(suffix)]

    @property
    def artifacts_asked(self) -> list[str]:
        return [seen.path for seen in self.requests if _ARTIFACT.search(seen.path)]

    @contextlib.contextmanager
    def held_back(self) -> Iterator[None]:
        """Inside, artifacts are answered only after `open.set()`."""
        self.open.clear()
        try:
            yield
        finally:
            self.open.set()

    def find(self, path: str) -> tuple[str, bytes] | None:
        name = unquote(path) if self.decoded else path
        found = self.files.get(name)
        if found is None or name not in self.instead:
            return found
        return found[0], self.instead[name]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, registry: Registry) -> None:
        super().__init__(("127.0.0.1", registry.port), _Handler)
        self.registry = registry
        if registry.tls is not None:
            self.socket = registry.tls.wrap_socket(self.socket, server_side=True)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that leaves in the middle is nobody's defect here."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        registry = self.server.registry
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        registry.requests.append(Seen(method=self.command, path=self.path, headers=headers, body=body))
        if _ARTIFACT.search(self.path):
            registry.open.wait(WAIT_SECONDS)
        found = registry.find(self.path)
        if self.command == "HEAD" and registry.heads != 200:
            self._answer(registry.heads, {}, b"")
        elif registry.failure is not None:
            status, fields = registry.failure
            self._answer(status, fields, b"out of order\n")
        elif found is None:
            self._answer(404, {}, b"not here\n")
        else:
            self._send(*found)

    do_HEAD = do_POST = do_GET  # noqa: N815 (the names are the library's)

    def _send(self, kind: str, body: bytes) -> None:
        headed = self.server.registry.headed if self.command == "HEAD" else None
        fields = {"content-type": kind if headed is None else headed}
        if self.path in self.server.registry.modified:
            fields["last-modified"] = self.server.registry.modified[self.path]
        if self.server.registry.validators:
            fields["etag"] = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
            if self.headers.get("if-none-match") == fields["etag"]:
                self._answer(304, fields, b"")
                return
        found = _RANGE.match(self.headers.get("range") or "")
        if found:
            start, end = int(found[1]), min(int(found[2] or len(body)), len(body) - 1)
            fields["content-range"] = f"bytes {start}-{end}/{len(body)}"
            self._answer(206, fields, body[start : end + 1])
            return
        self._answer(200, fields, body)

    def _answer(self, status: int, fields: Mapping[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in {**self.server.registry.fields, **fields}.items():
            self.send_header(name, value)
        if status != 304:
            self.send_header("content-length", str(len(body)))
        # One request a connection: nothing outlives `go_dark`.
        self.send_header("connection", "close")
        self.end_headers()
        if self.command != "HEAD" and status != 304:
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the library's name)
        """Nothing: `requests` has it."""
