"""Download files of Athens load as they are; `samples/athens/README.md` says where each comes from."""

import base64
from pathlib import Path

import pytest

from entrepot.model.versions import GO
from entrepot.policy.hcl import Surroundings, load_mode, parse_download_file
from entrepot.policy.modes import DownloadFile

SAMPLES = Path(__file__).with_name("samples") / "athens"
ATHENS = Surroundings(order=GO, purl_types=("golang",), redirect_status=301)
MODULES = ("github.com/gomods/athens/v2", "golang.org/x/text", "github.com/pkg/errors", "git.example/a/b")

PROXY, CENTER, MIRROR = "https://proxy.example", "https://center.example", "https://mirror.example"
MEANINGS = {
    "documentation.hcl": (("sync", PROXY), ("none", PROXY), ("redirect", CENTER), ("async_redirect", PROXY)),
    "example.hcl": (("async_redirect", PROXY), ("none", PROXY), ("redirect", CENTER), ("sync", PROXY)),
    "chart.hcl": (("async_redirect", PROXY),) * 4,
    "package.hcl": (("redirect", PROXY),) * 4,
    "mirror.hcl": (
        ("sync", f"{MIRROR}/goproxy/"),
        ("async_redirect", f"{MIRROR}/goproxy/"),
        ("sync", f"{MIRROR}/goproxy/"),
        ("async", f"{MIRROR}/goproxy/"),
    ),
    "organisation.hcl": (("sync", PROXY), *(("redirect", PROXY),) * 3),
    "private.hcl": (*(("sync", MIRROR),) * 3, ("async_redirect", MIRROR)),
}


def test_every_sample_has_a_meaning_here() -> None:
    assert {file.name for file in SAMPLES.glob("*.hcl")} == set(MEANINGS)


@pytest.mark.parametrize("name", MEANINGS)
def test_a_sample_loads_without_a_warning_and_means_what_athens_makes_of_it(name: str) -> None:
    file = parse_download_file((SAMPLES / name).read_text(), name, ATHENS)
    chosen = [file.choose(module).of("v1.0.0") for module in MODULES]
    assert [(download.mode.value, download.redirect_url) for download in chosen] == list(MEANINGS[name])
    assert {download.redirect_status for download in chosen} == {301}
    assert file.warnings == ()


@pytest.mark.parametrize("name", MEANINGS)
def test_a_sample_means_the_same_inline(name: str) -> None:
    text = (SAMPLES / name).read_bytes()
    file = load_mode(f"custom:{base64.b64encode(text).decode()}", _never, ATHENS, "repositories.go.mode")
    assert isinstance(file, DownloadFile)
    chosen = [file.choose(module).of("v1.0.0") for module in MODULES]
    assert [(download.mode.value, download.redirect_url) for download in chosen] == list(MEANINGS[name])


def _never(path: str) -> str:
    raise AssertionError(f"{path} was read")
