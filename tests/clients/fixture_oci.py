"""Images as files, and a registry of Debian's that has them (docker-registry 2.8.2), filled by skopeo."""

import gzip
import hashlib
import json
import re
import subprocess
import tarfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Self

from tests.rogue import KeptPort

IMAGE = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
READY_SECONDS = 20.0
_LINE = re.compile(r'"(GET|HEAD|PUT|POST|PATCH) (\S+) HTTP/1\.1" (\d+)')

Json = dict[str, object]


@dataclass(slots=True)
class Layout:
    """An OCI image layout in a directory (image-spec, image-layout.md)."""

    directory: Path
    _tags: list[Json] = field(default_factory=list)

    def __post_init__(self) -> None:
        (self.directory / "blobs/sha256").mkdir(parents=True)
        (self.directory / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')

    def blob(self, body: bytes, media_type: str) -> Json:
        digest = hashlib.sha256(body).hexdigest()
        (self.directory / "blobs/sha256" / digest).write_bytes(body)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(body)}

    def image(self, text: str, architecture: str = "amd64", created: str = "2024-05-06T07:08:09Z") -> Json:
        """Its descriptor: one layer with one file."""
        layer = _layer(text)
        config = {
            "architecture": architecture,
            "os": "linux",
            "created": created,
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(gzip.decompress(layer)).hexdigest()}"]},
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": IMAGE,
            "config": self.blob(json.dumps(config).encode(), CONFIG),
            "layers": [self.blob(layer, LAYER)],
        }
        platform = {"os": "linux", "architecture": architecture}
        return self.blob(json.dumps(manifest).encode(), IMAGE) | {"platform": platform}

    def index(self, *images: Json) -> Json:
        return self.blob(
            json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": list(images)}).encode(), INDEX
        )

    def tag(self, descriptor: Json, name: str) -> None:
        self._tags.append({**descriptor, "annotations": {"org.opencontainers.image.ref.name": name}})
        (self.directory / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": self._tags}))

    def read(self, digest: object) -> bytes:
        return (self.directory / "blobs" / str(digest).replace(":", "/")).read_bytes()


def _layer(text: str) -> bytes:
    packed = BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        member = tarfile.TarInfo("etc/what")
        member.size = len(text)
        archive.addfile(member, BytesIO(text.encode()))
    return gzip.compress(packed.getvalue(), mtime=0)


@dataclass(slots=True)
class DockerRegistry:
    """A context manager. What it holds stays when it stops."""

    directory: Path
    auth: Mapping[str, str] = field(default_factory=dict)
    """Of its configuration, `auth: token:`; empty: everybody may do everything."""
    _kept: KeptPort = field(default_factory=KeptPort)
    _process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.directory.mkdir(parents=True, exist_ok=True)
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._kept.number}"

    @property
    def url(self) -> str:
        return f"http://{self.host}"

    @property
    def _log(self) -> Path:
        return self.directory / "log"

    def start(self) -> None:
        config = self.directory / "config.yml"
        config.write_text(
            "version: 0.1\nlog: {level: error, accesslog: {disabled: false}}\n"
            f"storage: {{filesystem: {{rootdirectory: {self.directory}/data}}, delete: {{enabled: true}}}}\n"
            f"http: {{addr: '{self.host}', secret: of-this-test}}\n"
            + (f"auth: {{token: {json.dumps(dict(self.auth))}}}\n" if self.auth else "")
        )
        with self._log.open("ab") as log:
            command = ["docker-registry", "serve", str(config)]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + READY_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the registry did not get ready:\n{self._log.read_text()[-2000:]}")
            time.sleep(0.02)
        self.forget()

    def _answers(self) -> bool:
        try:
            urllib.request.urlopen(f"{self.url}/v2/", timeout=5).close()
        except urllib.error.HTTPError as error:
            return error.code == 401
        except OSError:
            return False
        return True

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)
            self._process = None

    def forget(self) -> None:
        """What was asked so far."""
        self._log.write_bytes(b"")

    def asked(self, method: str = "GET", what: str = "") -> list[str]:
        """The paths of the requests that came, oldest first."""
        found = _LINE.findall(self._log.read_text())
        return [path for verb, path, _ in found if verb == method and what in path and path != "/v2/"]

    def push(self, layout: Layout, tag: str, name: str, *options: str) -> None:
        """Under the same tag."""
        command = ["skopeo", "--insecure-policy", "copy", "--all", "--quiet", "--dest-tls-verify=false", *options]
        subprocess.run(
            [*command, f"oci:{layout.directory}:{tag}", f"docker://{self.host}/{name}:{tag}"],
            check=True,
            capture_output=True,
            timeout=60,
        )
        self.forget()
