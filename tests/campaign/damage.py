"""Stored files that somebody changed behind the server's back."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.campaign.scene import Finding, Scene, judge
from tests.campaign.table import Table

WARM = ("warm", "fresh index", "stale index")
AS_ANYBODY = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search")
"""Root without its right to read everything: file modes count then, as they do for ordinary users."""

Damage = Callable[[Path], None]


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    _rewrite(path, bytes(data))


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def empty(path: Path) -> None:
    os.truncate(path, 0)


def become_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "inside").write_text("in the way")


def become_link(path: Path) -> None:
    """To a file of the same size with other bytes."""
    other = path.with_name(f"other-{path.name[:8]}")
    other.write_bytes(bytes(path.stat().st_size))
    path.unlink()
    path.symlink_to(other)


def hide(path: Path) -> None:
    path.chmod(0)


def _rewrite(path: Path, data: bytes) -> None:
    """In place: the inode stays, and so does the time that programs can set."""
    status = path.stat()
    with open(path, "r+b") as file:
        file.write(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


DAMAGES: dict[str, Damage] = {
    "flipped": flip,
    "truncated": cut,
    "emptied": empty,
    "deleted": Path.unlink,
    "replaced by a directory": become_directory,
    "replaced by a symlink": become_link,
    "made mode 000": hide,
}


def blobs_of(data: Path) -> Iterator[Path]:
    for path in sorted(data.glob("blobs/*/*")):
        if path.is_file() and not path.is_symlink() and len(path.name) == 62:
            yield path


def damage_all(scene: Scene, damage: Damage) -> int:
    """Every stored file; how many."""
    paths = list(blobs_of(scene.server.data))
    for path in paths:
        damage(path)
    return len(paths)


def check_damage(table: Table) -> None:
    for name, damage in DAMAGES.items():
        for restarted in (False, True):
            when = "while stopped" if restarted else "while served"
            with Scene(prefix=AS_ANYBODY if damage is hide else ()) as scene:
                scene.start()
                scene.probe(WARM)
                if restarted:
                    scene.server.stop()
                assert damage_all(scene, damage) > 0
                if restarted:
                    scene.server.start()
                before = scene.origin.count("/files/pkg-0.tar.gz")
                judge(table, f"stored files {name} {when}", scene.probe(WARM))
                again = scene.origin.count("/files/pkg-0.tar.gz") - before
                _judge_healing(table, scene, f"stored files {name} {when}: healed", again)
                scene.server.stop()


def _judge_healing(table: Table, scene: Scene, name: str, fetched: int) -> None:
    """The artifact came again, once, and is stored; no entry is left without its bytes."""
    stored = scene.wait_until_stored(scene.warm_path)
    unsound = [entry for entry in scene.check.broken_entries() if entry.endswith("pkg-0.tar.gz")]
    measured = f"fetched {fetched} ×, {'stored' if stored and not unsound else 'not stored'}"
    table.add(name, "fetched once, stored again", measured, fetched == 1 and stored and not unsound)


def check_damage_in_the_dark(table: Table) -> None:
    """The same without an upstream: there is nothing right to serve then, and nothing may be served."""
    for name, damage in DAMAGES.items():
        with Scene(prefix=AS_ANYBODY if damage is hide else ()) as scene:
            scene.start()
            scene.probe(WARM)
            scene.server.stop()
            damage_all(scene, damage)
            scene.origin.goes_dark()
            scene.server.start()
            findings: list[Finding] = scene.probe(WARM)
            unavailable = dict.fromkeys(WARM, (502, 503, 504))
            judge(table, f"stored files {name}, upstream down", findings, unavailable)
            scene.server.stop()


def needs_setpriv() -> bool:
    return shutil.which("setpriv") is None
