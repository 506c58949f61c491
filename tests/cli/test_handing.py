"""Documents on their way to a server."""

from io import BytesIO
from pathlib import Path

import pytest

from entrepot.cli.handing import CannotRead, documents_of, read_input
from entrepot.errors import TooLarge
from entrepot.web.orders import LARGEST_ORDER


def test_a_document_is_handed_over_byte_by_byte_under_its_own_name(tmp_path: Path) -> None:
    (tmp_path / "uv.lock").write_bytes(b"\xff\xfe\x00")
    (handed,) = documents_of([tmp_path / "uv.lock"])
    assert (handed["name"], handed["base64"]) == ("uv.lock", b"\xff\xfe\x00")


def test_what_cannot_be_read_has_nothing_in_it_or_is_too_large_is_named(tmp_path: Path) -> None:
    empty, large = tmp_path / "empty.json", tmp_path / "large.json"
    empty.write_text("\n")
    with large.open("wb") as file:
        file.truncate(LARGEST_ORDER + 1)
    with pytest.raises(CannotRead, match=r"absent.json: cannot be read: No such file"):
        documents_of([tmp_path / "absent.json"])
    with pytest.raises(CannotRead, match=r"empty.json: there is nothing in it"):
        documents_of([empty])
    with pytest.raises(TooLarge, match=r"large.json: larger than 64.0 MiB"):
        documents_of([large])


def test_a_dash_stands_for_purls_on_standard_input() -> None:
    given = read_input(["pkg:npm/a", "-"], BytesIO(b"# what we use\n\npkg:npm/b\n PKG:pypi/c@1.0 \nnonsense\n"))
    assert given.purls == ["pkg:npm/a", "pkg:npm/b", "PKG:pypi/c@1.0", "nonsense"]
    assert given.documents == []


@pytest.mark.parametrize(
    "text", [b'{"bomFormat": "CycloneDX"}', b"# made by a tool\nSPDXVersion: SPDX-2.3\n", b"<bom/>"]
)
def test_a_dash_stands_for_a_bill_of_materials_as_well(text: bytes) -> None:
    given = read_input(["-"], BytesIO(text))
    assert given.purls == []
    assert [(one["name"], one["base64"]) for one in given.documents] == [("standard input", text)]


def test_without_a_dash_standard_input_is_left_alone() -> None:
    stream = BytesIO(b"pkg:npm/b\n")
    assert read_input(["pkg:npm/a"], stream).purls == ["pkg:npm/a"]
    assert stream.tell() == 0
