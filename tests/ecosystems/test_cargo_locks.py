"""What Cargo.lock files pin."""

import pytest

from entrepot.contracts.closure import Skipped
from entrepot.contracts.ecosystem import LockText
from entrepot.ecosystems.cargo_locks import read_cargo_lock
from entrepot.errors import UnreadableLock
from entrepot.model.digest import Digest
from entrepot.model.selection import Depth, Extent, Selection

SHA = "ab" * 32
INDEX = "registry+https://registry.example/index"

WITH_CHECKSUMS = f"""version = VERSION

[[package]]
name = "Hello"
version = "1.0.0+build.5"
source = "{INDEX}"
checksum = "{SHA}"
dependencies = [
 "other",
]

[[package]]
name = "other"
version = "2.0.0"
source = "sparse+https://other.example/index/"

[[package]]
name = "mine"
version = "0.1.0"
dependencies = ["Hello", "checkout"]

[[package]]
name = "checkout"
version = "0.3.0"
source = "git+https://git.example/checkout?branch=main#0123456789"
"""
FIRST = f"""
[[package]]
name = "Hello"
version = "1.0.0+build.5"
source = "{INDEX}"

[[package]]
name = "other"
version = "2.0.0"
source = "{INDEX}"

[metadata]
"checksum Hello 1.0.0+build.5 ({INDEX})" = "{SHA}"
"checksum other 2.0.0 ({INDEX})" = "<none>"
"""


def read(text: str | bytes, extent: Extent | None = None) -> list[Selection | Skipped]:
    body = text.encode() if isinstance(text, str) else text
    return list(read_cargo_lock(LockText(name="Cargo.lock", body=body, extent=extent or Extent())))


HELLO = Selection(package="hello", version="1.0.0+build.5", digests=(Digest("sha256", SHA),))
OTHER = Selection(package="other", version="2.0.0")


@pytest.mark.parametrize(
    "text", [WITH_CHECKSUMS.replace("version = VERSION", ""), *(WITH_CHECKSUMS.replace("VERSION", n) for n in "34")]
)
def test_crates_of_registries_are_pinned_and_the_rest_is_told(text: str) -> None:
    assert read(text) == [
        HELLO,
        OTHER,
        Skipped(subject="mine 0.1.0", reason="it is a local path"),
        Skipped(subject="checkout 0.3.0", reason="it comes from version control"),
    ]


def test_the_first_format_has_its_checksums_apart() -> None:
    assert read(FIRST) == [HELLO, OTHER]


def test_a_lock_has_everything_so_its_packages_are_not_followed() -> None:
    extent = Extent(depth=Depth.ALL, latest=1, platforms=("linux/amd64",))
    [pinned, _] = read(FIRST, extent)
    assert isinstance(pinned, Selection)
    assert pinned.extent == Extent(depth=Depth.NONE, platforms=("linux/amd64",))


def test_an_empty_lock_pins_nothing() -> None:
    assert read("version = 4\n") == []


PACKAGE = f'version = 4\n\n[[package]]\nname = "a"\nversion = "1.0.0"\nsource = "{INDEX}"\n'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("version = 5\n", "format 5 is not known"),
        ("version = 4\n[[package]\n", "Cargo.lock:2: this is no TOML"),
        (b"version = 4\n# \xff\n", "Cargo.lock:2: not UTF-8"),
        ("package = 1\n", "this is no Cargo.lock"),
        (PACKAGE + '[[package]]\nname = "b"\n', "Cargo.lock:7: this is no package"),
        (PACKAGE + 'checksum = "12"\n', "Cargo.lock:3: '12' is no checksum"),
        (PACKAGE.replace('"a"', '"../a"'), "Cargo.lock:3: '../a 1.0.0' is no crate"),
        (PACKAGE.replace('"1.0.0"', '"one"'), "Cargo.lock:3: 'a one' is no crate"),
        ("a = " + "[" * 20000, "Cargo.lock"),
    ],
)
def test_a_lock_that_cannot_be_read_says_where(text: str | bytes, told: str) -> None:
    with pytest.raises(UnreadableLock) as raised:
        read(text)
    assert told in str(raised.value)
