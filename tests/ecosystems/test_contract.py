"""What every ecosystem keeps, whoever wrote it: those in our package, and those that other distributions bring.

An adapter's test module (`test_<module>.py`) may offer `contract_samples()`: pairs of an ecosystem and a document whose
files must all route back to the key under which they are linked. The module of its closures
(`test_<module>_closure.py`) may offer `closure_samples()`: an ecosystem, a selection, and the documents by key that
mirroring it reads. Whoever brings an ecosystem has both in a module `samples` beside the adapter's, and its page there,
too (docs/adding-an-ecosystem.md).
"""

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, TypeGuard
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

import entrepot.ecosystems
from entrepot.contracts.ecosystem import Ecosystem
from entrepot.ecosystems import find_ecosystems
from entrepot.errors import (
    Absent,
    BadRequest,
    ConfigError,
    EntrepotError,
    MethodRefused,
    NotServed,
    Refused,
    Unreachable,
)
from entrepot.model.release import Document
from entrepot.model.resource import BASE, Reply, Request, Resource
from entrepot.model.selection import Selection
from tests.ecosystems.closures import close_all

PAGES = Path(__file__).parents[2] / "docs" / "ecosystems"
OURS = "entrepot.ecosystems."
UPSTREAM = "https://registry.example/some/base/"
Samples = Iterable[tuple[Ecosystem, Document]]
ClosureSamples = Iterable[tuple[Ecosystem, Selection, Mapping[str, bytes | Document]]]


ADAPTERS = list(find_ecosystems().values())
every_adapter = pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: adapter.name)


def test_every_adapter_has_a_name_of_its_own() -> None:
    modules = [
        importlib.import_module(OURS + found.name) for found in pkgutil.iter_modules(entrepot.ecosystems.__path__)
    ]
    kinds = {kind for module in modules for kind in vars(module).values() if _is_adapter(kind, module)}
    ours = [adapter for adapter in ADAPTERS if adapter.__module__.startswith(OURS)]
    assert sorted(adapter.name for adapter in ours) == sorted(kind.name for kind in kinds)


def _is_adapter(kind: object, module: ModuleType) -> TypeGuard[type[Ecosystem]]:
    return isinstance(kind, type) and issubclass(kind, Ecosystem) and kind.__module__ == module.__name__


def _page_of(adapter: type[Ecosystem]) -> Path:
    if adapter.__module__.startswith(OURS):
        return PAGES / f"{adapter.name}.md"
    return Path(importlib.import_module(adapter.__module__).__file__ or "").with_name(f"{adapter.name}.md")


@every_adapter
def test_an_adapter_has_a_title_and_a_page(adapter: type[Ecosystem]) -> None:
    assert adapter.title
    assert _page_of(adapter).is_file()


@every_adapter
def test_the_page_of_an_adapter_explains_each_of_its_options(adapter: type[Ecosystem]) -> None:
    page = _page_of(adapter).read_text()
    assert [name for name in adapter.option_names if f"`{name}`" not in page] == []


@every_adapter
def test_every_client_says_how_a_person_sets_it_up(adapter: type[Ecosystem]) -> None:
    assert [client.name for client in adapter.clients if "{url}" not in client.setup] == []


@every_adapter
def test_an_unknown_option_stops_the_start_and_is_named(adapter: type[Ecosystem]) -> None:
    with pytest.raises(ConfigError, match="no_such_option"):
        adapter({"no_such_option": True})


@every_adapter
@pytest.mark.parametrize("method", ["DELETE", "PATCH", "TRACE", "BREW"])
def test_a_method_that_nothing_here_has_is_refused(adapter: type[Ecosystem], method: str) -> None:
    with pytest.raises(EntrepotError) as refusal:
        adapter().route(Request(method=method, path="a/b"))
    assert refusal.value.status in (400, 404, 405)


@every_adapter
@pytest.mark.parametrize(
    "error", [NotServed("a: not here"), Absent("a"), Unreachable("a: no connection")], ids=lambda error: error.code
)
def test_an_outage_is_never_spelled_404_and_an_absence_never_otherwise(
    adapter: type[Ecosystem], error: EntrepotError
) -> None:
    reply = adapter().problem(error)
    assert reply.status == error.status
    assert reply.body


# The traversal grammar: spellings of dots and separators, and what surrounds them in the protocols we speak.
DOTS = [".", "..", "%2e", "%2E%2e", ".%2e", "%252e%252e", "..;", "%c0%ae%c0%ae", "...", "", "%2e%2e%2f", "%00", "%0a"]
SEPARATORS = ["/", "//", "%2f", "%2F", "\\", "%5c", "%252f", "/./", ";/"]
WORDS = ["a", "a.example", "simple", "-", "@v", "@latest", "list", "v1.0.0.zip", "v1.0.0.info", "@scope", "packages"]
WORDS += ["a-1.0.tar.gz", "a-1.0.tgz", "sumdb", "lookup", "tile", "8", "0", "000", "cached-only", "supported", "json"]
WORDS += ["pypi", "files.example", "https:", "http:%2f%2fevil.example", "evil.example:80", "user@evil.example"]
WORDS += ["@", "?", "#", "é"]
hostile_paths = st.lists(st.sampled_from(DOTS + SEPARATORS + WORDS + ["/"] * 20), max_size=16).map("".join)


def _route(adapter: type[Ecosystem], path: str, query: str = "") -> Resource | Reply | None:
    """The answer; None for a refusal. Anything that is not the client's error goes through."""
    try:
        return adapter().route(Request(method="GET", path=path, query=query))
    except (BadRequest, NotServed, MethodRefused, Refused):
        return None


def _stays_inside(resource: Resource) -> bool:
    segments = unquote(resource.path).replace("\\", "/").split("/")
    if any(segment in (".", "..") for segment in segments) or not resource.path.isascii():
        return False
    if any(character in resource.path for character in "\\?# \x00\n") or not unquote(resource.path).isprintable():
        return False
    if resource.origin != BASE or resource.path.startswith("/"):
        parts = urlsplit(f"https://{resource.origin}/")
        return parts.path == "/" and parts.username is None and not resource.path.startswith("//")
    return urljoin(UPSTREAM, resource.path).startswith(UPSTREAM)


@every_adapter
@given(path=hostile_paths)
def test_no_path_leaves_the_upstream(adapter: type[Ecosystem], path: str) -> None:
    answer = _route(adapter, path)
    if isinstance(answer, Resource):
        assert _stays_inside(answer)
        assert answer.listed_in is None or _stays_inside(answer.listed_in)


@every_adapter
@given(path=hostile_paths)
def test_a_key_names_what_it_was_made_from(adapter: type[Ecosystem], path: str) -> None:
    answer = _route(adapter, path)
    if isinstance(answer, Resource):
        again = _route(adapter, answer.key, answer.query)
        assert isinstance(again, Resource)
        assert (again.key, again.path, again.origin, again.kind) == (
            answer.key, answer.path, answer.origin, answer.kind,
        )  # fmt: skip


def _offered(adapter: type[Ecosystem], function: str, ending: str = "") -> Callable[[], Iterable[Any]]:
    """What belongs to the adapter's tests; nothing where they do not offer it."""
    package, _, name = adapter.__module__.rpartition(".")
    ours = adapter.__module__.startswith(OURS)
    try:
        module = importlib.import_module(f"tests.ecosystems.test_{name}{ending}" if ours else f"{package}.samples")
    except ModuleNotFoundError:
        return list
    offered: Callable[[], Iterable[Any]] = getattr(module, function, list)
    return offered


def _samples_of(adapter: type[Ecosystem]) -> Samples:
    return _offered(adapter, "contract_samples")()


@every_adapter
def test_every_file_of_a_release_is_served_under_its_link(adapter: type[Ecosystem]) -> None:
    checked = 0
    for ecosystem, document in _samples_of(adapter):
        for release in ecosystem.releases(document):
            for file in release.files:
                link = ecosystem.link(release.package, file)
                resource = ecosystem.route(Request(method="GET", path=link))
                assert isinstance(resource, Resource)
                assert resource.key == link
                checked += 1
    if not checked:
        pytest.skip(f"no contract_samples() with files in the tests of {adapter.name}")


def _closures_of(adapter: type[Ecosystem]) -> ClosureSamples:
    return _offered(adapter, "closure_samples", "_closure")()


@every_adapter
def test_what_a_closure_names_can_be_asked_for_and_comes_with_what_lists_it(adapter: type[Ecosystem]) -> None:
    """`close_all` itself checks that each resource routes back to its key."""
    checked = 0
    for ecosystem, selection, documents in _closures_of(adapter):
        closures = close_all(ecosystem, selection, documents).values()
        needs = [need.resource for closed in closures for need in closed.needs]
        keys = {resource.stored_key for resource in needs}
        assert [one.key for one in needs if one.listed_in and one.listed_in.stored_key not in keys] == []
        checked += len(needs)
    if not checked:
        pytest.skip(f"no closure_samples() in the tests of {adapter.name}")
