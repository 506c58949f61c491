"""An upstream on this machine: fixed files by path, over HTTP, and a count of who asked for what."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

Files = dict[str, tuple[str, bytes]]
HELD_SECONDS = 60.0


class Registry:
    """`files` may be changed at any time; what is not there is 404. Paths in `held` are not answered before `let_go`
    is set."""

    def __init__(self) -> None:
        self.files: Files = {}
        self.asked: Counter[str] = Counter()
        self.held: set[str] = set()
        self.let_go = threading.Event()
        registry = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                registry.asked[unquote(self.path)] += 1
                if unquote(self.path) in registry.held:
                    registry.let_go.wait(HELD_SECONDS)
                found = registry.files.get(self.path) or registry.files.get(unquote(self.path))
                kind, body = found or ("text/plain", b"no such thing\n")
                self.send_response(200 if found else 404)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def do_HEAD(self) -> None:
                self.do_GET()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    @contextmanager
    def open(self) -> Iterator["Registry"]:
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield self
        finally:
            self.close()
            thread.join()

    def close(self) -> None:
        """Nobody answers any more."""
        self._server.shutdown()
        self._server.server_close()
