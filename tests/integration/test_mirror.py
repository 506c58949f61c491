"""Mirror jobs of a whole server, which is killed in the middle."""

import hashlib
import json
import os
import signal
from base64 import b64encode
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from entrepot.cli.control import Control
from tests.faults.served import Served
from tests.rogue import Page, Rogue, pattern, silence
from tests.waiting import eventually

CONCURRENCY = 4
SOON = 15.0
"""Seconds; the lease of whoever was killed would hold for twenty more, at least."""
VERSIONS = [f"1.0.{number}" for number in range(30)]
CONFIG = """
[server]
access_log = "off"
shutdown_timeout = "100ms"
[repositories.npm]
ecosystem = "npm"
upstreams = ["{base}/"]
"""


def tarball(version: str) -> str:
    return f"/left-pad/-/left-pad-{version}.tgz"


@pytest.fixture
def origin() -> Iterator[Rogue]:
    with Rogue() as origin:
        bodies = {version: pattern(2000, seed=number) for number, version in enumerate(VERSIONS)}
        versions = {
            version: {
                "name": "left-pad",
                "version": version,
                "dist": {
                    "tarball": origin.url(tarball(version)),
                    "integrity": f"sha512-{b64encode(hashlib.sha512(body).digest()).decode()}",
                },
            }
            for version, body in bodies.items()
        }
        packument = {"name": "left-pad", "dist-tags": {"latest": VERSIONS[-1]}, "versions": versions}
        origin.serve("/left-pad", Page(body=json.dumps(packument).encode(), content_type="application/json"))
        for version, body in bodies.items():
            origin.serve(tarball(version), body)
        yield origin


@pytest.fixture(params=[1, 2], ids=["one worker", "two workers"])
def served(request: pytest.FixtureRequest, origin: Rogue, tmp_path: Path) -> Iterator[Served]:
    served = Served(tmp_path, CONFIG.format(base=origin.base), workers=request.param)
    served.start()
    yield served
    served.stop()


def call(served: Served, verb: str, **arguments: object) -> dict[str, object]:
    control = Control.connect(served.data)
    assert control is not None
    with control:
        told = control.call(verb, **arguments)
    assert isinstance(told, dict)
    return told


def done(served: Served, job: object) -> int:
    counts = call(served, "mirror-job", id=job)["counts"]
    assert isinstance(counts, dict)
    return int(counts["done"])


def is_complete(served: Served, job: object) -> bool:
    return call(served, "mirror-job", id=job)["state"] == "completed"


def test_mir_03_a_job_goes_on_after_a_kill_and_repeats_no_more_than_was_in_flight(
    served: Served, origin: Rogue
) -> None:
    # The newest are planned first; with the oldest upstream takes its time, so the kill comes in the middle.
    for version in VERSIONS[:10]:
        origin.disturb(tarball(version), silence())
    job = call(served, "mirror", purls=["pkg:npm/left-pad"], concurrency=CONCURRENCY)["id"]
    assert eventually(lambda: done(served, job) >= 15)
    for process in list(served.processes()):
        os.kill(process, signal.SIGKILL)
    served.stop()
    origin.calm()
    served.start()
    assert eventually(lambda: is_complete(served, job), SOON)
    fetched = {version: origin.count(tarball(version)) for version in VERSIONS}
    assert set(fetched) == set(VERSIONS)
    assert all(fetched.values())
    assert sum(fetched.values()) - len(VERSIONS) <= CONCURRENCY
    assert "defect" not in served.log()


def test_mir_01_a_second_run_fetches_no_file_again(served: Served, origin: Rogue) -> None:
    for _ in range(2):
        job = call(served, "mirror", purls=["pkg:npm/left-pad@1.0.0"])["id"]
        assert eventually(partial(is_complete, served, job))
    assert origin.count(tarball("1.0.0")) == 1
