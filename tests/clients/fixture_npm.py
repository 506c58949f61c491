"""A small npm registry made from nothing: what a static server must answer, by path."""

import base64
import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from urllib.parse import urlsplit

Files = dict[str, tuple[str, bytes]]

TARBALL = "application/octet-stream"
JSON = "application/json"


def npm_registry(base_url: str, *, later: bool = False) -> Files:
    """Raw request path (from the root of the server, as clients spell it) to content type and body.

    `base_url` is where the registry is mounted; it may have a path. Packages:

    - `left` 1.0.0, 1.1.0 and 2.0.0-beta.1 (tag `beta`); depends on `@acme/foo`
    - `@acme/foo` 1.0.0 and 1.1.0, with signatures and attestations
    - `old` 0.1.0, with nothing but a sha1
    - `odd` 1.0.0, whose tarball is at an unconventional path of the same origin
    - `scripted` 1.0.0, with an install script and a binary

    `later`: after `left` 1.2.0 was published.
    """
    registry = _Registry(base_url.rstrip("/"))
    registry.publish("@acme/foo", "1.0.0", "2024-03-01T10:00:00.000Z", attested=True)
    registry.publish("@acme/foo", "1.1.0", "2024-04-01T10:00:00.000Z", attested=True)
    registry.publish("left", "1.0.0", "2024-05-01T10:00:00.000Z", dependencies={"@acme/foo": "^1.0.0"})
    registry.publish("left", "1.1.0", "2024-06-01T10:00:00.000Z", dependencies={"@acme/foo": "^1.0.0"})
    registry.publish("left", "2.0.0-beta.1", "2024-07-01T10:00:00.000Z", tag="beta")
    registry.publish("old", "0.1.0", "2012-01-01T10:00:00.000Z", integrity=False)
    registry.publish("odd", "1.0.0", "2024-01-01T10:00:00.000Z", at="/downloads/odd/1.0.0/archive.tgz")
    registry.publish("scripted", "1.0.0", "2024-01-01T10:00:00.000Z", scripted=True)
    if later:
        registry.publish("left", "1.2.0", "2024-08-01T10:00:00.000Z", dependencies={"@acme/foo": "^1.0.0"})
    return registry.files()


def dated_npm(base_url: str, packages: Mapping[str, Mapping[str, str]]) -> Files:
    """Packages, their versions, and when each was published; the last is `latest`."""
    registry = _Registry(base_url.rstrip("/"))
    for name, versions in packages.items():
        for version, date in versions.items():
            registry.publish(name, version, date)
    return registry.files()


class _Registry:
    def __init__(self, base_url: str) -> None:
        parts = urlsplit(base_url)
        self._base, self._origin, self._mount = base_url, f"{parts.scheme}://{parts.netloc}", parts.path
        self._packages: dict[str, dict[str, dict[str, object]]] = {}
        self._times: dict[str, dict[str, str]] = {}
        self._tags: dict[str, dict[str, str]] = {}
        self._files: Files = {}

    def publish(
        self,
        name: str,
        version: str,
        date: str,
        *,
        tag: str = "latest",
        at: str = "",
        dependencies: dict[str, str] | None = None,
        integrity: bool = True,
        attested: bool = False,
        scripted: bool = False,
    ) -> None:
        manifest: dict[str, object] = {"name": name, "version": version, "main": "index.js"}
        if dependencies:
            manifest["dependencies"] = dependencies
        if scripted:
            manifest |= {"scripts": {"postinstall": "node index.js"}, "bin": {name: "index.js"}}
        tarball = _packed(manifest)
        path = at or f"{self._mount}/{name}/-/{name.rpartition('/')[2]}-{version}.tgz"
        self._files[path] = (TARBALL, tarball)
        dist: dict[str, object] = {"tarball": f"{self._origin}{path}", "shasum": hashlib.sha1(tarball).hexdigest()}
        if integrity:
            dist["integrity"] = f"sha512-{base64.b64encode(hashlib.sha512(tarball).digest()).decode()}"
        if attested:
            dist |= self._attest(name, version)
        self._packages.setdefault(name, {})[version] = manifest | {"_id": f"{name}@{version}", "dist": dist}
        self._times.setdefault(name, {})[version] = date
        self._tags.setdefault(name, {})[tag] = version

    def files(self) -> Files:
        packuments = {f"{self._mount}/{_escape(name)}": (JSON, self._packument(name)) for name in self._packages}
        keys = {f"{self._mount}/-/npm/v1/keys": (JSON, b'{"keys":[]}')}
        advisories = {f"{self._mount}/-/npm/v1/security/advisories/bulk": (JSON, b"{}")}
        return self._files | packuments | keys | advisories

    def _attest(self, name: str, version: str) -> dict[str, object]:
        path = f"/-/npm/v1/attestations/{_escape(name)}@{version}"
        self._files[f"{self._mount}{path}"] = (JSON, b'{"attestations":[]}')
        attestations = {"url": f"{self._base}{path}", "provenance": {"predicateType": "https://slsa.example/v1"}}
        return {"signatures": [{"keyid": "SHA256:example", "sig": "MEUCIQ=="}], "attestations": attestations}

    def _packument(self, name: str) -> bytes:
        dates = self._times[name]
        document = {
            "_id": name,
            "name": name,
            "dist-tags": self._tags[name],
            "versions": self._packages[name],
            "time": {"created": min(dates.values()), "modified": max(dates.values()), **dates},
            "readme": f"# {name}\n",
        }
        return json.dumps(document).encode()


def _packed(manifest: dict[str, object]) -> bytes:
    """The same bytes in every run."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, body in {"package.json": json.dumps(manifest).encode(), "index.js": b"module.exports = 1\n"}.items():
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size = len(body)
            tar.addfile(entry, io.BytesIO(body))
    return gzip.compress(archive.getvalue(), mtime=0)


def _escape(name: str) -> str:
    return name.replace("/", "%2f")
