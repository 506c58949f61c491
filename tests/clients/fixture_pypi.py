"""A small Python index made from scratch: real wheels and an sdist, hashes, sidecars, dates, a yanked file."""

import base64
import gzip
import hashlib
import io
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from urllib.parse import urlsplit

import msgspec

JSON = "application/vnd.pypi.simple.v1+json"
HTML = "text/html; charset=utf-8"

# A build backend inside the sdist, so that building it needs nothing from anywhere.
_BACKEND = '''"""Builds the wheel of this project without any build requirement."""
import base64, hashlib, os, zipfile

NAME, VERSION = "acme_source", "0.1"
DIST_INFO = f"{NAME}-{VERSION}.dist-info"
FILES = {
    f"{NAME}/__init__.py": "WORD = 'source'\\n",
    f"{DIST_INFO}/METADATA": "Metadata-Version: 2.1\\nName: acme-source\\nVersion: 0.1\\n",
    f"{DIST_INFO}/WHEEL": "Wheel-Version: 1.0\\nGenerator: acme\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
}


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    name = f"{NAME}-{VERSION}-py3-none-any.whl"
    record = []
    with zipfile.ZipFile(os.path.join(wheel_directory, name), "w") as wheel:
        for path, text in FILES.items():
            wheel.writestr(path, text)
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
            record.append(f"{path},sha256={digest},{len(text.encode())}")
        wheel.writestr(f"{DIST_INFO}/RECORD", "\\n".join([*record, f"{DIST_INFO}/RECORD,,", ""]))
    return name


def get_requires_for_build_wheel(config_settings=None):
    return []
'''


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """One file of the index."""

    project: str
    version: str
    filename: str
    body: bytes
    metadata: bytes
    uploaded: str
    requires_python: str = ">=3.8"
    yanked: str = ""

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.body).hexdigest()

    @property
    def path(self) -> str:
        return f"/packages/{self.sha256[:2]}/{self.sha256[2:4]}/{self.sha256[4:]}/{self.filename}"

    @property
    def metadata_sha256(self) -> str:
        return hashlib.sha256(self.metadata).hexdigest()


@dataclass(slots=True)
class _Archive:
    """The members of a wheel, and the record of their digests."""

    dist_info: str
    members: dict[str, bytes] = field(default_factory=dict)

    def zipped(self) -> bytes:
        record = [f"{name},sha256={_record_digest(body)},{len(body)}" for name, body in self.members.items()]
        lines = [*record, f"{self.dist_info}/RECORD,,", ""]
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as wheel:
            for name, body in (self.members | {f"{self.dist_info}/RECORD": "\n".join(lines).encode()}).items():
                wheel.writestr(zipfile.ZipInfo(name, (2024, 1, 1, 0, 0, 0)), body)
        return buffer.getvalue()


def _record_digest(body: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(body).digest()).rstrip(b"=").decode()


def make_wheel(
    project: str, version: str, *, uploaded: str, requires: tuple[str, ...] = (), yanked: str = ""
) -> Distribution:
    """A wheel of one module, `WORD` in it names project and version."""
    module = project.replace("-", "_")
    dist_info = f"{module}-{version}.dist-info"
    metadata = "\n".join(
        [
            "Metadata-Version: 2.1",
            f"Name: {project}",
            f"Version: {version}",
            "Requires-Python: >=3.8",
            *(f"Requires-Dist: {requirement}" for requirement in requires),
            "",
        ]
    ).encode()
    archive = _Archive(dist_info)
    archive.members[f"{module}/__init__.py"] = f"WORD = '{project} {version}'\n".encode()
    archive.members[f"{dist_info}/METADATA"] = metadata
    archive.members[f"{dist_info}/WHEEL"] = (
        b"Wheel-Version: 1.0\nGenerator: acme\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    )
    return Distribution(
        project=project,
        version=version,
        filename=f"{module}-{version}-py3-none-any.whl",
        body=archive.zipped(),
        metadata=metadata,
        uploaded=uploaded,
        yanked=yanked,
    )


def make_sdist() -> Distribution:
    """An sdist that builds itself (PEP 517, `backend-path`)."""
    metadata = b"Metadata-Version: 2.1\nName: acme-source\nVersion: 0.1\nRequires-Python: >=3.8\n"
    members = {
        "pyproject.toml": b'[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        b'[project]\nname = "acme-source"\nversion = "0.1"\nrequires-python = ">=3.8"\n',
        "backend.py": _BACKEND.encode(),
        "PKG-INFO": metadata,
    }
    buffer = io.BytesIO()
    # The time in the header of gzip is fixed too: every call gives the same bytes.
    with (
        gzip.GzipFile(fileobj=buffer, mode="wb", mtime=1704067200) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for name, body in members.items():
            member = tarfile.TarInfo(f"acme_source-0.1/{name}")
            member.size, member.mtime = len(body), 1704067200
            archive.addfile(member, io.BytesIO(body))
    return Distribution(
        project="acme-source",
        version="0.1",
        filename="acme_source-0.1.tar.gz",
        body=buffer.getvalue(),
        metadata=metadata,
        uploaded="2024-03-01T00:00:00.000000Z",
    )


def distributions(*, later: bool = False) -> tuple[Distribution, ...]:
    """`later`: after acme-core 1.3 was published."""
    known = (
        make_wheel("acme-core", "1.0", uploaded="2024-01-01T00:00:00.000000Z"),
        make_wheel("acme-core", "1.1", uploaded="2024-02-01T12:30:00.123456Z"),
        make_wheel("acme-core", "1.2", uploaded="2024-02-02T00:00:00.000000Z", yanked="breaks <everything>"),
        make_wheel("acme-app", "2.0", uploaded="2024-04-01T00:00:00.000000Z", requires=("acme-core>=1.0",)),
        make_sdist(),
    )
    return (*known, make_wheel("acme-core", "1.3", uploaded="2024-05-01T00:00:00.000000Z")) if later else known


def dated_pypi(base_url: str, packages: Mapping[str, Mapping[str, str]]) -> dict[str, tuple[str, bytes]]:
    """Projects, their versions, and when each was uploaded."""
    wheels = [
        make_wheel(project, version, uploaded=date)
        for project, versions in packages.items()
        for version, date in versions.items()
    ]
    return pypi_index(base_url, offer=wheels)


def pypi_index(
    base_url: str,
    *,
    html_only: bool = False,
    metadata: bool = True,
    later: bool = False,
    files_url: str = "",
    offer: Sequence[Distribution] = (),
) -> dict[str, tuple[str, bytes]]:
    """Every resource of the index by its path from the origin's root: content type and body.

    `base_url` is the URL that `/simple/` and `/packages/` lie below, without a trailing slash. With `html_only` the
    pages are the HTML of a plain mirror, without dates and sizes; without `metadata` wheels have no sidecars.
    `files_url`: another host, which the JSON pages name for all files. `offer`: these instead.
    """
    root = urlsplit(base_url).path.rstrip("/")
    offered: dict[str, list[Distribution]] = {}
    for one in offer or distributions(later=later):
        offered.setdefault(one.project, []).append(one)
    found: dict[str, tuple[str, bytes]] = {f"{root}/simple/": _names(sorted(offered), html_only)}
    for project, files in offered.items():
        if html_only:
            page = _html_page(project, files, metadata)
        else:
            page = _json_page(files_url or base_url, project, files, metadata)
        found[f"{root}/simple/{project}/"] = (HTML if html_only else JSON), page
        found[f"{root}/pypi/{project}/json"] = "application/json", _legacy(base_url, project, files)
        for one in files:
            found[root + one.path] = "application/octet-stream", one.body
            if metadata and one.filename.endswith(".whl"):
                found[f"{root}{one.path}.metadata"] = "application/octet-stream", one.metadata
    return found


def _names(projects: list[str], html_only: bool) -> tuple[str, bytes]:
    if html_only:
        anchors = "".join(f'<a href="{name}/">{name}</a>\n' for name in projects)
        return HTML, f"<!DOCTYPE html><title>Simple index</title>\n{anchors}".encode()
    listed = {"meta": {"api-version": "1.4"}, "projects": [{"name": name} for name in projects]}
    return JSON, msgspec.json.encode(listed)


def _json_page(base_url: str, project: str, files: list[Distribution], metadata: bool) -> bytes:
    page = {
        "meta": {"api-version": "1.4"},
        "name": project,
        "versions": list(dict.fromkeys(one.version for one in files)),
        "files": [_json_file(base_url, one, metadata) for one in files],
    }
    return msgspec.json.encode(page)


def _json_file(base_url: str, one: Distribution, metadata: bool) -> Mapping[str, object]:
    sidecar = metadata and one.filename.endswith(".whl")
    return {
        "filename": one.filename,
        "url": base_url + one.path,
        "hashes": {"sha256": one.sha256},
        "requires-python": one.requires_python,
        "size": len(one.body),
        "upload-time": one.uploaded,
        "yanked": one.yanked or False,
        "core-metadata": {"sha256": one.metadata_sha256} if sidecar else False,
    }


def _html_page(project: str, files: list[Distribution], metadata: bool) -> bytes:
    anchors = "".join(_anchor(one, metadata and one.filename.endswith(".whl")) for one in files)
    return f"<!DOCTYPE html>\n<title>Links for {project}</title>\n<h1>Links for {project}</h1>\n{anchors}".encode()


def _anchor(one: Distribution, sidecar: bool) -> str:
    attributes = f'href="../..{one.path}#sha256={one.sha256}" data-requires-python="{escape(one.requires_python)}"'
    if sidecar:
        attributes += f' data-dist-info-metadata="sha256={one.metadata_sha256}"'
    if one.yanked:
        attributes += f' data-yanked="{escape(one.yanked)}"'
    return f"<a {attributes}>{one.filename}</a><br>\n"


def _legacy(base_url: str, project: str, files: list[Distribution]) -> bytes:
    releases: dict[str, list[Mapping[str, object]]] = {}
    for one in files:
        entry = {
            "filename": one.filename,
            "url": base_url + one.path,
            "digests": {"sha256": one.sha256},
            "size": len(one.body),
            "upload_time_iso_8601": one.uploaded,
            "requires_python": one.requires_python,
            "yanked": bool(one.yanked),
            "yanked_reason": one.yanked or None,
        }
        releases.setdefault(one.version, []).append(entry)
    latest = files[-1].version
    info = {"name": project, "version": latest, "requires_dist": None}
    return msgspec.json.encode({"info": info, "releases": releases, "urls": releases[latest]})
