"""A realm that gives tokens for a registry (distribution's token authentication): RSA-signed, for whoever has the
password."""

import json
import threading
import time
from base64 import b64encode, urlsafe_b64encode
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

SERVICE, ISSUER = "registry.of.this.test", "realm.of.this.test"
USER, PASSWORD = "robot", "s3cret-of-the-robot"


@dataclass(slots=True)
class Realm:
    """A context manager."""

    directory: Path
    asked: list[str] = field(default_factory=list)
    """The scopes, oldest first."""
    _server: "_Server | None" = None
    _key: rsa.RSAPrivateKey = field(
        default_factory=lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048)
    )
    _chain: str = ""

    def __enter__(self) -> Self:
        self.directory.mkdir(parents=True, exist_ok=True)
        certificate = self._certificate()
        (self.directory / "roots.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        self._chain = b64encode(certificate.public_bytes(serialization.Encoding.DER)).decode()
        self._server = _Server(self)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def settings(self) -> dict[str, str]:
        """What the registry's configuration says of it."""
        roots = str(self.directory / "roots.pem")
        return {"realm": f"{self.url}/token", "service": SERVICE, "issuer": ISSUER, "rootcertbundle": roots}

    def _certificate(self) -> x509.Certificate:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, ISSUER)])
        now = datetime.now(UTC)
        plain = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(self._key.public_key())
        dated = plain.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(days=1))
        ours = dated.serial_number(x509.random_serial_number())
        return ours.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True).sign(
            self._key, hashes.SHA256()
        )

    def token(self, scope: str) -> str:
        """A JSON web token for what a scope like `repository:team/app:pull` names."""
        self.asked.append(scope)
        kind, _, rest = scope.partition(":")
        name, _, actions = rest.rpartition(":")
        access = [{"type": kind, "name": name, "actions": actions.split(",")}] if rest else []
        now = int(time.time())
        claims = {"iss": ISSUER, "aud": SERVICE, "iat": now, "nbf": now - 60, "exp": now + 300, "access": access}
        head = {"typ": "JWT", "alg": "RS256", "x5c": [self._chain]}
        text = ".".join(_packed(json.dumps(part).encode()) for part in (head, claims))
        return f"{text}.{_packed(self._key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, realm: Realm) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.realm = realm


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        wanted = f"Basic {b64encode(f'{USER}:{PASSWORD}'.encode()).decode()}"
        good = self.headers.get("authorization") == wanted
        scope = parse_qs(urlsplit(self.path).query).get("scope", [""])[0]
        body = json.dumps({"token": self.server.realm.token(scope), "expires_in": 300}).encode() if good else b"{}"
        self.send_response(200 if good else 401)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the library's name)
        """Nothing: `asked` has it."""


def _packed(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
