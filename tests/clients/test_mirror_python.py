"""The only test that counts: mirror, pull the plug, install with pip and uv, caches empty."""

import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from tests.clients.conftest import Opener
from tests.clients.fixture_pypi import Distribution, distributions, make_wheel, pypi_index
from tests.clients.room import Room, missing
from tests.clients.shop import Shop

PIP = (sys.executable, "-m", "pip", "install", "--no-compile", "--target", "site")
PROJECT = """[project]
name = "mine"
version = "1"
requires-python = ">=3.11"
dependencies = ["acme-app", "acme-built", "acme-source"]
"""
TAGS = ("cp311-abi3-manylinux_2_17_x86_64", "cp311-abi3-macosx_11_0_arm64", "cp311-abi3-win_amd64")
BROUGHT = ("acme_app-2.0.dist-info/METADATA", "acme_core-1.1.dist-info/METADATA", "acme_source/__init__.py")

with_uv = pytest.mark.skipif(bool(missing("uv")), reason=missing("uv"))


def _built(tag: str) -> Distribution:
    return replace(
        make_wheel("acme-built", "1.0", uploaded="2024-01-01T00:00:00Z"), filename=f"acme_built-1.0-{tag}.whl"
    )


STOCK = partial(pypi_index, offer=(*distributions(), *map(_built, TAGS)))


@pytest.fixture
def shop(opened: Opener) -> Shop:
    return opened("pypi", stock=STOCK)


def _locked(shop: Shop) -> Room:
    """A room in which uv has locked; nothing of that is stored afterwards."""
    room = shop.room()
    room.write("pyproject.toml", PROJECT)
    room.run("uv", "lock")
    room.run("uv", "export", "--no-emit-project", "-o", "requirements.txt")
    shop.start_anew()
    return room


def _mirror(shop: Shop, room: Room, *arguments: str) -> str:
    files = [str(Path(room.project / one)) if one.endswith((".lock", ".txt")) else one for one in arguments]
    return shop.served.entrepot("mirror", *files)


def _other(shop: Shop, room: Room) -> Room:
    """A new machine with the same project."""
    other = shop.room()
    for name in ("pyproject.toml", "uv.lock", "requirements.txt"):
        other.write(name, room.read(name))
    return other


@with_uv
def test_mir_01_mir_02_a_lock_of_uv_is_mirrored_once_and_installed_without_upstream(shop: Shop) -> None:
    room = _locked(shop)
    _mirror(shop, room, "--lockfile", "uv.lock")
    shop.registry.forget()
    again = _mirror(shop, room, "--lockfile", "uv.lock", "--lockfile", "requirements.txt")
    assert shop.registry.artifacts_asked == []
    assert "\n0 done, " in again
    shop.go_offline()

    synced, resolved, locked = _other(shop, room), _other(shop, room), _other(shop, room)
    synced.run("uv", "sync", "--no-install-project")
    resolved.run(*PIP, "acme-app", "acme-source", "acme-built")
    (locked.project / "uv.lock").unlink()
    locked.run("uv", "lock")

    for brought in BROUGHT:
        assert any(path.endswith(brought) for path in synced.installed())
        assert any(path.endswith(brought) for path in resolved.installed())
    assert locked.read("uv.lock") == room.read("uv.lock")


@with_uv
def test_mir_02_what_requirements_with_hashes_name_is_installed_without_upstream(shop: Shop) -> None:
    room = _locked(shop)
    _mirror(shop, room, "--lockfile", "requirements.txt", "--platform", "linux/amd64", "--platform", "linux/arm64")
    assert not [path for path in shop.registry.asked(".whl") if "macosx" in path or "win_amd64" in path]
    shop.go_offline()

    pip, uv = _other(shop, room), _other(shop, room)
    pip.run(*PIP, "--require-hashes", "-r", "requirements.txt")
    uv.run("uv", "pip", "install", "--target", "site", "--require-hashes", "-r", "requirements.txt")

    for brought in BROUGHT:
        assert f"site/{brought}" in pip.installed()
        assert f"site/{brought}" in uv.installed()


@with_uv
def test_mir_02_a_package_comes_with_its_dependencies_and_is_installed_by_name(shop: Shop) -> None:
    _mirror(shop, shop.room(), "pkg:pypi/acme-app", "--latest", "1", "--dependencies", "runtime")
    shop.go_offline()

    pip, uv = shop.room(), shop.room()
    pip.run(*PIP, "acme-app")
    uv.run("uv", "pip", "install", "--target", "site", "acme-app")

    assert all(f"site/{brought}" in room.installed() for room in (pip, uv) for brought in BROUGHT[:2])
