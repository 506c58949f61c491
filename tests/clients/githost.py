"""A host of private git repositories behind https and basic auth, and a proxy through which it has the name that
module paths give it."""

import ssl
import subprocess
import threading
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import SHUT_WR, create_connection, socket
from typing import Self
from urllib.parse import unquote, urlsplit

import trustme

from tests.clients.room import SEARCHED

HOST = "corp.example"
LOGIN, PASSWORD = "robot", "s3cret"
_AUTHORIZATION = f"Basic {b64encode(f'{LOGIN}:{PASSWORD}'.encode()).decode()}"
_CHALLENGE = (("www-authenticate", 'Basic realm="repositories"'),)


@dataclass(slots=True, kw_only=True)
class GitHost:
    """A context manager. `http_proxy` and `ca_file` are what a client needs to reach https://corp.example."""

    directory: Path
    status: int = 0
    """The answer to everything, if it is not 0."""
    instead: bytes = b""
    """With it."""
    leads_to: str = ""
    """The repository that pages lead to, if it is not our own."""
    asked: list[str] = field(default_factory=list)
    """Method and path of the requests that came."""
    connected: list[str] = field(default_factory=list)
    """HOST:PORT of every connection that the proxy was asked for."""
    down: bool = False
    """The proxy lets nobody through."""
    _servers: list[ThreadingHTTPServer] = field(default_factory=list)

    def __enter__(self) -> Self:
        self.directory.mkdir(parents=True)
        authority = trustme.CA()
        authority.cert_pem.write_to_path(self.ca_file)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert(HOST).configure_cert(context)
        self._servers = [_Server(self, _Repositories), _Server(self, _Proxy)]
        # The handshake is made in the thread of the connection: one that hangs holds nobody up.
        self._servers[0].socket = context.wrap_socket(
            self._servers[0].socket, server_side=True, do_handshake_on_connect=False
        )
        for server in self._servers:
            threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()

    @property
    def ca_file(self) -> str:
        return str(self.directory / "authority.pem")

    @property
    def netrc_file(self) -> str:
        file = self.directory / "netrc"
        file.write_text(f"machine {HOST} login {LOGIN} password {PASSWORD}\n")
        return str(file)

    @property
    def http_proxy(self) -> str:
        return f"http://127.0.0.1:{self._servers[1].server_port}"

    @property
    def port(self) -> int:
        return self._servers[0].server_port

    @property
    def root(self) -> Path:
        return self.directory / "repositories"

    def publish(self, path: str, files: Mapping[str, str], tags: Sequence[str] = (), *, at: int) -> str:
        """Commit `files` on the branch main of a repository, which is made if it is not there; the commit's hash.

        `at`: seconds since the epoch.
        """
        bare, work = self.root / f"{path}.git", self.directory / "work" / path
        when = {"GIT_AUTHOR_DATE": f"{at} +0000", "GIT_COMMITTER_DATE": f"{at} +0000"}
        if not bare.exists():
            self._git(self.directory, when, "init", "-q", "--bare", "-b", "main", str(bare))
            self._git(self.directory, when, "init", "-q", "-b", "main", str(work))
        for name, text in files.items():
            (work / name).parent.mkdir(parents=True, exist_ok=True)
            (work / name).write_text(text)
        self._git(work, when, "add", "-A")
        self._git(work, when, "commit", "-q", "--allow-empty", "-m", "more")
        for tag in tags:
            self._git(work, when, "tag", tag)
        self._git(work, when, "push", "-q", str(bare), "main", "--tags")
        return self._git(work, when, "rev-parse", "HEAD").strip()

    def _git(self, directory: Path, environment: Mapping[str, str], *arguments: str) -> str:
        people = {"GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@corp.example"}
        people |= {"GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@corp.example"}
        alone = {"PATH": SEARCHED, "HOME": str(self.directory), "GIT_CONFIG_NOSYSTEM": "1"}
        done = subprocess.run(
            ["git", *arguments], cwd=directory, env={**alone, **people, **environment}, check=True, capture_output=True
        )
        return done.stdout.decode()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, host: GitHost, handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.host = host

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that leaves in the middle is nobody's defect here."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the library's name)
        """Nothing: the host has it."""


class _Repositories(_Handler):
    """`/meta/NAME?go-get=1` leads to the repository `/team/NAME`; everything else is git's."""

    def do_GET(self) -> None:
        host, url = self.server.host, urlsplit(self.path)
        body = self._read_body()
        host.asked.append(f"{self.command} {self.path}")
        if host.status:
            self._answer(host.status, host.instead)
        elif url.path.startswith("/meta/") and "go-get=1" in url.query:
            module = unquote(url.path).strip("/")
            repository = host.leads_to or f"https://{HOST}/team/{module.removeprefix('meta/')}"
            tag = f'<meta name="go-import" content="{HOST}/{module} git {repository}">'
            self._answer(200, f"<html><head>{tag}</head></html>".encode())
        elif "go-get=1" in url.query:
            self._answer(404, b"no such page\n")
        elif self.headers.get("authorization") != _AUTHORIZATION:
            self._answer(401, b"", _CHALLENGE)
        else:
            self._answer(*_git_http_backend(self, unquote(url.path), url.query, body))

    do_POST = do_GET  # noqa: N815 (the name is the library's)

    def _read_body(self) -> bytes:
        if self.headers.get("transfer-encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("content-length") or 0))
        body = b""
        while length := int(self.rfile.readline(), 16):
            body += self.rfile.read(length)
            self.rfile.readline()
        return body

    def _answer(self, status: int, body: bytes, fields: Sequence[tuple[str, str]] = ()) -> None:
        self.send_response(status)
        for name, value in (*fields, ("content-length", str(len(body))), ("connection", "close")):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def _git_http_backend(
    request: _Repositories, path: str, query: str, body: bytes
) -> tuple[int, bytes, list[tuple[str, str]]]:
    """git's own CGI program (git-http-backend(1))."""
    environment = {
        "PATH": SEARCHED,
        "GIT_PROJECT_ROOT": str(request.server.host.root),
        "GIT_HTTP_EXPORT_ALL": "1",
        # The repositories may belong to another user than the one who tests.
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "safe.directory",
        "GIT_CONFIG_VALUE_0": "*",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "REQUEST_METHOD": request.command,
        "CONTENT_TYPE": request.headers.get("content-type", ""),
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_CONTENT_ENCODING": request.headers.get("content-encoding", ""),
        "GIT_PROTOCOL": request.headers.get("git-protocol", ""),
        "REMOTE_USER": LOGIN,
        "REMOTE_ADDR": "127.0.0.1",
    }
    done = subprocess.run(["git", "http-backend"], input=body, env=environment, capture_output=True, check=True)
    head, _, content = done.stdout.partition(b"\r\n\r\n")
    fields = [(name, value) for name, _, value in (line.partition(": ") for line in head.decode().split("\r\n"))]
    status = next((int(value.split()[0]) for name, value in fields if name.lower() == "status"), 200)
    return status, content, [item for item in fields if item[0].lower() != "status"]


class _Proxy(_Handler):
    def do_CONNECT(self) -> None:
        host = self.server.host
        host.connected.append(self.path)
        if host.down or not self.path.startswith(f"{HOST}:"):
            self.send_error(502)
            return
        with create_connection(("127.0.0.1", host.port)) as far:
            self.send_response(200)
            self.end_headers()
            back = threading.Thread(target=_copy, args=(far, self.connection), daemon=True)
            back.start()
            _copy(self.connection, far)
            back.join()
        self.close_connection = True

    def do_GET(self) -> None:
        self.server.host.connected.append(self.path)
        self.send_error(502)


def _copy(source: socket, target: socket) -> None:
    try:
        while piece := source.recv(1 << 16):
            target.sendall(piece)
        target.shutdown(SHUT_WR)
    except OSError:
        return  # One side is gone; the other one sees it.
