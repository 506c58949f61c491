"""Trees with a whole server, real upstreams that list their directories, and clients at the front door."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from entrepot.cli.control import Control
from tests.faults.served import Served
from tests.faults.wire import Got
from tests.integration.listing_servers import Kind, can_run, listing_server
from tests.waiting import eventually

NAMES = ("a b(1).txt", "100%.txt", "sub/é;x&y.txt", "sub/deep/a+b#c?.txt", "~x")
CONFIG = """
[server]
access_log = "off"
[fills]
{fills}
[upstreams.origin]
url = "http://{origin}"
{auth}
[repositories.files]
ecosystem = "generic"
upstreams = ["origin"]
{network}
[[repositories.files.trees]]
path = "/"
{tokens}
"""
TOKEN = "token-of-a-reader"
TOKENS = f"""
[[tokens]]
name = "reader"
sha256 = "{hashlib.sha256(TOKEN.encode()).hexdigest()}"
repositories = ["*"]
rights = ["read"]
"""


def config(origin: tuple[str, int], **parts: str) -> str:
    filled = {"fills": "", "auth": "", "network": "", "tokens": ""} | parts
    return CONFIG.format(origin="{}:{}".format(*origin), **filled)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in NAMES:
        path = tmp_path / "root" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"bytes of {name}")
        os.utime(path, (1_700_000_000, 1_700_000_000))
    return tmp_path / "root"


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    (tmp_path / "scratch").mkdir()
    return tmp_path / "scratch"


def listed(served: Served, path: str = "/files/") -> dict[str, bool]:
    """Names, and whether they are held."""
    got = served.get(path, [("accept", "application/json")])
    return {one["name"]: one.get("held", True) for one in json.loads(got.body)} if got.status == 200 else {}


def jobs(served: Served) -> list[dict[str, object]]:
    control = Control.connect(served.data)
    assert control is not None
    with control:
        told = control.call("mirror-jobs")
    assert isinstance(told, list)
    return told


def ended(served: Served) -> bool:
    return any(str(job["state"]).startswith("completed") for job in jobs(served))


@pytest.mark.parametrize("kind", ["nginx json", "nginx html", "python"])
def test_z_02_a_read_has_a_real_tree_mirrored_which_is_then_had_offline(
    kind: Kind, root: Path, scratch: Path, tmp_path: Path
) -> None:
    if not can_run(kind):
        pytest.skip("nginx is not here")
    with listing_server(kind, root, scratch) as origin, Served(tmp_path, config(origin)) as served:
        assert set(listed(served)) == {"a b(1).txt", "100%.txt", "sub", "~x"}
        assert eventually(lambda: ended(served))
    offline = config(origin, network='network = "offline"')
    with Served(tmp_path, offline) as served:
        for name in NAMES:
            quoted = name.translate({ord(one): f"%{ord(one):02X}" for one in " %#?;&"}).replace("é", "%C3%A9")
            assert served.get(f"/files/{quoted}").body.decode() == f"bytes of {name}"
        assert listed(served) == dict.fromkeys(("a b(1).txt", "100%.txt", "sub", "~x"), True)
        assert b"a+b#c?.txt</a>" in served.get("/files/sub/deep/").body
        assert served.get("/files/nowhere/").status == 504


@pytest.fixture
def served(root: Path, scratch: Path, tmp_path: Path) -> Iterator[Served]:
    with listing_server("python", root, scratch) as origin, Served(tmp_path, config(origin)) as served:
        yield served


def test_w_19_probes_for_names_begin_no_walk_and_hits_from_memory_do(served: Served) -> None:
    served.get("/files/nowhere")
    served.get("/files/a%20b(1).txt", method="HEAD")
    served.get("/files/sub/", method="POST")
    assert not jobs(served)
    first: Got = served.get("/files/~x")
    assert first.status == 200
    assert eventually(lambda: ended(served))
    assert [job["client"] for job in jobs(served)] == ["access"]


def test_z_17_what_was_walked_is_exported_as_plain_files_in_place_of_a_cache_that_is_a_root(
    served: Served, tmp_path: Path
) -> None:
    served.get("/files/~x")
    assert eventually(lambda: ended(served))
    command = [str(Path(sys.executable).with_name("entrepot")), "export", "--all", "--tree", str(tmp_path / "out")]
    subprocess.run([*command, "--data", str(served.data)], check=True, capture_output=True)
    bodies = {path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert {f"bytes of {name}".encode() for name in NAMES} <= bodies


def test_w_18_what_credentials_brought_is_shown_to_none_without_a_token(
    root: Path, scratch: Path, tmp_path: Path
) -> None:
    """And Z13: the walk has what the upstream's own credentials may see."""
    if not can_run("nginx json"):
        pytest.skip("nginx is not here")
    auth = '[upstreams.origin.auth]\nkind = "basic"\nusername = "me"\npassword_env = "ORIGIN_PASSWORD"'
    with listing_server("nginx json", root, scratch, user="me:secret") as origin:
        served = Served(tmp_path, config(origin, auth=auth, tokens=TOKENS))
        try:
            served.start(environment={"ORIGIN_PASSWORD": "secret"})
            bearer = ("authorization", f"Bearer {TOKEN}")
            shown = served.get("/files/", [bearer])
            assert (shown.status, "private" in shown.headers.get("cache-control")) == (200, True)
            assert eventually(lambda: ended(served))
            for path in ("/files/", "/files/sub/", "/files/~x"):
                assert served.get(path).status == 401
                assert served.get(path, [bearer]).status == 200
        finally:
            served.stop()


def test_z_13_a_walk_uses_the_credentials_of_its_upstream(root: Path, scratch: Path, tmp_path: Path) -> None:
    if not can_run("nginx json"):
        pytest.skip("nginx is not here")
    with listing_server("nginx json", root, scratch, user="me:secret") as origin:
        with Served(tmp_path, config(origin)) as served:
            assert served.get("/files/").status == 502
        auth = '[upstreams.origin.auth]\nkind = "basic"\nusername = "me"\npassword_env = "ORIGIN_PASSWORD"'
        served = Served(tmp_path, config(origin, auth=auth))
        try:
            served.start(environment={"ORIGIN_PASSWORD": "secret"})
            assert served.get("/files/").status == 200
            assert eventually(lambda: listed(served, "/files/sub/").get("é;x&y.txt", False))
        finally:
            served.stop()
