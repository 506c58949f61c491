"""Digests: every spelling, and nothing that is none."""

import base64
import hashlib

import pytest

from entrepot.model.digest import Digest, RunningHash, parse_hex, parse_sri, strongest_first

BODY = b"left-pad"


def sri(algorithm: str, body: bytes = BODY) -> str:
    return f"{algorithm}-{base64.b64encode(hashlib.new(algorithm, body).digest()).decode()}"


@pytest.mark.parametrize("algorithm", ["sha512", "sha384", "sha256", "sha224", "sha1", "md5"])
def test_hex_of_every_known_algorithm_is_read(algorithm: str) -> None:
    value = hashlib.new(algorithm, BODY).hexdigest()
    assert parse_hex(algorithm.upper(), f" {value.upper()}\n") == Digest(algorithm, value)


@pytest.mark.parametrize(
    ("algorithm", "value"),
    [
        ("sha256", "ab" * 31),
        ("sha256", "ab" * 33),
        ("sha256", "g" * 64),
        ("sha256", "ab" * 31 + "a\u0661"),
        ("sha256", ""),
        ("crc32", "00000000"),
        ("h1", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="),
        ("", ""),
    ],
)
def test_what_is_no_digest_is_none(algorithm: str, value: str) -> None:
    assert parse_hex(algorithm, value) is None


def test_an_integrity_string_is_read_strongest_first() -> None:
    digests = parse_sri(f"{sri('sha1')} {sri('sha512')}?ct=x {sri('sha256')}")
    assert [digest.algorithm for digest in digests] == ["sha512", "sha256", "sha1"]
    assert digests[0].value == hashlib.sha512(BODY).hexdigest()


@pytest.mark.parametrize(
    "text",
    ["", "sha256", "sha256-", "sha256-!!!!", "sha256-YWJj", "sha512-" + "é", sri("sha256").replace("256", "999")],
)
def test_an_integrity_string_without_a_digest_names_none(text: str) -> None:
    assert parse_sri(text) == ()


def test_a_good_digest_beside_a_bad_one_counts() -> None:
    assert [digest.algorithm for digest in parse_sri(f"sha512-??? {sri('sha256')}")] == ["sha256"]


def test_a_hash_over_contents_ranks_between_those_over_bytes() -> None:
    digests = [Digest("md5", "0"), Digest("h1", "x"), Digest("sha256", "1"), Digest("sha512", "2")]
    assert [digest.algorithm for digest in strongest_first(digests)] == ["sha512", "sha256", "h1", "md5"]


def test_only_hashes_over_bytes_say_so() -> None:
    assert Digest("sha256", "00").of_bytes
    assert not Digest("h1", "00").of_bytes


def test_a_digest_is_written_with_its_algorithm() -> None:
    assert str(Digest("sha256", "abc")) == "sha256:abc"


def test_hashes_run_along_in_pieces() -> None:
    running = RunningHash(["sha512", "h1", "sha256", "md5"])
    for byte in BODY:
        running.update(bytes([byte]))
    assert running.sha256 == hashlib.sha256(BODY).hexdigest()
    assert running.value("sha512") == Digest("sha512", hashlib.sha512(BODY).hexdigest())
    assert running.value("md5") == Digest("md5", hashlib.md5(BODY).hexdigest())
    assert running.value("h1") is None
    assert running.value("sha1") is None
