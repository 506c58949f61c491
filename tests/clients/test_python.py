"""pip and uv: both kinds of upstream, side files, yanked files, lock files, other hosts for files."""

import json
import re
import ssl
import sys
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
import trustme

from tests.clients.conftest import Opener, Standing
from tests.clients.fixture_pypi import distributions, pypi_index
from tests.clients.registry import Registry
from tests.clients.room import ClientFailed, Room, missing
from tests.clients.shop import HOUR, Shop
from tests.faults.served import Served

AS_PIP = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01"
PIP = (sys.executable, "-m", "pip")
HTML_MIRROR = partial(pypi_index, html_only=True)

with_uv = pytest.mark.skipif(bool(missing("uv")), reason=missing("uv"))


def _wheels(room: Room, folder: str) -> list[str]:
    return sorted(path.name for path in (room.project / folder).iterdir())


def _page(shop: Shop, project: str) -> dict[str, dict[str, object]]:
    """The files of a project by name, as pip gets them."""
    page = json.loads(shop.get(f"simple/{project}/", ("accept", AS_PIP)).body)
    return {file["filename"]: file for file in page["files"]}


# --- pages: mistake 2 of protocols.md §7 ------------------------------------------------------------------------------


def test_json_from_upstream_keeps_dates_sizes_and_hashes(standing: Standing) -> None:
    shop = standing["pypi"]
    file = _page(shop, "acme-core")["acme_core-1.1-py3-none-any.whl"]
    wheel = distributions()[1]

    assert file["upload-time"] == wheel.uploaded
    assert (file["size"], file["hashes"]) == (len(wheel.body), {"sha256": wheel.sha256})
    asked = [seen.headers["accept"] for seen in shop.registry.requests if seen.path == "/simple/acme-core/"]
    assert [accept.partition(",")[0] for accept in asked] == ["application/vnd.pypi.simple.v1+json"]


def test_html_for_people_keeps_the_fragment_and_all_that_is_said_of_a_file(standing: Standing) -> None:
    shop = standing["pypi"]
    wheel = distributions()[2]

    page = shop.get("simple/acme-core/", ("accept", "text/html")).body.decode()

    line = next(line for line in page.splitlines() if wheel.filename in line)
    assert f"{wheel.filename}#sha256={wheel.sha256}" in line
    assert "data-yanked" in line
    assert f"sha256={wheel.metadata_sha256}" in line


@with_uv
def test_an_upstream_with_nothing_but_html_serves_clients_that_want_json(opened: Opener) -> None:
    shop = opened("pypi", stock=HTML_MIRROR, validators=False)
    file = _page(shop, "acme-core")["acme_core-1.1-py3-none-any.whl"]
    assert file["hashes"] == {"sha256": distributions()[1].sha256}

    rooms = [shop.room(), shop.room()]
    rooms[0].run(*PIP, "install", "--no-compile", "--target", "site", "acme-app")
    shop.restart(later=HOUR)
    shop.registry.forget()
    rooms[1].run("uv", "pip", "install", "--target", "site", "acme-app")

    assert "/simple/acme-app/" in shop.registry.asked(), "without validators it is asked for again as a whole"
    assert shop.registry.artifacts_asked == []
    assert all(any("acme_core-1.1.dist-info" in path for path in room.installed()) for room in rooms)


# --- yanked files -----------------------------------------------------------------------------------------------------


@with_uv
@pytest.mark.parametrize("stock", [pypi_index, HTML_MIRROR], ids=["json", "html"])
def test_a_yanked_version_is_installed_only_by_who_insists(opened: Opener, stock: partial[object]) -> None:
    shop = opened("pypi", stock=stock)  # type: ignore[arg-type]
    room = shop.room()

    room.run("uv", "pip", "install", "--target", "any", "acme-core")
    said = room.run(*PIP, "download", "-d", "exact", "--no-deps", "acme-core==1.2")

    assert "any/acme_core-1.1.dist-info/METADATA" in room.installed()
    assert _wheels(room, "exact") == ["acme_core-1.2-py3-none-any.whl"]
    assert "breaks <everything>" in said


# --- side files -------------------------------------------------------------------------------------------------------


def test_pip_resolves_by_the_side_files_and_fetches_no_wheel(opened: Opener) -> None:
    shop = opened("pypi")

    said = shop.room().run(*PIP, "install", "--dry-run", "--target", "site", "acme-app")

    assert "Would install acme-app-2.0 acme-core-1.1" in said
    assert len(shop.registry.asked(".whl.metadata")) == 2
    assert shop.registry.artifacts_asked == []


def test_a_side_file_that_was_changed_is_refused(opened: Opener) -> None:
    shop = opened("pypi")
    app = next(one for one in distributions() if one.project == "acme-app")
    shop.registry.instead = {f"{app.path}.metadata": app.metadata.replace(b"acme-core", b"evil-core")}

    with pytest.raises(ClientFailed, match="502"):
        shop.room().run(*PIP, "download", "-d", "wheels", "acme-app")


@with_uv
def test_without_side_files_uv_reads_the_end_of_a_wheel_that_is_fetched_once(opened: Opener) -> None:
    shop = opened("pypi", stock=partial(pypi_index, metadata=False))
    room = shop.room()
    room.write("requirements.in", "acme-app\n")

    locked = room.run("uv", "pip", "compile", "--no-header", "requirements.in")

    assert "acme-core==1.1" in locked
    gets = shop.registry.asked(".whl")
    assert len(gets) == len(set(gets))


@with_uv
def test_a_source_distribution_is_built(standing: Standing) -> None:
    room = standing["pypi"].room()
    room.run("uv", "pip", "install", "--target", "site", "acme-source")
    assert "site/acme_source/__init__.py" in room.installed()


# --- lock files -------------------------------------------------------------------------------------------------------


@with_uv
def test_hashes_that_uv_pinned_are_what_pip_gets_cold(opened: Opener) -> None:
    shop = opened("pypi")
    room = shop.room()
    room.write("requirements.in", "acme-app\n")
    room.run("uv", "pip", "compile", "--generate-hashes", "-o", "requirements.txt", "requirements.in")
    lock = room.read("requirements.txt")
    assert "127.0.0.1" not in lock

    shop.start_anew()
    other = shop.room()
    other.write("requirements.txt", lock)
    other.run(*PIP, "install", "--require-hashes", "--no-compile", "--target", "site", "-r", "requirements.txt")

    assert "site/acme_core-1.1.dist-info/METADATA" in other.installed()


@with_uv
def test_a_lock_of_uv_installs_cold_without_index(opened: Opener) -> None:
    shop = opened("pypi")
    room = shop.room()
    project = '[project]\nname = "mine"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = ["acme-app"]\n'
    room.write("pyproject.toml", project)
    room.run("uv", "lock")
    lock = room.read("uv.lock")

    shop.start_anew()
    other = shop.room()
    other.write("pyproject.toml", project)
    other.write("uv.lock", lock)
    other.run("uv", "sync", "--frozen", "--no-install-project")

    assert any("acme_core-1.1.dist-info" in path for path in other.installed())
    shop.served.stop()
    asked = re.findall(r'"path":"([^"]+)"', shop.served.log().rpartition("Entrepot serves")[2])
    assert [path for path in asked if "/simple/" in path] == [], "uv itself asked for no index"


# --- files on another host --------------------------------------------------------------------------------------------

_NAMED = """
[upstreams.index]
url = "{index}/simple/"
ca_file = "{ca_file}"
{hosts}
[repositories.pypi]
ecosystem = "pypi"
upstreams = ["index"]
"""
_FILES_TOO = """
[upstreams.files]
url = "{files}/"
ca_file = "{ca_file}"
[repositories.files]
ecosystem = "generic"
upstreams = ["files"]
"""


class Pair:
    """An index, and another host that has its files."""

    def __init__(self, stack: ExitStack, directory: Path) -> None:
        authority = trustme.CA()
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
        authority.cert_pem.write_to_path(directory / "authority.pem")
        self._stack, self._directory = stack, directory
        self.files = stack.enter_context(Registry(tls=context))
        self.index = stack.enter_context(Registry())
        everything = pypi_index(self.index.url, files_url=self.files.url)
        self.files.files = {path: file for path, file in everything.items() if path.startswith("/packages/")}
        self.index.files = {path: file for path, file in everything.items() if path not in self.files.files}

    def serve(self, config: str, hosts: str = "") -> Shop:
        text = config.format(
            index=self.index.url, files=self.files.url, ca_file=self._directory / "authority.pem", hosts=hosts
        )
        served = self._stack.enter_context(Served(self._directory / "server", text))
        return Shop(ecosystem="pypi", registry=self.index, served=served, directory=self._directory)


@pytest.fixture
def pair(stack: ExitStack, tmp_path: Path) -> Pair:
    return Pair(stack, tmp_path)


def test_files_come_from_another_host_that_the_index_names_and_the_configuration_allows(pair: Pair) -> None:
    shop = pair.serve(_NAMED + _FILES_TOO)
    room = shop.room()

    room.run(*PIP, "download", "-d", "wheels", "acme-app")

    assert _wheels(room, "wheels") == ["acme_app-2.0-py3-none-any.whl", "acme_core-1.1-py3-none-any.whl"]
    assert len(pair.files.asked(".whl")) == 2
    assert pair.index.artifacts_asked == []


def test_only_what_the_index_lists_is_fetched_from_another_host(pair: Pair) -> None:
    shop = pair.serve(_NAMED + _FILES_TOO)
    pair.files.files["/packages/unlisted.whl"] = "application/octet-stream", b"secret"

    got = shop.get(f"-/127.0.0.1:{pair.files.port}/acme-app/packages/unlisted.whl")

    assert got.status == 404
    assert pair.files.requests == []


@pytest.mark.parametrize(
    ("config", "hosts"),
    [
        pytest.param(_NAMED, "", id="a-private-address"),
        pytest.param(_NAMED, 'download_hosts = ["files.example"]', id="a-host-that-is-not-declared"),
    ],
)
def test_an_index_cannot_lead_us_to_what_is_not_allowed(pair: Pair, config: str, hosts: str) -> None:
    shop = pair.serve(config, hosts)
    wheel = distributions()[1]

    got = shop.get(f"-/127.0.0.1:{pair.files.port}/acme-core{wheel.path}")

    assert got.status in (403, 502)
    assert pair.files.requests == []
