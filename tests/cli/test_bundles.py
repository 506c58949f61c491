"""`entrepot export`, `entrepot import` and `entrepot bundles`, as people type them."""

import hashlib
import json
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import CONFIG, FILE, STOCK
from tests.cli.house import House, fetch
from tests.cli.registry import Registry

OFFLINE = 'network = "offline"\n'
AWAY = "https://registry.internal.example"
"""What an air-gapped site has as upstream: nobody is there."""


@pytest.fixture
def island(tmp_path: Path) -> House:
    """A site without a network, with nothing in it yet."""
    house = House(
        directory=tmp_path / "island", config=OFFLINE + CONFIG.format(url=AWAY), data=tmp_path / "island-data"
    )
    house.furnish()
    return house


def keys(house: House) -> tuple[str, str]:
    file = house.directory / "key"
    done = house.entrepot("bundles", "keygen", str(file))
    assert (done.status, done.err) == (0, "")
    assert f'trusted_keys = ["{Path(f"{file}.pub").read_text().strip()}"]' in done.out
    return str(file), f"{file}.pub"


def test_everything_goes_over_and_is_served_offline(stocked: House, island: House, tmp_path: Path) -> None:
    private, public = keys(stocked)
    bundle = str(tmp_path / "b.tar.zst")
    with stocked.serving():
        done = stocked.entrepot("export", bundle, "--all", "--key", private)
    assert (done.status, done.err) == (0, "")
    assert done.out.startswith("wrote bundle 1 of store ")
    taken = island.process("import", bundle, "--trust", public)
    assert (taken.status, taken.err) == (0, "")
    assert "took over bundle 1 of store" in taken.out
    with stocked.serving() as here:
        bodies = {path: fetch(f"{here}/{path}") for path in STOCK if path != "npm/left"}
    with island.serving() as there:
        assert {path: fetch(f"{there}/{path}") for path in bodies} == bodies
    listed = json.loads(island.process("bundles", "--json").out)
    assert [one["number"] for one in listed["taken"]] == [1]
    assert "signed by" in island.process("bundles").out


def test_a_server_takes_a_bundle_over_while_it_serves(stocked: House, island: House, tmp_path: Path) -> None:
    bundle = str(tmp_path / "b.tar.zst")
    assert stocked.entrepot("export", bundle, "--repository", "plain").status == 0
    with island.serving() as there:
        refused = island.process("import", bundle)
        assert refused.status == 2
        assert "it is not signed" in refused.err
        checked = island.process("import", bundle, "--allow-unsigned", "--dry-run")
        assert (checked.status, "checked bundle 1" in checked.out) == (0, True)
        assert island.process("import", bundle, "--allow-unsigned").status == 0
        assert fetch(f"{there}/{FILE}") == b"the first thing"


def test_a_key_of_the_configuration_is_believed(stocked: House, island: House, tmp_path: Path) -> None:
    private, public = keys(stocked)
    bundle = str(tmp_path / "b.tar.zst")
    assert stocked.entrepot("export", bundle, "--all", "--key", private).status == 0
    text = (island.directory / "entrepot.toml").read_text()
    trusted = f"{text}\n[bundles]\ntrusted_keys = [{json.dumps(Path(public).read_text().strip())}]\n"
    (island.directory / "entrepot.toml").write_text(trusted)
    assert island.process("import", bundle).status == 0


def test_what_is_not_held_is_listed_and_nothing_is_written(house: House, registry: Registry, tmp_path: Path) -> None:
    house.data.mkdir()
    bundle = tmp_path / "b.tar.zst"
    done = house.process("export", str(bundle), "pkg:npm/left@1.0.0")
    assert (done.status, bundle.exists(), done.out) == (2, False, "nothing was written\n")
    assert "entrepot: not held: npm/left/-/left-1.0.0.tgz: not held" in done.err
    assert "mirror it first" in done.err
    assert house.process("mirror", "pkg:npm/left@1.0.0").status == 0
    left = {"version": "1.0.0", "resolved": f"{registry.url}/npm/left/-/left-1.0.0.tgz"}
    lock = {"name": "mine", "lockfileVersion": 3, "packages": {"": {"name": "mine"}, "node_modules/left": left}}
    (house.directory / "package-lock.json").write_text(json.dumps(lock))
    assert house.process("export", str(bundle), "--lockfile", "package-lock.json").status == 0
    later = house.process("export", str(tmp_path / "c.tar.zst"), "--since-last")
    assert (later.status, later.out) == (0, "nothing was written: there is nothing (new) to export\n")
    job = json.loads(house.process("mirror", "list", "--json").out)[0]["id"]
    by_job = house.process("export", str(tmp_path / "d.tar.zst"), "--job", job)
    assert by_job.status == 0
    assert house.process("export", str(tmp_path / "e.tar.zst"), "--job", "none").status == 2


def test_a_server_exports_what_a_lock_file_and_a_bill_of_materials_name(
    house: House, registry: Registry, tmp_path: Path
) -> None:
    left = {"version": "1.0.0", "resolved": f"{registry.url}/npm/left/-/left-1.0.0.tgz"}
    lock = {"name": "mine", "lockfileVersion": 3, "packages": {"": {"name": "mine"}, "node_modules/left": left}}
    (house.directory / "package-lock.json").write_text(json.dumps(lock))
    bill = {"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [{"purl": "pkg:npm/left@1.0.0"}]}
    (house.directory / "bom.json").write_text(json.dumps(bill))
    with house.serving():
        assert house.process("mirror", "--lockfile", "package-lock.json").status == 0
        for number, chosen in enumerate((["--lockfile", "package-lock.json"], ["--sbom", "bom.json"])):
            bundle = tmp_path / f"{number}.tar.zst"
            done = house.process("export", str(bundle), *chosen)
            assert (done.status, done.err, bundle.is_file()) == (0, "", True)


def test_a_repository_that_is_not_there_is_told_with_the_lines_to_add(
    stocked: House, island: House, tmp_path: Path
) -> None:
    bundle = str(tmp_path / "b.tar.zst")
    assert stocked.entrepot("export", bundle, "--all").status == 0
    (island.directory / "entrepot.toml").write_text(
        OFFLINE + f'[repositories.npm]\necosystem = "npm"\nupstreams = ["{AWAY}/npm/"]\n'
        f'[repositories.python]\necosystem = "pypi"\nupstreams = ["{AWAY}/simple/"]\n'
    )
    done = island.process("import", bundle, "--allow-unsigned", "--into", "pypi=python")
    assert done.status == 2
    assert '[repositories.plain]\necosystem = "pypi"\nupstreams = ["http' in done.err
    assert "[repositories.pypi]" not in done.err
    with island.serving() as there:
        assert b"acme" in fetch(f"{there}/python/simple/acme-app/")


def test_what_frozen_sessions_keep_goes_into_no_bundle_and_no_tree(stocked: House, tmp_path: Path) -> None:
    before = stocked.entrepot("export", str(tmp_path / "a.tar.zst"), "--all")
    ask = "import os, urllib.request as web; web.urlopen(os.environ['PIP_INDEX_URL'] + 'acme-app/').read()"
    frozen = stocked.process("run", "--freeze", "--", sys.executable, "-c", ask)
    assert (frozen.status, " is frozen" in frozen.err) == (0, True)
    after = stocked.entrepot("export", str(tmp_path / "b.tar.zst"), "--all")
    assert (after.status, after.out.splitlines()[0].split(", to ")[0]) == (0, before.out.split(", to ")[0])
    done = stocked.entrepot("export", "--tree", str(tmp_path / "tree"), "--repository", "pypi")
    assert (done.status, done.err) == (0, "")
    assert (tmp_path / "tree/pypi/simple/acme-app/index.html").is_file()


def test_a_tree_has_files_and_their_sums(stocked: House, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    refused = stocked.entrepot("export", "--tree", str(tree), "--all")
    assert (refused.status, tree.exists()) == (2, False)
    assert "--base-url" in refused.err
    nowhere = stocked.entrepot("export", "--tree", str(tree / "deep" / "below"), "--repository", "pypi")
    assert (nowhere.status, f"{tree / 'deep'}: there is no such directory" in nowhere.err) == (2, True)
    done = stocked.entrepot("export", "--tree", str(tree), "--all", "--base-url", "http://packages.example/")
    assert (done.status, done.err) == (0, "")
    assert (tree / FILE).read_bytes() == b"the first thing"
    packument = json.loads((tree / "npm/left/index.html").read_text())
    assert packument["versions"]["1.0.0"]["dist"]["tarball"] == "http://packages.example/npm/left/-/left-1.0.0.tgz"
    lines = (tree / "SHA256SUMS").read_text().splitlines()
    sums = {name: found for found, _, name in (line.partition("  ./") for line in lines)}
    files = {str(file.relative_to(tree)) for file in tree.rglob("*") if file.is_file()}
    assert files == {*sums, "SHA256SUMS", "clients.txt"}
    assert all(hashlib.sha256((tree / name).read_bytes()).hexdigest() == found for name, found in sums.items())
    assert "pip config set global.index-url http://packages.example/pypi/simple/" in (tree / "clients.txt").read_text()
    again = stocked.entrepot("export", "--tree", str(tree), "--all", "--base-url", "http://packages.example/")
    assert (again.status, "it is there already" in again.err) == (2, True)


@pytest.mark.parametrize(
    "arguments",
    [
        ("export",),
        ("export", "b.tar.zst"),
        ("export", "a.tar.zst", "b.tar.zst", "--all"),
        ("export", "b.tar.zst", "--since", "7"),
        ("export", "b.tar.zst", "--since-last"),
        ("export", "b.tar.zst", "--repository", "none"),
        ("export", "b.tar.zst", "--all", "--key", "none"),
        ("export", "none/b.tar.zst", "--all"),
        ("import", "none"),
        ("import", "none", "--into", "pypi"),
    ],
)
def test_a_mistake_in_the_call_is_one_line(stocked: House, arguments: tuple[str, ...]) -> None:
    done = stocked.entrepot(*arguments)
    assert done.status == 2
    assert done.err.startswith("entrepot: error: ")
    assert done.err.count("\n") == 1
    assert not list(stocked.directory.glob("*.zst*"))
