"""Fixtures of the tests with real clients."""

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Protocol

import pytest

from tests.clients.shop import Shop, Stock, open_shop, open_street


class Opener(Protocol):
    def __call__(
        self,
        ecosystem: str,
        *,
        workers: int = 1,
        stock: Stock | None = None,
        validators: bool = True,
        mount: str = "",
    ) -> Shop: ...


class StreetOpener(Protocol):
    def __call__(self, *, workers: int = 1) -> dict[str, Shop]: ...


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def opened(stack: ExitStack, tmp_path: Path) -> Opener:
    """Opens one shop; it closes with the test."""
    return partial(open_shop, stack, tmp_path)


class Standing:
    """Shops that stay open for all tests of a module: for tests that only look."""

    def __init__(self, stack: ExitStack, factory: pytest.TempPathFactory) -> None:
        self._stack, self._factory = stack, factory
        self._street: dict[str, Shop] = {}

    def __getitem__(self, ecosystem: str) -> Shop:
        if not self._street:
            self._street = open_street(self._stack, self._factory.mktemp("standing"))
        return self._street[ecosystem]


@pytest.fixture(scope="session")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standing]:
    with ExitStack() as stack:
        yield Standing(stack, tmp_path_factory)


@pytest.fixture
def opened_street(stack: ExitStack, tmp_path: Path) -> StreetOpener:
    """Opens a shop of each ecosystem; they close with the test."""
    return partial(open_street, stack, tmp_path)
