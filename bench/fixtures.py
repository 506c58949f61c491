"""What the origin serves: the same sizes for every ecosystem, and npm documents of 5 MB. Made anew for each run."""

import base64
import hashlib
import io
import json
import random
import zipfile
from dataclasses import dataclass
from pathlib import Path

SIZES = {"16 KiB": 16 << 10, "1 MiB": 1 << 20, "100 MiB": 100 << 20}
MODULE = "bench.example/sized"
PACKUMENT_VERSIONS = 2300
"""As many as make a document of 5 MB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One file of one ecosystem."""

    ecosystem: str
    label: str
    project: str
    path: str
    """At the origin."""
    sha256: str
    size_bytes: int


class Fixtures:
    """Writes below `root`, which the origin serves under `base`."""

    def __init__(self, root: Path, base: str) -> None:
        self.root, self.base = root, base
        self.items: list[Item] = []

    def write_all(self) -> None:
        for number, (label, size) in enumerate(SIZES.items()):
            project = f"sized-{number}"
            self.add_wheel(label, project, random.Random(number).randbytes(size))
            self._add_tarball(label, project, random.Random(100 + number).randbytes(size))
            self._add_module(label, f"v1.{number}.0", size)
        names = "".join(f'<a href="{item.project}/">{item.project}</a>' for item in self.of("pypi"))
        self.write("/simple/index.html", f"<!DOCTYPE html><html><body>{names}</body></html>".encode())

    def of(self, ecosystem: str) -> list[Item]:
        return [item for item in self.items if item.ecosystem == ecosystem]

    def write(self, path: str, body: bytes) -> None:
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(body)

    def _add(self, ecosystem: str, label: str, project: str, path: str, body: bytes) -> str:
        self.write(path, body)
        sha256 = hashlib.sha256(body).hexdigest()
        item = Item(ecosystem=ecosystem, label=label, project=project, path=path, sha256=sha256, size_bytes=len(body))
        self.items.append(item)
        return sha256

    def add_wheel(self, label: str, project: str, body: bytes) -> None:
        name = f"{project.replace('-', '_')}-1.0-py3-none-any.whl"
        path = f"/packages/{name}"
        sha256 = self._add("pypi", label, project, path, body)
        link = f'<a href="{self.base}{path}#sha256={sha256}">{name}</a>'
        page = f"<!DOCTYPE html><html><head><title>Links for {project}</title></head><body>{link}</body></html>"
        self.write(f"/simple/{project}/index.html", page.encode())

    def _add_tarball(self, label: str, project: str, body: bytes) -> None:
        path = f"/npm/{project}/-/{project}-1.0.0.tgz"
        self._add("npm", label, project, path, body)
        dist = {
            "tarball": self.base + path,
            "shasum": hashlib.sha1(body).hexdigest(),
            "integrity": f"sha512-{base64.b64encode(hashlib.sha512(body).digest()).decode()}",
        }
        version = {"name": project, "version": "1.0.0", "dist": dist}
        times = dict.fromkeys(("created", "modified", "1.0.0"), "2024-01-01T00:00:00.000Z")
        tags = {"latest": "1.0.0"}
        document = {"_id": project, "name": project, "dist-tags": tags, "versions": {"1.0.0": version}, "time": times}
        self.write(f"/npm/{project}/index.json", json.dumps(document).encode())

    def _add_module(self, label: str, version: str, size: int) -> None:
        place = f"/go/{MODULE}/@v/{version}"
        self._add("golang", label, f"{MODULE}@{version}", f"{place}.zip", _module_zip(version, size))
        info = {"Version": version, "Time": "2024-01-01T00:00:00Z"}
        self.write(f"{place}.info", json.dumps(info).encode())
        self.write(f"{place}.mod", _GO_MOD)
        listed = self.root / f"go/{MODULE}/@v/list"
        listed.write_text((listed.read_text() if listed.exists() else "") + version + "\n")

    def add_packument(self, name: str) -> int:
        """A document of 5 MB; its size in bytes."""
        body = json.dumps(_packument(name, self.base)).encode()
        self.write(f"/npm/{name}/index.json", body)
        return len(body)


_GO_MOD = f"module {MODULE}\n\ngo 1.20\n".encode()


def _module_zip(version: str, size: int) -> bytes:
    """A module zip of about `size` bytes, as the go command accepts it."""
    top = f"{MODULE}@{version}"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo(f"{top}/go.mod"), _GO_MOD)
        data = random.Random(version).randbytes(size - 512)
        archive.writestr(zipfile.ZipInfo(f"{top}/data.bin"), data)
    return buffer.getvalue()


def _packument(name: str, base: str) -> dict[str, object]:
    """A document as long-lived packages have them: many versions, each with its whole manifest."""
    dice = random.Random(name)
    numbers = [f"{index // 100}.{index // 10 % 10}.{index % 10}" for index in range(PACKUMENT_VERSIONS)]
    times = {
        number: f"2024-01-01T00:{index // 60 % 60:02}:{index % 60:02}.000Z" for index, number in enumerate(numbers)
    }
    return {
        "_id": name,
        "name": name,
        "dist-tags": {"latest": numbers[-1]},
        "versions": {number: _manifest(name, number, base, dice) for number in numbers},
        "time": {"created": times[numbers[0]], "modified": times[numbers[-1]], **times},
        "readme": f"# {name}\n",
    }


def _manifest(name: str, version: str, base: str, dice: random.Random) -> dict[str, object]:
    dependencies = {f"dependency-{dice.randrange(10_000)}": f"^{dice.randrange(20)}.0.0" for _ in range(25)}
    tools = {f"tool-{dice.randrange(10_000)}": f"~{dice.randrange(20)}.1.0" for _ in range(25)}
    integrity = base64.b64encode(dice.randbytes(64)).decode()
    return {
        "name": name,
        "version": version,
        "description": "A document of the size that old packages have",
        "main": "index.js",
        "scripts": {"test": "node test.js", "build": "node build.js"},
        "dependencies": dependencies,
        "devDependencies": tools,
        "maintainers": [{"name": f"maintainer-{number}", "email": f"m{number}@mail.example"} for number in range(3)],
        "dist": {
            "tarball": f"{base}/npm/{name}/-/{name}-{version}.tgz",
            "shasum": dice.randbytes(20).hex(),
            "integrity": f"sha512-{integrity}",
            "fileCount": 20,
            "unpackedSize": 123_456,
            "signatures": [{"keyid": "SHA256:bench", "sig": base64.b64encode(dice.randbytes(70)).decode()}],
        },
    }
