"""Real clients with a token, as docs/tokens.md says, over TLS; and without one."""

import json
import ssl
import sys
import urllib.request
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pytest
import trustme

from tests.clients.registry import Registry
from tests.clients.room import ClientFailed, Room, missing
from tests.clients.shop import STOCKS
from tests.faults.served import Served

TOKEN = "entrepot_a-token_of-this-test"
WRONG = "entrepot_another"
MINE = "module mine.example/mine\n\ngo 1.20\n"
PROJECT = '{"name": "mine", "version": "1.0.0"}'
PIP = (sys.executable, "-m", "pip", "download", "-d", "wheels", "acme-app")
UV = ("uv", "pip", "install", "--target", "site", "acme-app")
CONFIG = """\
[server]
tls_certificate = "{directory}/server.pem"
tls_key = "{directory}/server.key"

[[tokens]]
name = "ci"
sha256 = "{digest}"
repositories = ["*"]
"""
REPOSITORY = '[repositories.{name}]\necosystem = "{name}"\nupstreams = ["{url}{path}"]\n{more}\n'

with_uv = pytest.mark.skipif(bool(missing("uv")), reason=missing("uv"))
with_npm = pytest.mark.skipif(bool(missing("npm", "node")), reason=missing("npm", "node"))
with_pnpm = pytest.mark.skipif(bool(missing("pnpm", "node")), reason=missing("pnpm", "node"))
with_go = pytest.mark.skipif(bool(missing("go")), reason=missing("go"))


class SecretServed(Served):
    """Over TLS."""

    def __init__(self, directory: Path, config: str, authority: Path) -> None:
        super().__init__(directory, config)
        self._trust = ssl.create_default_context(cafile=str(authority))

    def _is_ready(self) -> bool:
        try:
            address = f"https://127.0.0.1:{self.address[1]}/ready"
            with urllib.request.urlopen(address, timeout=5, context=self._trust) as answer:
                return int(answer.status) == 200
        except OSError:
            return False


@dataclass(frozen=True, slots=True)
class House:
    """One registry of each ecosystem behind one Entrepot that wants a token."""

    directory: Path
    served: Served
    registries: Mapping[str, Registry]

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.served.address[1]}"

    def room(self, ecosystem: str, name: str, **variables: str) -> Room:
        """A new machine, which trusts the certificate and has no token."""
        authority = str(self.directory / "authority.pem")
        trust = dict.fromkeys(("SSL_CERT_FILE", "PIP_CERT", "npm_config_cafile"), authority)
        room = Room(self.directory / f"{ecosystem}-{name}", f"https://{self.host}/{ecosystem}", trust | variables)
        room.home.mkdir(parents=True)
        return room


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    directory = tmp_path_factory.mktemp("tokens")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(directory / "authority.pem")
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_pem.write_to_path(directory / "server.key")
    for part in certificate.cert_chain_pems:
        part.write_to_path(directory / "server.pem", append=True)
    config = CONFIG.format(directory=directory, digest=sha256(TOKEN.encode()).hexdigest())
    with ExitStack() as stack:
        registries = {name: stack.enter_context(Registry(decoded=name == "golang")) for name in STOCKS}
        for name, registry in registries.items():
            registry.files = STOCKS[name](registry.url)
            path = "/simple/" if name == "pypi" else "/"
            more = 'sumdb = "sum.example"' if name == "golang" else ""
            config += REPOSITORY.format(name=name, url=registry.url, path=path, more=more)
        served = stack.enter_context(SecretServed(directory / "server", config, directory / "authority.pem"))
        yield House(directory, served, registries)


@pytest.fixture(autouse=True)
def _no_token_goes_upstream_or_into_a_log(house: House) -> Iterator[None]:
    yield
    for registry in house.registries.values():
        assert all("authorization" not in seen.headers for seen in registry.requests)
    log = house.served.log()
    assert TOKEN not in log
    assert b64encode(f"me:{TOKEN}".encode()).decode() not in log


def with_netrc(room: Room, machine: str = "127.0.0.1", password: str = TOKEN) -> Room:
    path = room.home / ".netrc"
    path.write_text(f"machine {machine} login me password {password}\n")
    path.chmod(0o600)
    return room


def complaint(room: Room, *command: str) -> str:
    with pytest.raises(ClientFailed) as caught:
        room.run(*command)
    return str(caught.value)


# --- Python -----------------------------------------------------------------------------------------------------------


def _wheels(room: Room) -> list[str]:
    return sorted(path.name for path in (room.project / "wheels").iterdir())


def test_pip_takes_the_token_from_the_address(house: House) -> None:
    room = house.room("pypi", "address", PIP_INDEX_URL=f"https://me:{TOKEN}@{house.host}/pypi/simple/")
    told = room.run(*PIP)
    assert _wheels(room) == ["acme_app-2.0-py3-none-any.whl", "acme_core-1.1-py3-none-any.whl"]
    assert TOKEN not in told


def test_pip_takes_the_token_from_netrc(house: House) -> None:
    room = with_netrc(house.room("pypi", "netrc"))
    room.run(*PIP)
    assert _wheels(room) == ["acme_app-2.0-py3-none-any.whl", "acme_core-1.1-py3-none-any.whl"]


def test_pip_asks_a_person_who_has_given_none(house: House) -> None:
    told = complaint(house.room("pypi", "person"), *PIP)
    assert f"User for {house.host}: " in told


def test_pip_says_that_a_token_is_wrong(house: House) -> None:
    room = house.room("pypi", "wrong", PIP_INDEX_URL=f"https://me:{WRONG}@{house.host}/pypi/simple/")
    assert "401 Error, Credentials not correct for https://127.0.0.1" in complaint(room, *PIP)


def test_pip_that_may_not_ask_says_401_when_it_is_to_say_everything(house: House) -> None:
    told = complaint(house.room("pypi", "script"), *PIP, "--no-input", "-vv")
    assert "401 Client Error: Unauthorized for url: https://127.0.0.1" in told


@with_uv
@pytest.mark.parametrize("way", ["address", "netrc", "variables"])
def test_uv_takes_the_token_as_its_documentation_says(house: House, way: str) -> None:
    variables = {
        "address": {"UV_DEFAULT_INDEX": f"https://me:{TOKEN}@{house.host}/pypi/simple/"},
        "netrc": {},
        "variables": {
            "UV_DEFAULT_INDEX": f"house=https://{house.host}/pypi/simple/",
            "UV_INDEX_HOUSE_USERNAME": "me",
            "UV_INDEX_HOUSE_PASSWORD": TOKEN,
        },
    }[way]
    room = house.room("pypi", f"uv-{way}", **variables)
    if way == "netrc":
        with_netrc(room)
    room.run(*UV)
    assert (room.project / "site/acme_core-1.1.dist-info").is_dir()


@with_uv
def test_uv_without_it_says_401(house: House) -> None:
    told = complaint(house.room("pypi", "uv-stranger"), *UV)
    assert "could not be queried due to a lack of valid authentication credentials (401 Unauthorized)" in told


# --- npm --------------------------------------------------------------------------------------------------------------


@with_npm
@pytest.mark.parametrize("way", ["_authToken", "_auth"])
def test_npm_takes_the_token_as_its_documentation_says(house: House, way: str) -> None:
    room = house.room("npm", f"npm{way}")
    room.write("package.json", PROJECT)
    value = TOKEN if way == "_authToken" else b64encode(f"me:{TOKEN}".encode()).decode()
    room.run("npm", "config", "set", f"//{house.host}/:{way}", value)
    room.run("npm", "install", "@acme/foo@1.0.0", "left")
    assert json.loads(room.read("node_modules/@acme/foo/package.json"))["version"] == "1.0.0"
    assert "found 0 vulnerabilities" in room.run("npm", "audit")


@with_npm
def test_npm_without_it_says_401_and_what_to_do(house: House) -> None:
    room = house.room("npm", "npm-stranger")
    room.write("package.json", PROJECT)
    told = complaint(room, "npm", "install", "left")
    assert "E401" in told
    assert "your authentication token seems to be invalid" in told


@with_pnpm
def test_pnpm_takes_the_token_from_npmrc(house: House) -> None:
    room = house.room("npm", "pnpm")
    room.write("package.json", PROJECT)
    (room.home / ".npmrc").write_text(f"//{house.host}/:_authToken={TOKEN}\n")
    room.run("pnpm", "add", "left")
    assert (room.project / "node_modules/left/package.json").exists()


@with_pnpm
def test_pnpm_without_it_says_401(house: House) -> None:
    room = house.room("npm", "pnpm-stranger")
    room.write("package.json", PROJECT)
    told = complaint(room, "pnpm", "add", "left")
    assert "Unauthorized - 401" in told
    assert "No authorization header was set for the request" in told


# --- Go ---------------------------------------------------------------------------------------------------------------


@with_go
def test_go_takes_the_token_from_netrc(house: House) -> None:
    room = with_netrc(house.room("golang", "netrc"), machine=house.host)
    room.write("go.mod", MINE)
    room.run("go", "get", "go.example/hello@v1.1.0")
    assert "go.example/hello v1.1.0/go.mod h1:" in room.read("go.sum")


@with_go
def test_go_takes_the_token_from_the_address(house: House) -> None:
    room = house.room("golang", "address", GOPROXY=f"https://me:{TOKEN}@{house.host}/golang")
    room.write("go.mod", MINE)
    room.run("go", "get", "go.example/hello@v1.1.0")


@with_go
def test_go_without_it_shows_our_sentence(house: House) -> None:
    room = house.room("golang", "stranger")
    room.write("go.mod", MINE)
    told = complaint(room, "go", "get", "go.example/hello@v1.1.0")
    assert f"a token is needed here; put it into ~/.netrc (machine {house.host} login me password TOKEN)" in told


@with_go
def test_go_gives_no_token_to_an_address_without_tls(house: House) -> None:
    address = f"http://me:{TOKEN}@{house.host}/golang"
    room = house.room("golang", "plain", GOPROXY=address)
    room.write("go.mod", MINE)
    told = complaint(room, "go", "get", "go.example/hello@v1.1.0")
    assert "refusing to pass credentials to insecure URL" in told
