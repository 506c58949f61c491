"""A mirror of Alpine behind us, and machines that install from it and verify everything as apk does."""

import hashlib
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.clients.apk import ApkRefuses, Machine, split, untar, verify_package
from tests.clients.fixture_apk import (
    BINARY,
    COMMUNITY,
    MAIN,
    MUSL,
    RC,
    SHELL,
    TOOL,
    Package,
    apk_mirror,
    index,
    public_pem,
)
from tests.clients.registry import Registry
from tests.clients.shop import HOUR, Shop
from tests.faults.served import Served

pytestmark = pytest.mark.timeout(120)

DAY = 24 * HOUR
INDEX, OTHER_INDEX = f"{COMMUNITY}/APKINDEX.tar.gz", f"{MAIN}/APKINDEX.tar.gz"
FILE, NEW_FILE = f"{COMMUNITY}/acme-tool-2.0.1-r3.apk", f"{COMMUNITY}/acme-tool-2.1.0-r0.apk"
INSTALLED = {"acme-tool": "2.0.1-r3", "libcrypto3": "3.3.1-r0", "musl": "1.2.5-r0", "busybox-binsh": "1.36.1-r29"}
COOLDOWN = '[repositories.apk.cooldown]\ndefault = "3d"\n'


def open_mirror(stack: ExitStack, directory: Path, *, options: str = "", below: str = "", workers: int = 1) -> Shop:
    registry = stack.enter_context(Registry(decoded=True))
    registry.files = apk_mirror()
    config = (
        f'[repositories.apk]\necosystem = "apk"\nupstreams = ["{registry.url}/"]\nstale.patience = "1m"\n'
        f"{options}\n{below}"
    )
    served = stack.enter_context(Served(directory / "server", config, workers=workers))
    return Shop(ecosystem="apk", registry=registry, served=served, directory=directory)


@pytest.fixture
def shop(stack: ExitStack, tmp_path: Path) -> Shop:
    return open_mirror(stack, tmp_path)


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """One for all tests that only look; each looks at other files."""
    with ExitStack() as stack:
        yield open_mirror(stack, tmp_path_factory.mktemp("standing"))


def machine(shop: Shop) -> Machine:
    return Machine(repositories=[f"{shop.url}/v3.20/main", f"{shop.url}/v3.20/community"])


def install(shop: Shop, package: str = "acme-tool") -> dict[str, str]:
    alpine = machine(shop)
    alpine.update()
    alpine.add(package)
    return alpine.installed


# ------------------------------------------------------------------------------------------------- the client itself


@pytest.mark.skipif(shutil.which("openssl") is None, reason="not installed here: openssl")
def test_openssl_finds_the_signature_of_our_fixture_good(tmp_path: Path) -> None:
    """Who made the fixture also wrote the client: somebody else must agree with both."""
    body = index([MUSL])
    signature, length = split(body)[0]
    (tmp_path / "rest").write_bytes(body[length:])
    (tmp_path / "signature").write_bytes(next(iter(untar(signature).values())))
    (tmp_path / "key").write_text(public_pem())
    line = ["openssl", "dgst", "-sha1", "-verify", "key", "-signature", "signature", "rest"]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "Verified OK" in done.stdout, done.stderr


def test_the_client_refuses_what_apk_refuses() -> None:
    checksum = MUSL.record().split("\n")[0][2:]
    verify_package(MUSL.body, checksum)
    start = len(MUSL.body) - len(MUSL.data) - len(MUSL.control)
    for place in (start + 20, len(MUSL.body) - 20):
        broken = MUSL.body[:place] + bytes([MUSL.body[place] ^ 1]) + MUSL.body[place + 1 :]
        with pytest.raises(ApkRefuses):
            verify_package(broken, checksum)


# ---------------------------------------------------------------------------------------------- cold, warm, offline


def test_a_cold_a_warm_and_an_offline_installation_are_the_same(shop: Shop) -> None:
    assert install(shop) == INSTALLED
    assert len(shop.registry.asked(".apk")) == len(INSTALLED)

    shop.registry.forget()
    assert install(shop) == INSTALLED
    assert shop.registry.asked(".apk") == []

    shop.go_offline()
    assert install(shop) == INSTALLED


def test_a_package_is_checked_although_nobody_asked_for_its_index(standing: Shop) -> None:
    """A machine that updated elsewhere comes to a new cache."""
    assert standing.get(FILE).body == TOOL.body
    assert standing.registry.asked(INDEX) == [f"/{INDEX}"]


def test_indexes_arrive_byte_for_byte(standing: Shop) -> None:
    for path in (INDEX, OTHER_INDEX):
        assert standing.get(path).body == standing.registry.files[f"/{path}"][1]


def test_a_file_that_no_index_names_is_not_had(standing: Shop) -> None:
    secret = f"{COMMUNITY}/secret-1.0-r0.apk"
    standing.registry.files[f"/{secret}"] = BINARY, MUSL.body
    assert [standing.get(path).status for path in (secret, "v3.19/main/x86_64/musl-1.0-r0.apk")] == [404, 404]
    assert b"generic" in standing.get("v3.20/releases/x86_64/alpine.iso").body


def test_an_outage_is_never_spelled_404(shop: Shop) -> None:
    shop.registry.go_dark()
    assert [shop.get(path).status for path in (INDEX, FILE)] == [502, 502]


def test_what_the_current_index_names_no_more_is_had_as_long_as_an_older_one_does(shop: Shop) -> None:
    shop.get(INDEX)
    shop.restart(later=HOUR)
    shop.registry.files = apk_mirror(later=True)
    shop.get(INDEX)
    assert shop.get(FILE).body == TOOL.body


# ------------------------------------------------------------------------------------------------------- wrong bytes


@pytest.mark.parametrize("part", ["control", "data", "the last byte"])
def test_a_flipped_bit_never_completes_and_is_never_stored(standing: Shop, part: str) -> None:
    package = {"control": MUSL, "data": SHELL, "the last byte": RC}[part]
    body, path = package.body, f"{MAIN}/{package.file}"
    start = {"control": len(package.data) + 30, "data": 100, "the last byte": 1}[part]
    evil = body[:-start] + bytes([body[-start] ^ 4]) + body[len(body) - start + 1 :]
    standing.registry.instead = {f"/{path}": evil}

    bad = standing.get(path)

    assert bad.status == 502
    assert bad.body != evil
    assert hashlib.sha256(evil).hexdigest() not in standing.served.blobs()
    standing.registry.instead = {}
    assert standing.get(path).body == body, "what was wrong is not remembered"


@pytest.mark.parametrize("at", [0.1, 0.9])
def test_a_package_that_is_sent_while_it_arrives_ends_broken(standing: Shop, at: float) -> None:
    """Larger than what is held back as a whole: its last piece never leaves."""
    folder = f"edge/{at}/x86_64"
    package = Package(name="large", version="1.0-r0", size=4_000_000)
    body, path = package.body, f"{folder}/{package.file}"
    place = int(len(body) * at)
    evil = body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]
    standing.registry.files |= {f"/{folder}/APKINDEX.tar.gz": (BINARY, index([package])), f"/{path}": (BINARY, evil)}

    bad = standing.get(path)

    assert (bad.status, bad.is_whole) == (200, False), (bad, standing.registry.requests[-3:])
    assert hashlib.sha256(evil).hexdigest() not in standing.served.blobs()
    standing.registry.files[f"/{path}"] = BINARY, body
    assert standing.get(path).body == body


def test_an_index_that_our_key_did_not_sign_is_not_served(stack: ExitStack, tmp_path: Path) -> None:
    pem = public_pem()
    shop = open_mirror(stack, tmp_path, options=f"keys = ['''{pem}''']")
    assert shop.get(INDEX).status == 200
    shop.registry.instead = {f"/{OTHER_INDEX}": index([MUSL], by=None)}
    refused = shop.get(OTHER_INDEX)
    assert (refused.status, b"not signed" in refused.body) == (502, True)
    assert shop.get(f"{MAIN}/Packages.adb").status == 404

    shop.restart(later=HOUR)
    shop.registry.instead = {f"/{INDEX}": index([TOOL], by=None)}
    stale = shop.get(INDEX)
    assert stale.body == shop.registry.files[f"/{INDEX}"][1], "the last good one stands in for it"


@pytest.mark.parametrize("store", ["off", "behind"])
def test_an_index_that_is_not_kept_must_be_signed_by_our_key_too(stack: ExitStack, tmp_path: Path, store: str) -> None:
    shop = open_mirror(stack, tmp_path, options=f"keys = ['''{public_pem()}''']\nstore = \"{store}\"")
    shop.registry.instead = {f"/{OTHER_INDEX}": index([MUSL], by=None)}
    assert shop.get(INDEX).status == 200
    assert shop.get(OTHER_INDEX).status == 502


def test_an_index_that_was_stored_before_there_were_keys_is_checked_by_them(stack: ExitStack, tmp_path: Path) -> None:
    shop = open_mirror(stack, tmp_path)
    shop.registry.instead = {f"/{OTHER_INDEX}": index([MUSL], by=None)}
    assert (shop.get(INDEX).status, shop.get(OTHER_INDEX).status) == (200, 200)
    shop.served.stop()
    shop.served.reconfigure(lambda config: f"{config}\nkeys = ['''{public_pem()}''']\n")
    shop.served.start()
    assert (shop.get(INDEX).status, shop.get(OTHER_INDEX).status) == (200, 502)


def test_another_package_under_the_same_name_is_what_the_newer_index_says(shop: Shop) -> None:
    """A rebuild that forgot to count up."""
    shop.get(INDEX)
    assert shop.get(FILE).body == TOOL.body
    rebuilt = Package(name=TOOL.name, version=TOOL.version, depends=TOOL.depends, size=900, seed="again")
    shop.registry.files |= {f"/{FILE}": (BINARY, rebuilt.body), f"/{INDEX}": (BINARY, index([rebuilt]))}
    shop.restart(later=HOUR)
    shop.get(INDEX)
    assert shop.get(FILE).body == rebuilt.body


# ------------------------------------------------------------------------------------------------ new generations


def test_a_new_index_is_served_once_it_is_there(shop: Shop) -> None:
    install(shop)
    shop.registry.files = apk_mirror(later=True)
    shop.restart(later=HOUR)
    assert install(shop) == {**INSTALLED, "acme-tool": "2.1.0-r0"}


def test_a_young_index_waits_while_the_older_is_served(stack: ExitStack, tmp_path: Path) -> None:
    shop = open_mirror(stack, tmp_path, below=COOLDOWN)
    assert install(shop) == INSTALLED
    shop.restart(later=4 * DAY)
    shop.registry.files = apk_mirror(later=True)

    assert install(shop) == INSTALLED
    assert "older-generation" in shop.get(INDEX).headers.get("cache-status")
    young = shop.get(NEW_FILE)
    assert (young.status, b"cooldown.default" in young.body) == (403, True)

    shop.restart(later=8 * DAY)
    assert install(shop) == {**INSTALLED, "acme-tool": "2.1.0-r0"}


def test_a_new_cache_with_a_cooldown_is_usable_at_once(stack: ExitStack, tmp_path: Path) -> None:
    shop = open_mirror(stack, tmp_path, below=COOLDOWN)
    assert shop.get(FILE).body == TOOL.body


# ----------------------------------------------------------------------------------------------------------- mirror


def test_what_was_mirrored_installs_offline(stack: ExitStack, tmp_path: Path) -> None:
    shop = open_mirror(stack, tmp_path, options='branches = ["v3.20"]\narchitectures = ["x86_64"]')
    shop.served.entrepot("mirror", "pkg:apk/alpine/acme-tool@2.0.1-r3", "--dependencies", "runtime")
    shop.go_offline()
    assert install(shop) == INSTALLED


def test_a_mirror_job_needs_no_options_where_the_order_tells_everything(shop: Shop) -> None:
    shop.served.entrepot("mirror", "pkg:apk/alpine/acme-tool?arch=x86_64&distro=alpine-3.20.3")
    assert shop.registry.asked(".apk") == [f"/{FILE}"]
    shop.go_offline()
    assert shop.get(FILE).body == TOOL.body
