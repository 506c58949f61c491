"""`entrepot run`, with real clients and a real registry on this machine."""

import json
import os
import shutil
import signal
import subprocess
import sys
from io import FileIO
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.cli.house import ENTREPOT, House, status_of
from tests.cli.registry import Registry
from tests.waiting import PATIENCE_SECONDS, wait_for

PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-cache-dir", "-q")
ECHO = (sys.executable, "-c", "import os; print(os.environ['PIP_INDEX_URL'], flush=True); input()")
"""Says where it was pointed at, and stays until it is told something."""

needs_npm = pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")


def install(house: House, *packages: str, into: str) -> str:
    done = house.process("run", "--", *PIP, "install", "--target", str(house.directory / into), *packages)
    assert done.status == 0, done.err
    return done.err


def first_line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    line = process.stdout.readline().strip()
    assert line, process.communicate(timeout=PATIENCE_SECONDS)[1]
    return line


def finish(process: "subprocess.Popen[str]") -> str:
    """What it said on standard error."""
    _, err = process.communicate("\n", timeout=PATIENCE_SECONDS)
    assert process.returncode == 0, err
    return err


def test_pip_installs_through_us_and_the_second_time_nothing_is_downloaded(house: House, registry: Registry) -> None:
    told = install(house, "acme-app", into="first")
    assert (house.directory / "first" / "acme_app" / "__init__.py").exists()
    assert (house.directory / "first" / "acme_core").exists()
    assert "entrepot: pypi: 6 requests, 0 hits, 6 misses; " in told
    assert told.rstrip().endswith("6 upstream requests")
    registry.asked.clear()
    told = install(house, "acme-app", into="second")
    assert (house.directory / "second" / "acme_app" / "__init__.py").exists()
    assert "entrepot: pypi: 6 requests, 6 hits, 0 misses; " in told
    assert told.rstrip().endswith("; 0 upstream requests")
    assert not registry.asked


@needs_npm
def test_npm_installs_through_us_and_its_lock_file_does_not_name_us(house: House) -> None:
    (house.directory / "package.json").write_text(
        '{"name": "x", "version": "1.0.0", "dependencies": {"left": "^1.0.0"}}'
    )
    done = house.process("run", "--", "npm", "install", "--no-audit", "--no-fund", "--no-update-notifier")
    assert done.status == 0, done.err
    assert (house.directory / "node_modules" / "left" / "package.json").exists()
    assert "entrepot: npm: " in done.err
    lock = (house.directory / "package-lock.json").read_text()
    assert "sha512-" in lock
    assert "127.0.0.1" not in lock
    assert "names the address" not in done.err


def test_the_exit_status_is_the_commands(house: House) -> None:
    assert house.process("run", "-q", "--", "sh", "-c", "exit 7").status == 7


def test_a_command_that_a_signal_ended_has_the_status_of_shells(house: House) -> None:
    assert house.process("run", "-q", "--", "sh", "-c", "kill -9 $$").status == 128 + signal.SIGKILL


def test_a_command_that_is_not_there_is_told_as_shells_tell_it(house: House) -> None:
    done = house.process("run", "--", "no-such-command")
    assert done.status == 127
    assert done.err == "entrepot: error: no-such-command: command not found\n"


def test_the_commands_own_options_are_the_commands(house: House) -> None:
    done = house.process("run", "-q", sys.executable, "-c", "import sys; print(sys.argv[1:])", "--data", "--help", "-q")
    assert done.out == "['--data', '--help', '-q']\n"


def test_standard_streams_are_the_commands(house: House) -> None:
    process = house.start("run", "-q", "--", "sh", "-c", "read word; echo out $word; echo err $word >&2")
    out, err = process.communicate("hello\n", timeout=PATIENCE_SECONDS)
    assert (out, err) == ("out hello\n", "err hello\n")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_are_passed_on_and_the_command_ends_as_it_likes(house: House, number: signal.Signals) -> None:
    script = (
        f"import signal, sys; signal.signal({int(number)}, lambda *_: sys.exit(9)); print('ready', flush=True); "
        "signal.pause()"
    )
    process = house.start("run", "-q", "--", sys.executable, "-c", script)
    assert first_line(process) == "ready"
    process.send_signal(number)
    assert process.wait(PATIENCE_SECONDS) == 9


def test_what_the_terminal_sends_reaches_the_command_once(house: House) -> None:
    script = (
        "import signal, sys; told = []; signal.signal(signal.SIGINT, lambda *_: told.append(1)); "
        "print('ready', flush=True); sys.stdin.readline(); print('interrupts:', len(told))"
    )
    # A session of its own, whose terminal this is.
    take = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
    command = [*ENTREPOT, "run", "-q", "--", sys.executable, "-c", script]
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", take, *command],
        env=house.environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    with os.fdopen(ours, "r+b", buffering=0) as terminal:
        read_until(terminal, b"ready")
        terminal.write(b"\x03")
        read_until(terminal, b"^C")
        terminal.write(b"\n")
        read_until(terminal, b"interrupts: 1")
        # While the terminal is there: closing it would hang up on who is still ending.
        assert process.wait(PATIENCE_SECONDS) == 0


def read_until(terminal: FileIO, words: bytes) -> None:
    seen = b""
    while words not in seen:
        piece = terminal.read(1000)
        assert piece, seen
        seen += piece


def test_the_configured_address_is_no_upstream_of_a_private_server(house: House, registry: Registry) -> None:
    """Somebody whose pip is set to their own server, which is not running at the moment."""
    (house.directory / "entrepot.toml").write_text('[repositories.pypi]\necosystem = "pypi"\n')
    settings = house.directory / "home" / ".config" / "pip" / "pip.conf"
    settings.parent.mkdir(parents=True)
    settings.write_text(f"[global]\nindex-url = {registry.url}/simple/\n")
    own = {"ENTREPOT_SERVER__LISTEN": "127.0.0.1:9", "PIP_INDEX_URL": "http://127.0.0.1:9/pypi/simple/"}
    script = (
        "import os, urllib.request; print(urllib.request.urlopen(os.environ['PIP_INDEX_URL'] + 'acme-app/').status)"
    )
    done = house.process("run", "-q", "--", sys.executable, "-c", script, variables=own)
    assert done.out == "200\n"
    assert registry.asked["/simple/acme-app/"] == 1


def test_a_persons_own_settings_stay(house: House) -> None:
    names = ("PIP_FIND_LINKS", "PIP_INDEX_URL", "npm_config_registry", "no_proxy")
    script = f"import os, json; print(json.dumps({{name: os.environ.get(name) for name in {names!r}}}))"
    own = {"PIP_FIND_LINKS": "/some/wheels", "HTTP_PROXY": "http://proxy.example:3128", "no_proxy": "intern.example"}
    done = house.process("run", "-q", "--", sys.executable, "-c", script, variables=own)
    told = json.loads(done.out)
    assert told["PIP_FIND_LINKS"] == "/some/wheels"
    assert "/pypi/simple/" in told["PIP_INDEX_URL"]
    assert told["npm_config_registry"].endswith("/npm/")
    assert told["no_proxy"] == "intern.example,127.0.0.1"


def test_a_second_run_uses_the_server_of_the_first_which_ends_with_the_last(house: House) -> None:
    first = house.start("run", "--", *ECHO)
    one = urlsplit(first_line(first))
    second = house.start("run", "--", *ECHO)
    other = urlsplit(first_line(second))
    assert one.port == other.port
    assert one.path != other.path
    finish(first)
    assert status_of(other.geturl() + "acme-app/") == 200
    finish(second)
    wait_for(house.is_free)


def test_what_one_run_was_served_is_not_in_the_summary_of_another(house: House) -> None:
    first = house.start("run", "--", *ECHO)
    first_line(first)
    install(house, "acme-core", into="there")
    assert finish(first) == "entrepot: no package manager asked for anything\n"


def test_the_server_of_a_killed_run_ends_as_well(house: House) -> None:
    process = house.start("run", "--", *ECHO)
    first_line(process)
    assert not house.is_free()
    process.kill()
    process.wait(PATIENCE_SECONDS)
    wait_for(house.is_free)
    process.communicate(timeout=PATIENCE_SECONDS)


def test_a_private_server_knows_nobody_but_its_sessions(house: House) -> None:
    process = house.start("run", "--", *ECHO)
    known = first_line(process) + "acme-app/"
    parts = urlsplit(known)
    session = parts.path.split("/")[1]
    assert status_of(known) == 200
    assert status_of(known.replace(session, f"~{'0' * 32}")) == 404
    assert status_of(known.replace(f"{session}/", "")) == 404
    finish(process)


def test_a_server_that_is_there_already_is_used_and_stays(house: House) -> None:
    with house.serving() as address:
        process = house.start("run", "--", *ECHO)
        assert first_line(process).startswith(f"{address}/~")
        finish(process)
        assert status_of(f"{address}/health") == 200


def test_lock_files_that_came_to_name_us_are_listed_with_the_remedy(house: House) -> None:
    below = house.directory / "service"
    below.mkdir()
    (house.directory / "uv.lock").write_text("nothing of ours")
    script = (
        "import os, urllib.request; url = os.environ['PIP_INDEX_URL']; "
        "urllib.request.urlopen(url + 'acme-core/').read(); "
        "open('service/requirements-dev.txt', 'w').write('--index-url ' + url)"
    )
    done = house.process("run", "-q", "--", sys.executable, "-c", script)
    assert done.err.splitlines() == [
        "entrepot: service/requirements-dev.txt names the address of this run",
        "  pip-compile writes --index-url lines: run it with --no-emit-index-url",
    ]


def test_a_data_directory_that_cannot_be_used_is_told(house: House) -> None:
    house.data.write_text("a file")
    done = house.process("run", "--", "true")
    assert done.status == 2
    assert done.err.startswith(f"entrepot: error: {house.data}: no server can be started here: ")


def test_what_keeps_a_private_server_from_starting_is_told(house: House) -> None:
    (house.data / "catalog.db").mkdir(parents=True)
    (house.data / "incoming").write_text("")
    (house.data / "run").write_text("no directory")
    done = house.process("run", "--", "true")
    assert done.status == 2
    assert done.err.startswith("entrepot: error: the private server does not start:\n")


def test_a_data_directory_deep_below_works_all_the_same(house: House) -> None:
    deep = House(directory=house.directory, config=house.config, data=house.data / ("d" * 60) / ("e" * 60))
    assert len(os.fsencode(deep.data)) > 107
    assert deep.process("run", "-q", "--", "true").status == 0
    with deep.serving() as address:
        assert status_of(f"{address}/health") == 200


def test_configuration_for_one_run_can_be_named(house: House, tmp_path: Path) -> None:
    file = tmp_path / "other.toml"
    file.write_text(house.config.replace("[repositories.pypi]", "[repositories.python]"))
    process = house.start("run", "--config", str(file), "--data", str(tmp_path / "other"), "--", *ECHO)
    assert "/python/simple/" in first_line(process)
    finish(process)
    assert not house.data.exists()
