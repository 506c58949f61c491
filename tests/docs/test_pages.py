"""The manual has an entry for everything that it promises one for, and leads nowhere that is not there."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from entrepot.ecosystems import find_ecosystems
from entrepot.errors import EntrepotError

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")


def errors_below(error: type[EntrepotError]) -> Iterator[type[EntrepotError]]:
    for one in error.__subclasses__():
        yield one
        yield from errors_below(one)


def test_every_error_has_a_line_with_its_code_and_status() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \| (\d*) *\|", (ROOT / "docs" / "errors.md").read_text(), re.MULTILINE)
    ours = {error for error in errors_below(EntrepotError) if error.__module__ == "entrepot.errors"}
    assert dict(rows) == {error.code: "" if error.code == "config" else str(error.status) for error in ours}


def test_every_ecosystem_has_a_page() -> None:
    pages = {page.stem for page in (ROOT / "docs" / "ecosystems").glob("*.md")}
    assert pages == set(find_ecosystems())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_leads_only_to_what_is_there(page: Path) -> None:
    missing = [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()]
    assert missing == []


def test_architecture_names_only_modules_that_exist() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    named = set(re.findall(r"`((?:web|cache|storage|catalog|upstream|cli|config)/[a-z_]+)", text))
    for part, table in re.findall(
        r"^Within `([a-z]+)/`(.*?)^## ", text.replace("\nWithin", "\n## \nWithin"), re.MULTILINE | re.DOTALL
    ):
        rows = re.findall(r"^\| (`[a-z_`, ]+`) \|", table, re.MULTILINE)
        named |= {f"{part}/{name}" for row in rows for name in re.findall(r"[a-z_]+", row)}
    assert {"cache", "mirror"} <= {name.partition("/")[0] for name in named}
    sources = ROOT / "src" / "entrepot"
    missing = (name for name in sorted(named) if not (sources / f"{name}.py").exists())
    assert [name for name in missing if not (sources / name).is_dir()] == []
