"""apk as a test can have it: no distribution in reach packs the real one, so this does what its manual says.

It reads indexes and packages with its own means: whole, in memory, and with Python's tar. Whatever apk would refuse, it
refuses. Shares no code with the adapter.
"""

import base64
import hashlib
import io
import re
import tarfile
import urllib.error
import urllib.request
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from tests.clients.fixture_apk import KEY_NAME, public_pem

TIMEOUT_SECONDS = 30.0


class ApkRefuses(Exception):
    """It would end with an error; the text is what a person would see."""


@dataclass(slots=True)
class Machine:
    """An Alpine system. `repositories` are the lines of /etc/apk/repositories."""

    repositories: Sequence[str]
    arch: str = "x86_64"
    key: str = KEY_NAME
    indexes: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    """By repository, as they were when `update` ran."""
    installed: dict[str, str] = field(default_factory=dict)
    """Name to version."""

    def update(self) -> None:
        for repository in self.repositories:
            body = fetch(f"{repository}/{self.arch}/APKINDEX.tar.gz")
            self.indexes[repository] = list(self._read_index(body))

    def _read_index(self, body: bytes) -> Iterator[dict[str, str]]:
        signature, rest = split(body)[0]
        self._verify(signature, body[rest:])
        files = untar(b"".join(unpacked for unpacked, _ in split(body[rest:])))
        for record in files["APKINDEX"].decode().strip("\n").split("\n\n"):
            yield {line[0]: line[2:] for line in record.split("\n")}

    def _verify(self, signature: bytes, rest: bytes) -> None:
        [(name, value)] = untar(signature).items()
        kind, _, key = name.removeprefix(".SIGN.").partition(".")
        if key != self.key:
            raise ApkRefuses(f"UNTRUSTED signature by {key}")
        public = load_pem_public_key(public_pem(key).encode())
        assert isinstance(public, RSAPublicKey)
        try:
            public.verify(value, rest, PKCS1v15(), {"RSA": SHA1(), "RSA256": SHA256()}[kind])
        except InvalidSignature as error:
            raise ApkRefuses("BAD signature") from error

    def add(self, name: str) -> None:
        """With all that it depends on; what satisfies a name is taken in the order of the indexes."""
        todo = [name]
        while todo:
            wanted = re.split("[=<>~]", todo.pop())[0]
            repository, record = self._find(wanted)
            if record["P"] in self.installed:
                continue
            place = f"{record['A']}/{record['P']}-{record['V']}.apk".replace("+", "%2B")
            body = fetch(f"{repository}/{place}")
            if len(body) != int(record["S"]):
                raise ApkRefuses(f"{record['P']}: {len(body)} bytes, not {record['S']}")
            verify_package(body, record["C"])
            self.installed[record["P"]] = record["V"]
            todo += [word for word in record.get("D", "").split() if not word.startswith("!")]

    def _find(self, wanted: str) -> tuple[str, dict[str, str]]:
        everywhere = [(repository, record) for repository, index in self.indexes.items() for record in index]
        for repository, record in everywhere:
            provided = [re.split("[=<>~]", word)[0] for word in record.get("p", "").split()]
            if wanted == record["P"] or wanted in provided:
                return repository, record
        raise ApkRefuses(f"{wanted} (no such package)")


def verify_package(body: bytes, checksum: str) -> None:
    """The control part against the index, the data against the control part."""
    (_, first), (control, length) = split(body)[:2]
    digest = hashlib.sha1(body[first : first + length], usedforsecurity=False).digest()
    if checksum != f"Q1{base64.b64encode(digest).decode()}":
        raise ApkRefuses("package integrity error: control")
    [datahash] = re.findall(r"^datahash = (\w+)$", untar(control)[".PKGINFO"].decode(), re.MULTILINE)
    if hashlib.sha256(body[first + length :]).hexdigest() != datahash:
        raise ApkRefuses("package integrity error: data")


def split(body: bytes) -> list[tuple[bytes, int]]:
    """Each gzip member unpacked, with its packed length."""
    found = []
    while body:
        inflate = zlib.decompressobj(31)
        try:
            unpacked = inflate.decompress(body)
        except zlib.error as error:
            raise ApkRefuses(f"v2 package format error: {error}") from error
        if not inflate.eof:
            raise ApkRefuses("unexpected end of file")
        found.append((unpacked, len(body) - len(inflate.unused_data)))
        body = inflate.unused_data
    return found


def untar(unpacked: bytes) -> dict[str, bytes]:
    """apk cuts off the end of a tar where something follows."""
    with tarfile.open(fileobj=io.BytesIO(unpacked + bytes(1024))) as archive:
        return {one.name: taken.read() for one in archive if (taken := archive.extractfile(one)) is not None}


def fetch(url: str) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as answer:
            body: bytes = answer.read()
            return body
    except urllib.error.HTTPError as error:
        with error:
            raise ApkRefuses(f"{url}: {error.code} {error.read().decode().strip()}") from error
    except OSError as error:
        raise ApkRefuses(f"{url}: {error}") from error
