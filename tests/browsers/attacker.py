"""The other side: a site with an attack on it, which can also stand for a name that leads to another server later."""

import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

from tests.faults.wire import Address, Talk

WAIT_SECONDS = 30.0
# The page is loaded, for the browser, when its attack is over: the image comes last.
_PAGE = """<!doctype html><title>attack</title><body><script>
async function attack() {{ {attack} }}
attack().catch(error => ({{error: String(error)}})).then(result => {{
  document.body.dataset.result = JSON.stringify(result);
  return fetch('/over', {{method: 'POST'}});
}});
</script><img src="/wait"></body>
"""


@dataclass(slots=True, kw_only=True)
class Attacker:
    """A context manager. `/attack` is the page; other paths are passed on to `target` as they came."""

    attack: str = ""
    """The body of an asynchronous JavaScript function; what it returns is the result."""
    target: Address | None = None
    passed: list[tuple[str, str, int]] = field(default_factory=list)
    """Method, path and the target's status of what was passed on."""
    over: threading.Event = field(default_factory=threading.Event)
    _server: "_Server | None" = None

    def __enter__(self) -> Self:
        self._server = _Server(self)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._server is not None
        self.over.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def port(self) -> int:
        assert self._server is not None
        return self._server.server_port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, attacker: Attacker) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.attacker = attacker

    def handle_error(self, request: object, client_address: object) -> None:
        """A browser that closes in the middle is nobody's defect here."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        attacker = self.server.attacker
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        match self.path:
            case "/attack":
                self._answer(200, _PAGE.format(attack=attacker.attack).encode())
            case "/over":
                attacker.over.set()
                self._answer(200, b"")
            case "/wait":
                attacker.over.wait(WAIT_SECONDS)
                self._answer(404, b"")
            case "/favicon.ico":
                self._answer(404, b"")
            case _ if attacker.target is not None:
                self._pass_on(attacker.target, body)
            case _:
                self._answer(404, b"")

    do_POST = do_OPTIONS = do_GET  # noqa: N815 (the names are the library's)

    def _pass_on(self, target: Address, body: bytes) -> None:
        fields = [f"{name}: {value}" for name, value in self.headers.items() if name.lower() != "connection"]
        head = [f"{self.command} {self.path} HTTP/1.1", *fields, "connection: close", "", ""]
        with Talk(target) as talk:
            talk.send("\r\n".join(head).encode("latin-1") + body)
            got = talk.read()
        self.server.attacker.passed.append((self.command, self.path, got.status))
        self.send_response(got.status)
        for name, value in got.headers:
            if name not in ("connection", "transfer-encoding", "content-length", "server", "date"):
                self.send_header(name, value)
        self._end(got.body)

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", "text/html")
        self._end(body)

    def _end(self, body: bytes) -> None:
        self.send_header("content-length", str(len(body)))
        self.send_header("connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the library's name)
        """Nothing: `passed` has what matters."""
