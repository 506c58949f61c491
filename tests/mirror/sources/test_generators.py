"""What common generators write is read."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from entrepot.mirror.sources.sbom import read_bill
from entrepot.model.digest import Digest, parse_sri

INTEGRITY = "sha512-" + "A" * 86 + "=="
WHEEL, SOURCE = "a" * 64, "b" * 64
NPM = shutil.which("npm")


def run(directory: Path, *command: str) -> bytes:
    return subprocess.run(command, cwd=directory, capture_output=True, check=True, timeout=60).stdout


@pytest.fixture
def npm_project(tmp_path: Path) -> Path:
    names = {"left-pad": "1.3.0", "@types/node": "20.1.0"}
    root = {"name": "app", "version": "1.0.0", "dependencies": names}
    locked = {
        f"node_modules/{name}": {
            "version": version,
            "resolved": f"https://registry.example/{name}/-/{name.rpartition('/')[2]}-{version}.tgz",
            "integrity": INTEGRITY,
        }
        for name, version in names.items()
    }
    lock = {**root, "lockfileVersion": 3, "packages": {"": root, **locked}}
    (tmp_path / "package.json").write_text(json.dumps(root))
    (tmp_path / "package-lock.json").write_text(json.dumps(lock))
    return tmp_path


@pytest.mark.skipif(NPM is None, reason="npm is not installed")
@pytest.mark.parametrize("standard", ["cyclonedx", "spdx"])
def test_npm_sbom_is_read_with_the_digests_of_tarballs(npm_project: Path, standard: str) -> None:
    body = run(npm_project, str(NPM), "sbom", "--package-lock-only", "--sbom-format", standard)
    assert {(one.purl, one.digests) for one in read_bill("npm", body)} == {
        ("pkg:npm/left-pad@1.3.0", parse_sri(INTEGRITY)),
        ("pkg:npm/%40types/node@20.1.0", parse_sri(INTEGRITY)),
    }


@pytest.mark.parametrize("notation", ["JSON", "XML"])
def test_cyclonedx_py_is_read_with_the_digests_of_requirements(tmp_path: Path, notation: str) -> None:
    lines = f"flask==3.0.0 --hash=sha256:{WHEEL} --hash=sha256:{SOURCE}\nzope.interface==7.0\n"
    (tmp_path / "requirements.txt").write_text(lines)
    index = ("--index-url", "https://index.example/simple")
    command = (sys.executable, "-m", "cyclonedx_py", "requirements", *index, "--of", notation, "requirements.txt")
    assert {(one.purl, one.digests) for one in read_bill("pip", run(tmp_path, *command))} == {
        ("pkg:pypi/flask@3.0.0", (Digest("sha256", WHEEL), Digest("sha256", SOURCE))),
        ("pkg:pypi/zope.interface@7.0", ()),
    }
