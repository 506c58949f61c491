"""The settings reference."""

from pathlib import Path

from entrepot.config.reference import reference
from entrepot.ecosystems import find_ecosystems
from tests.config.shelf import ECOSYSTEMS


def test_the_settings_reference_is_up_to_date() -> None:
    page = Path(__file__).parents[2] / "docs" / "settings.md"
    assert page.read_text() == reference(find_ecosystems()), "run: make docs"


def test_every_setting_has_a_line_with_kind_default_and_meaning() -> None:
    page = reference(ECOSYSTEMS)
    assert "## `[upstreams.NAME.auth]`" in page
    assert '| `max_size` | size or "off" | `"off"` | Stored bytes above which' in page
    assert '| `mutable_ttl` | duration or "upstream" | `"5m"` |' in page
    assert "| `ecosystem` | text | required |" in page


def test_options_of_ecosystems_are_listed_and_cannot_break_the_table() -> None:
    assert "| `generic` | `checksums` | Files as they must &#124; may be. |" in reference(ECOSYSTEMS)


def test_arrays_of_tables_and_their_keys_are_spelled_as_in_the_file() -> None:
    page = reference(ECOSYSTEMS)
    assert "## `[[repositories.NAME.rules]]`" in page
    assert '| `class` | `"immutable"` or `"mutable"` or `"uncacheable"` | unset |' in page


def test_a_setting_of_every_repository_is_no_option_of_an_ecosystem() -> None:
    assert "| `generic` | `rules` |" not in reference(ECOSYSTEMS)
