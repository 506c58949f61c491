"""`entrepot pins`: what mirror jobs keep."""

import json

import pytest

from tests.cli.house import House


@pytest.fixture
def mirrored(house: House) -> str:
    """The id of the job that keeps something."""
    done = house.entrepot("mirror", "pkg:npm/left@1.0.0", "--json")
    assert done.status == 0, done.err
    job: str = json.loads(done.out)["id"]
    return job


def test_what_a_job_keeps_is_listed_until_it_is_released(house: House, mirrored: str) -> None:
    head, line = house.entrepot("pins").out.splitlines()
    assert head.split() == ["job", "entries", "size", "since", "what"]
    assert (line.split()[0], line.split()[-1]) == (mirrored, "pkg:npm/left@1.0.0")
    (told,) = json.loads(house.entrepot("pins", "--json").out)
    assert told["entries"] > 1
    assert told["size_bytes"] > 0

    released = house.entrepot("pins", "release", mirrored)
    assert released.out == f"released {told['entries']} entries of job {mirrored}\n"
    assert house.entrepot("pins").out == "nothing is pinned\n"


def test_a_job_that_keeps_nothing_cannot_be_released(house: House) -> None:
    refused = house.entrepot("pins", "release", "ab12")
    assert refused.status == 2
    assert "nothing is pinned by 'ab12'; `entrepot pins` lists what there is" in refused.err
