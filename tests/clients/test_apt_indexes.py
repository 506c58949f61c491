"""apt-get through Entrepot, with the indexes that archives have besides `Packages.xz`."""

import pytest

from tests.clients.fixture_apt import NEEDED
from tests.clients.room import ClientFailed, missing
from tests.clients.test_apt import HOUR, INSTALLED, Opener, opened, signer

__all__ = ["opened", "signer"]
pytestmark = pytest.mark.skipif(bool(reason := missing(*NEEDED)), reason=reason)

REFUSES = 'unlisted = "refuse"\n'
"""So nothing is had but what we read in these indexes ourselves."""


@pytest.mark.parametrize("packer", ["gzip", "zstd"])
def test_apt_installs_whatever_packs_the_indexes(opened: Opener, packer: str) -> None:
    if reason := missing(packer):
        pytest.skip(reason)
    machine = opened(REFUSES, packer=packer).machine()
    machine.update()
    assert list(machine.install("tool")) == INSTALLED


@pytest.mark.parametrize("form", [{}, {"by_hash": False, "inline": False}], ids=["by hash", "plain"])
def test_apt_brings_its_indexes_up_to_date_by_patches(opened: Opener, form: dict[str, object]) -> None:
    scene = opened(REFUSES, patches=True, **form)  # type: ignore[arg-type]
    machine = scene.machine(further="Acquire::PDiffs=true")
    machine.update()
    for hours, version in enumerate(("1.1", "1.2", "1.3"), 1):
        scene.publish("base", version)
        scene.later(hours * HOUR)
        if version == "1.1":
            continue  # So the next update needs two of them.
        assert ".pdiff" in machine.update()
        assert list(machine.install("base")) == [f"base_{version}_amd64.deb"]
        machine.forget_packages()


@pytest.mark.parametrize("flat", [False, True])
def test_apt_gets_sources(opened: Opener, flat: bool) -> None:
    scene = opened(REFUSES, flat=flat)
    scene.archive.publish_source("tool", "1.0-2")
    scene.archive.index()
    scene.show()
    machine = scene.machine()
    machine.add_sources()
    machine.update()
    original = next(path for path in scene.registry.files if path.endswith(".orig.tar.xz"))
    scene.registry.instead = {original: b"another" * 100}
    with pytest.raises(ClientFailed, match="502"):
        machine.run("apt-get", "source", "--download-only", "tool=1.0-2")
    scene.registry.instead = {}
    machine.run("apt-get", "source", "--download-only", "tool=1.0-2")
    got = sorted(path.name for path in machine.directory.glob("tool_*"))
    assert got == ["tool_1.0-2.debian.tar.xz", "tool_1.0-2.dsc", "tool_1.0.orig.tar.xz"]
