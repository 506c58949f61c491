"""`entrepot mirror`: through a running server, and without one."""

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.cli.house import ENTREPOT, Done, House
from tests.cli.registry import Registry
from tests.clients.fixture_pypi import distributions
from tests.waiting import PATIENCE_SECONDS, wait_for

LEFT = ("/npm/left/-/left-1.0.0.tgz", "/npm/left/-/left-1.1.0.tgz")
BILL = {
    "bomFormat": "CycloneDX",
    "specVersion": "1.6",
    "components": [{"type": "library", "name": "left", "version": "1.0.0", "purl": "pkg:npm/left@1.0.0"}],
}


@pytest.fixture(params=["at rest", "running"])
def place(request: pytest.FixtureRequest, house: House) -> Iterator[House]:
    """With a server and without one."""
    with ExitStack() as leaving:
        if request.param == "running":
            leaving.enter_context(house.serving())
        yield house


def ended(done: Done, status: int = 0) -> Done:
    assert done.status == status, done.err + done.out
    return done


def job_of(done: Done) -> str:
    found = re.search(r"mirror job ([0-9a-f]{32})", done.out + done.err)
    assert found, done.out + done.err
    return found[1]


def jobs(house: House) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = json.loads(ended(house.entrepot("mirror", "list", "--json")).out)
    return told


# --- what is done -----------------------------------------------------------------------------------------------------


def test_what_was_mirrored_is_told_and_not_fetched_again(place: House, registry: Registry) -> None:
    first = ended(place.entrepot("mirror", "pkg:npm/left@1.0.0", "pkg:npm/left@1.1.0"))
    assert re.search(r"^[1-9]\d* done, 0 held, \d+ absent, 0 refused, 0 skipped, 0 failed; ", first.out, re.MULTILINE)
    assert re.search(r"^completed: ", first.err, re.MULTILINE)
    assert [registry.asked[path] for path in LEFT] == [1, 1]
    second = ended(place.entrepot("mirror", "pkg:npm/left@1.0.0", "pkg:npm/left@1.1.0"))
    assert "; 0 B fetched, " in second.out
    assert [registry.asked[path] for path in LEFT] == [1, 1]


def test_mir_05_one_bad_purl_leaves_the_rest_done_and_the_exit_status_is_2(place: House, registry: Registry) -> None:
    done = ended(place.entrepot("mirror", "pkg:npm/left@9.9.9", "no purl", "pkg:npm/left@1.0.0"), 2)
    assert registry.asked[LEFT[0]] == 1
    assert f"mirror job {job_of(done)}: completed with errors" in done.out
    assert ", 2 failed; " in done.out
    told = [line for line in done.err.splitlines() if line.startswith("entrepot: error: ")]
    assert len(told) == 2
    assert any("no purl" in line for line in told)
    assert any("9.9.9" in line for line in told)


def test_mir_05_where_nothing_can_be_done_the_exit_status_is_1(place: House) -> None:
    done = ended(place.entrepot("mirror", "pkg:npm/left@9.9.9"), 1)
    assert f"mirror job {job_of(done)}: failed" in done.out


def test_lock_files_and_bills_are_mirrored(house: House, registry: Registry) -> None:
    wheels = [one for one in distributions() if one.filename.endswith(".whl") and one.project == "acme-app"]
    lines = [f"{one.project}=={one.version} --hash=sha256:{one.sha256}\n" for one in wheels[:1]]
    (house.directory / "requirements.txt").write_text("".join(lines))
    # Larger than what asyncio reads as one line by itself.
    (house.directory / "app.cdx.json").write_text(json.dumps(BILL).ljust(2 << 20))
    done = ended(house.entrepot("mirror", "--lockfile", "requirements.txt", "--sbom", "app.cdx.json", "--json"))
    told = json.loads(done.out)
    assert (told["state"], told["name"], told["errors"]) == ("completed", "app.cdx.json, requirements.txt", [])
    assert (registry.asked[LEFT[0]], registry.asked[wheels[0].path]) == (1, 1)
    assert done.err == ""


def test_purls_come_from_standard_input(house: House, registry: Registry) -> None:
    done = subprocess.run(
        [*ENTREPOT, "mirror", "-"],
        env=house.environment,
        input="# ours\npkg:npm/left@1.0.0\n",
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert registry.asked[LEFT[0]] == 1


def test_a_rehearsal_tells_what_would_be_fetched_and_stores_nothing(place: House, registry: Registry) -> None:
    done = ended(place.entrepot("mirror", "pkg:npm/left@1.0.0", "--dry-run"))
    assert any(
        line.startswith("fetch ") and line.endswith("npm/left/-/left-1.0.0.tgz") for line in done.out.splitlines()
    )
    assert registry.asked[LEFT[0]] == 0
    assert jobs(place) == []
    told = json.loads(ended(place.entrepot("mirror", "pkg:npm/left@1.0.0", "--dry-run", "--json")).out)
    assert told["counts"]["fetch"] == len([one for one in told["items"] if one["state"] == "fetch"]) > 0


# --- mistakes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "say what to mirror: package URLs (pkg:npm/left-pad@1.3.0), --sbom FILE, --lockfile FILE, "),
        (("--nonsense",), "No such option: --nonsense"),
        (("pkg:npm/left", "--latest", "0"), "'--latest': Input should be greater than or equal to 1"),
        (("--lockfile", "absent.lock"), "absent.lock: cannot be read: No such file or directory"),
        (("pkg:npm/left", "--platform", "linux/abacus"), "'linux/abacus' is no platform"),
        (("pkg:npm/left", "--repository", "nmp"), "there is no repository 'nmp'; there are: npm, plain, pypi"),
        (("pkg:npm/left", "--detach"), "no server is running that would do it"),
        (("show", "ab12"), "there is no mirror job 'ab12'"),
        (("cancel", "ab12"), "there is no mirror job 'ab12'"),
        (("resume", "ab12"), "there is no mirror job 'ab12'"),
        (("show",), "Missing argument 'ID'"),
        (("--json", "show", "ab12"), "write options behind show: entrepot mirror show … --config FILE"),
    ],
)
def test_a_mistake_in_the_call_is_status_1_because_2_means_errors_beside_what_is_done(
    house: House, arguments: tuple[str, ...], told: str
) -> None:
    refused = ended(house.entrepot("mirror", *arguments), 1)
    assert refused.err.startswith("entrepot: error: ")
    assert told in refused.err
    assert refused.out == ""


# --- jobs -------------------------------------------------------------------------------------------------------------


def test_a_job_can_be_left_to_the_server_cancelled_and_resumed(house: House, registry: Registry) -> None:
    registry.held.add(LEFT[0])
    with house.serving():
        job = job_of(ended(house.entrepot("mirror", "pkg:npm/left@1.0.0", "--detach")))
        wait_for(lambda: registry.asked[LEFT[0]])
        assert [(one["id"], one["client"], one["name"]) for one in jobs(house)] == [
            (job, "command line", "pkg:npm/left@1.0.0")
        ]
        cancelled = ended(house.entrepot("mirror", "cancel", job))
        assert cancelled.out == f"cancelled {job}; it can go on: entrepot mirror resume {job}\n"
        assert "cancelled" in ended(house.entrepot("mirror", "show", job)).out
        registry.let_go.set()
        assert f"mirror job {job}: completed" in ended(house.entrepot("mirror", "resume", job)).out
        assert "has ended: completed" in ended(house.entrepot("mirror", "cancel", job), 1).err
        again = ended(house.entrepot("mirror", "resume", job), 1)
        assert "nothing left to do" in again.err


def test_what_failed_is_tried_again(place: House, registry: Registry) -> None:
    kind, body = registry.files.pop(LEFT[0])
    failed = ended(place.entrepot("mirror", "pkg:npm/left@1.0.0", "pkg:npm/old@0.1.0"), 2)
    shown = ended(place.entrepot("mirror", "show", job_of(failed))).out
    assert "left-1.0.0.tgz" in shown
    registry.files[LEFT[0]] = kind, body
    assert "completed" in ended(place.entrepot("mirror", "retry", job_of(failed))).out


def interrupt(command: "subprocess.Popen[str]", registry: Registry) -> Done:
    """As soon as it has begun to fetch."""
    wait_for(lambda: registry.asked[LEFT[0]])
    command.send_signal(signal.SIGINT)
    out, err = command.communicate(timeout=PATIENCE_SECONDS)
    return Done(status=command.returncode, out=out, err=err)


def test_interrupting_a_command_leaves_the_servers_job_alone(house: House, registry: Registry) -> None:
    registry.held.add(LEFT[0])
    with house.serving():
        done = ended(interrupt(house.start("mirror", "pkg:npm/left@1.0.0"), registry), 130)
        job = job_of(done)
        assert f"mirror job {job} goes on in the server; entrepot mirror cancel {job} ends it" in done.err
        registry.let_go.set()
        wait_for(lambda: jobs(house)[0]["state"] == "completed")


def test_interrupting_a_command_that_works_itself_cancels_its_job_which_can_go_on(
    house: House, registry: Registry
) -> None:
    registry.held.add(LEFT[0])
    done = ended(interrupt(house.start("mirror", "pkg:npm/left@1.0.0"), registry), 130)
    job = job_of(done)
    assert f"mirror job {job} is cancelled; entrepot mirror resume {job} has it go on" in done.err
    assert house.is_free()
    registry.let_go.set()
    assert f"mirror job {job}: completed" in ended(house.entrepot("mirror", "resume", job)).out


def test_other_commands_are_answered_while_a_command_mirrors_by_itself(house: House, registry: Registry) -> None:
    registry.held.add(LEFT[0])
    command = house.start("mirror", "pkg:npm/left@1.0.0")
    wait_for(lambda: registry.asked[LEFT[0]])
    (job,) = jobs(house)
    ended(house.entrepot("mirror", "cancel", job["id"]))
    out, err = command.communicate(timeout=PATIENCE_SECONDS)
    assert (command.returncode, f"mirror job {job['id']}: cancelled" in out) == (1, True), err


def test_a_terminal_shows_a_bar(house: House, registry: Registry) -> None:
    registry.held.add(LEFT[0])
    ours, theirs = os.openpty()
    with house.serving(), open(ours, "rb", buffering=0) as terminal:
        command = subprocess.Popen(
            [*ENTREPOT, "mirror", "pkg:npm/left@1.0.0"],
            env={**house.environment, "TERM": "xterm", "COLUMNS": "120"},
            stdout=subprocess.PIPE,
            stderr=theirs,
            text=True,
        )
        shown = b""
        while b"fetching" not in shown:
            shown += terminal.read(4096)
        registry.let_go.set()
        out, _ = command.communicate(timeout=PATIENCE_SECONDS)
        os.close(theirs)
    assert command.returncode == 0
    assert re.search(rb"of \d+: \d+ done, \d+ held, 0 failed, ", shown)
    assert "completed" in out
