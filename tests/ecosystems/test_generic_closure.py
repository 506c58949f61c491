"""What is held of a plain file that a purl names."""

from collections.abc import Iterable, Mapping

import pytest

from entrepot.contracts.ecosystem import Ecosystem
from entrepot.ecosystems.generic import Generic
from entrepot.errors import BadRequest, DigestMismatch, Refused
from entrepot.model.digest import Digest
from entrepot.model.purl import parse_purl
from entrepot.model.release import Document
from entrepot.model.selection import Extent, Selection
from tests.ecosystems.closures import close

SHA256, OTHER = Digest("sha256", "a" * 64), Digest("sha256", "b" * 64)
FILES = Generic(
    {
        "rules": [{"path": "/pub/.*", "class": "immutable"}, {"path": "/search", "class": "mutable"}],
        "side_files": ["{dir}/SHA256SUMS"],
        "checksums": {"/pinned.iso": str(SHA256)},
        "unmatched": "deny",
    }
)


def closure_samples() -> Iterable[tuple[Ecosystem, Selection, Mapping[str, bytes | Document]]]:
    yield FILES, selected("pub/tool.tar.gz"), {}


def selected(path: str, *digests: Digest) -> Selection:
    return Selection(package=path, version="1.0", digests=digests)


def test_a_file_comes_with_the_side_file_that_tells_its_digest() -> None:
    closed = close(FILES, selected("pub/tool.tar.gz"), {})
    assert closed.keys == ["pub/SHA256SUMS", "pub/tool.tar.gz"]
    assert closed.probes == {"pub/SHA256SUMS": "maybe"}


def test_the_digest_of_the_order_is_what_the_file_must_have() -> None:
    closed = close(FILES, selected("pub/tool.tar.gz", SHA256), {})
    assert [need.resource.digest for need in closed.needs] == [None, SHA256]


def test_a_query_is_a_part_of_the_address() -> None:
    [need] = close(FILES, selected("search?q=tool"), {}).needs
    assert (need.resource.key, need.resource.query) == ("search", "q=tool")


def test_an_order_that_contradicts_the_configuration_fails() -> None:
    assert close(FILES, selected("pinned.iso", SHA256), {}).keys == ["pinned.iso"]
    with pytest.raises(DigestMismatch):
        close(FILES, selected("pinned.iso", OTHER), {})


def test_what_the_repository_does_not_serve_is_not_mirrored() -> None:
    with pytest.raises(Refused):
        close(FILES, selected("private/tool.tar.gz"), {})


@pytest.mark.parametrize("qualifiers", ["", "?download_url=https://elsewhere.example/tool.tar.gz"])
def test_a_purl_must_tell_a_path_of_the_repository(qualifiers: str) -> None:
    with pytest.raises(BadRequest, match=r"download_url|elsewhere"):
        FILES.select(parse_purl(f"pkg:generic/tool@1.0{qualifiers}"), Extent())
