"""What sessions were served outlives the server, also one that was killed; two processes write it down."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from entrepot.cli.control import Control
from tests.faults.served import Served
from tests.rogue import Page, Rogue, pattern

SESSION = "0123456789abcdef0123456789abcdef"
BODIES = {f"/tools/{number}.bin": pattern(70_000 + number, seed=number) for number in range(6)}
CONFIG = """
[server]
access_log = "off"
[repositories.files]
ecosystem = "generic"
upstreams = ["{base}"]
rules = [{{ path = '/tools/.*[.]bin', class = "immutable" }}]
listings = true
"""
LISTING = [
    {"name": path.rpartition("/")[2], "type": "file", "size": len(body), "mtime": "Fri, 20 Nov 2026 12:00:00 GMT"}
    for path, body in BODIES.items()
]
"""As nginx writes it."""


@pytest.fixture
def origin() -> Iterator[Rogue]:
    with Rogue() as rogue:
        for path, body in BODIES.items():
            rogue.serve(path, Page(body=body))
        rogue.serve("/tools/", Page(body=json.dumps(LISTING).encode(), content_type="application/json"))
        yield rogue


@pytest.fixture(params=[1, 2], ids=["one worker", "two workers"])
def served(request: pytest.FixtureRequest, origin: Rogue, tmp_path: Path) -> Iterator[Served]:
    with Served(tmp_path, CONFIG.format(base=origin.base), workers=request.param) as served:
        yield served
        assert "defect" not in served.log()


def call(served: Served, verb: str, **arguments: object) -> Any:
    control = Control.connect(served.data)
    assert control is not None
    with control:
        return control.call(verb, name=SESSION, **arguments)


def fetch_all(served: Served) -> None:
    for path, body in BODIES.items():
        assert served.get(f"/~{SESSION}/files{path}").body == body


def files_in(told: Any) -> set[str]:
    bill = json.loads(told["sbom"])
    return {file["properties"][0]["value"] for one in bill["components"] for file in one["components"]}


def test_a_record_survives_a_restart_and_goes_on_and_so_does_a_frozen_session(served: Served, origin: Rogue) -> None:
    call(served, "open-session")
    fetch_all(served)
    # No time for anything: the end writes down what is left.
    served.stop()
    served.start()
    told = call(served, "session-sbom")
    assert (told["incomplete"], files_in(told)) == ([], {f"/files{path}" for path in BODIES})
    assert call(served, "freeze-session")["missing"] == []
    served.stop()
    origin.goes_dark()
    served.start()
    fetch_all(served)
    assert served.get(f"/~{SESSION}/files/tools/7.bin").status == 403


def test_the_record_of_a_killed_server_says_that_something_may_be_missing(served: Served) -> None:
    call(served, "open-session")
    fetch_all(served)
    assert call(served, "session-sbom")["incomplete"] == []
    for process in sorted(served.processes(), reverse=True):
        os.kill(process, signal.SIGKILL)
    served.stop()
    served.start()
    told = call(served, "session-sbom")
    assert told["incomplete"] == ["a server process ended before it had written everything down"]
    assert files_in(told) == {f"/files{path}" for path in BODIES}


def test_a_folder_of_a_frozen_session_lists_what_is_in_it(served: Served, origin: Rogue) -> None:
    call(served, "open-session")
    for path in ("/tools/", "/tools/1.bin"):
        assert served.get(f"/~{SESSION}/files{path}").status == 200
    call(served, "freeze-session")
    origin.goes_dark()
    accept = [("accept", "application/json")]
    frozen, plain = (json.loads(served.get(f"{prefix}/files/tools/", accept).body) for prefix in (f"/~{SESSION}", ""))
    assert [one["name"] for one in frozen] == ["1.bin"]
    assert len(plain) == len(BODIES)


@pytest.mark.parametrize(
    "change",
    [
        ("rules = [", "rules = [{ path = '/tools/1[.]bin', mode = 'deny' }, "),
        ("listings = true\n", "listings = true\n[repositories.files.cooldown]\ndefault = '10d'\n"),
    ],
    ids=["rule", "cooldown"],
)
def test_a_frozen_session_is_no_way_round_what_was_forbidden_later(served: Served, change: tuple[str, str]) -> None:
    call(served, "open-session")
    fetch_all(served)
    call(served, "freeze-session")
    served.stop()
    served.reconfigure(lambda text: text.replace(*change))
    served.start()
    refused = served.get(f"/~{SESSION}/files/tools/1.bin")
    assert (refused.status, b"not part of session" in refused.body) == (403, False)
