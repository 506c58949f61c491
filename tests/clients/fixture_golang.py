"""A small Go module proxy with a checksum database, made from nothing: what a static server must answer, by path."""

import base64
import hashlib
import io
import json
import zipfile
from collections.abc import Collection, Iterator, Mapping

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

Files = dict[str, tuple[str, bytes]]

DATABASE = "sum.example"
TEXT = "text/plain; charset=UTF-8"
JSON = "application/json"
ZIP = "application/zip"
BINARY = "application/octet-stream"
DATE = "2024-05-01T10:00:00Z"

_KEY = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"the key of a checksum database for tests").digest())
_PUBLIC = b"\x01" + _KEY.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
_KEY_HASH = hashlib.sha256(f"{DATABASE}\n".encode() + _PUBLIC).digest()[:4]

GOSUMDB = f"{DATABASE}+{_KEY_HASH.hex()}+{base64.b64encode(_PUBLIC).decode()}"
"""What a go command needs in GOSUMDB to believe this database."""


def go_proxy(*, later: bool = False) -> Files:
    """Decoded request path (from the root; capitals are `!` and the small letter) to content type and body.

    Modules, all below `go.example/`:

    - `hello` v1.0.0 and v1.1.0 (the branch `main` is v1.1.0); needs `world` and `Capital`
    - `world` v0.2.0; needs `old`
    - `Capital` v1.0.0 and the pre-release v1.1.0-RC1
    - `old` v2.0.0+incompatible, which has no go.mod of its own

    `later`: after `hello` v1.2.0 was published.
    """
    modules = Modules()
    modules.publish("go.example/hello", "v1.0.0", needs={"go.example/world": "v0.2.0", "go.example/Capital": "v1.0.0"})
    modules.publish("go.example/hello", "v1.1.0", needs={"go.example/world": "v0.2.0", "go.example/Capital": "v1.0.0"})
    modules.publish("go.example/world", "v0.2.0", needs={"go.example/old": "v2.0.0+incompatible"})
    modules.publish("go.example/Capital", "v1.0.0")
    modules.publish("go.example/Capital", "v1.1.0-RC1")
    modules.publish("go.example/old", "v2.0.0+incompatible")
    modules.branch("go.example/hello", "main", "v1.1.0")
    if later:
        modules.publish("go.example/hello", "v1.2.0", needs={"go.example/world": "v0.2.0"})
    return modules.files


def dated_go(packages: Mapping[str, Mapping[str, str]]) -> Files:
    """Modules, their versions, and the dates that their authors give them; the last is what `@latest` says."""
    modules = Modules()
    for module, versions in packages.items():
        for version, date in versions.items():
            modules.publish(module, version, date=date)
    return modules.files


class Modules:
    """What a proxy has, and a checksum database of it."""

    def __init__(self) -> None:
        self._files: Files = {}
        self._versions: dict[str, list[str]] = {}
        self._dates: dict[tuple[str, str], str] = {}
        self._records: list[tuple[str, str, bytes]] = []

    def publish(
        self,
        module: str,
        version: str,
        needs: dict[str, str] | None = None,
        date: str = DATE,
        packages: Collection[str] = (),
    ) -> bytes:
        """The lines that the checksum database has of it. `packages`: folders below the root that have one each."""
        mod = f"module {module}\n\ngo 1.20\n" + "".join(
            f"\nrequire {name} {at}\n" for name, at in (needs or {}).items()
        )
        contents = _contents(module, version, "" if version.endswith("+incompatible") else mod, list(needs or ()))
        for folder in packages:
            name = folder.rpartition("/")[2]
            contents[f"{module}@{version}/{folder}/{name}.go"] = f"package {name}\n".encode()
        if version.endswith("+incompatible"):
            mod = f"module {module}\n"
        stem = f"/{escape(module)}/@v/{escape(version)}"
        self._files[f"{stem}.info"] = JSON, _info(version, date)
        self._dates[module, version] = date
        self._files[f"{stem}.mod"] = TEXT, mod.encode()
        self._files[f"{stem}.zip"] = ZIP, _pack(contents)
        self._versions.setdefault(module, []).append(version)
        lines = f"{module} {version} {h1(contents)}\n{module} {version}/go.mod {h1({'go.mod': mod.encode()})}\n"
        self._records.append((module, version, lines.encode()))
        return lines.encode()

    def branch(self, module: str, name: str, version: str) -> None:
        self._files[f"/{escape(module)}/@v/{name}.info"] = JSON, _info(version)

    @property
    def files(self) -> Files:
        """Everything published so far, with indexes and a checksum database."""
        found = dict(self._files)
        for module, versions in self._versions.items():
            released = [version for version in versions if "-" not in version]
            found[f"/{escape(module)}/@v/list"] = TEXT, "".join(f"{version}\n" for version in versions).encode()
            found[f"/{escape(module)}/@latest"] = JSON, _info(released[-1], self._dates[module, released[-1]])
        return {**found, **{f"/sumdb/{DATABASE}/{path}": file for path, file in self._database()}}

    def _database(self) -> Iterator[tuple[str, tuple[str, bytes]]]:
        leaves = [hashlib.sha256(b"\x00" + lines).digest() for _, _, lines in self._records]
        head = signed_head(len(leaves), _tree_hash(leaves))
        yield "supported", (TEXT, b"")
        yield "latest", (TEXT, head)
        for number, (module, version, lines) in enumerate(self._records):
            question = f"lookup/{escape(module)}@{escape(version)}"
            yield question, (TEXT, f"{number}\n".encode() + lines + b"\n" + head)
        # A tree of fewer than 256 records is one tile of height 8, which is partial.
        yield f"tile/8/0/000.p/{len(leaves)}", (BINARY, b"".join(leaves))
        yield f"tile/8/data/000.p/{len(leaves)}", (BINARY, b"\n".join(lines for _, _, lines in self._records))


def escape(text: str) -> str:
    return "".join(f"!{letter.lower()}" if letter.isupper() else letter for letter in text)


def h1(contents: dict[str, bytes]) -> str:
    """Go's digest of a module's files by name."""
    lines = "".join(f"{hashlib.sha256(body).hexdigest()}  {name}\n" for name, body in sorted(contents.items()))
    return f"h1:{base64.b64encode(hashlib.sha256(lines.encode()).digest()).decode()}"


def _info(version: str, date: str = DATE) -> bytes:
    return json.dumps({"Version": version, "Time": date}).encode()


def _contents(module: str, version: str, mod: str, needs: list[str]) -> dict[str, bytes]:
    package = module.rpartition("/")[2].lower()
    imports = "".join(f'import _ "{name}"\n' for name in needs)
    source = f'package {package}\n\n{imports}\n// Version is what was built.\nconst Version = "{version}"\n'
    files = {"go.mod": mod, f"{package}.go": source, "LICENSE": "Do what you like.\n"}
    return {f"{module}@{version}/{name}": text.encode() for name, text in files.items() if text}


def _pack(contents: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in contents.items():
            archive.writestr(zipfile.ZipInfo(name), body)
    return packed.getvalue()


def _tree_hash(leaves: list[bytes]) -> bytes:
    """RFC 6962 §2.1."""
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\x01" + _tree_hash(leaves[:split]) + _tree_hash(leaves[split:])).digest()


def signed_head(size: int, root: bytes) -> bytes:
    """A tree head as a signed note (golang.org/x/mod/sumdb/note)."""
    text = f"go.sum database tree\n{size}\n{base64.b64encode(root).decode()}\n".encode()
    signature = base64.b64encode(_KEY_HASH + _KEY.sign(text)).decode()
    return text + f"\n\N{EM DASH} {DATABASE} {signature}\n".encode()
