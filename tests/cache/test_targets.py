"""What an operator points at."""

import pytest

from entrepot.cache.freshness import FreshnessRules
from entrepot.cache.repository import Repository
from entrepot.cache.targets import PathTarget, find_targets
from entrepot.contracts.ecosystem import Ecosystem, Limits
from entrepot.ecosystems.golang import Golang
from entrepot.ecosystems.npm import Npm
from entrepot.ecosystems.oci import Oci
from entrepot.ecosystems.pypi import Pypi
from entrepot.errors import BadRequest, EntrepotError, NotServed


def repository(name: str, ecosystem: Ecosystem) -> Repository:
    return Repository(name=name, ecosystem=ecosystem, upstreams=("default",), rules=FreshnessRules(), limits=Limits())


REPOSITORIES = {
    one.name: one
    for one in (
        repository("pypi", Pypi()),
        repository("npm", Npm()),
        repository("own", Npm()),
        repository("go", Golang()),
        repository("hub", Oci()),
    )
}
NPM_KEYS = (
    "left application/json",
    "left/-/left-1.0.0.tgz",
    "left/-/left-1.0.0-beta.1.tgz",
    "left/-/left-11.0.0.tgz",
    "@acme/left application/json",
    "@acme/left/-/left-1.0.0.tgz",
    "left-pad application/json",
    "left-pad/-/left-pad-1.0.0.tgz",
    "-/npm/v1/attestations/left@1.0.0 application/json",
)
PYPI_KEYS = (
    "simple/acme-app/ application/json",
    "pypi/acme-app/json application/json",
    "files/acme-app/packages/aa/acme_app-2.0-py3-none-any.whl",
    "files/acme-app/packages/aa/acme_app-2.0-py3-none-any.whl.metadata",
    "files/acme-app/packages/aa/acme_app-2.1-py3-none-any.whl",
    "-/files.example/acme-app/aa/acme_app-2.0.tar.gz",
    "simple/acme-application/ application/json",
)
GO_KEYS = (
    "github.com/!acme/foo/@v/list",
    "github.com/!acme/foo/@v/v1.0.0.info",
    "github.com/!acme/foo/@v/v1.0.0.zip",
    "github.com/!acme/foo/@v/v1.1.0.zip",
    "github.com/!acme/foo/v2/@v/v2.0.0.zip",
)


def covered(text: str, keys: tuple[str, ...]) -> set[str]:
    return {key for key in keys for target in find_targets(text, REPOSITORIES)[:1] if target.covers(key)}


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("pypi/simple/acme-app/", {PYPI_KEYS[0]}),
        ("https://cache.example/~0123/pypi/simple/acme-app/", {PYPI_KEYS[0]}),
        (f"pypi/{PYPI_KEYS[0]}", {PYPI_KEYS[0]}),
        ("pypi/files/acme-app/*", set(PYPI_KEYS[2:5])),
        ("pypi", set(PYPI_KEYS)),
        ("/pypi/", set(PYPI_KEYS)),
        ("pkg:pypi/Acme_App", set(PYPI_KEYS[:6])),
        ("pkg:pypi/acme-app@2.0", {*PYPI_KEYS[:4], PYPI_KEYS[5]}),
    ],
)
def test_a_path_an_address_and_a_package_url_cover_what_they_name_in_pypi(text: str, keys: set[str]) -> None:
    assert covered(text, PYPI_KEYS) == keys


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("npm/left", {NPM_KEYS[0]}),
        ("npm/left/-/left-1.0.0.tgz", {NPM_KEYS[1]}),
        ("pkg:npm/left", {*NPM_KEYS[:4], NPM_KEYS[8]}),
        ("pkg:npm/left@1.0.0", {NPM_KEYS[0], NPM_KEYS[1], NPM_KEYS[8]}),
        ("pkg:npm/%40acme/left", set(NPM_KEYS[4:6])),
        ("pkg:npm/nothing", set()),
    ],
)
def test_a_path_and_a_package_url_cover_what_they_name_in_npm(text: str, keys: set[str]) -> None:
    assert covered(text, NPM_KEYS) == keys


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("pkg:golang/github.com/Acme/foo", set(GO_KEYS[:4])),
        ("pkg:golang/github.com/Acme/foo@v1.0.0", set(GO_KEYS[:3])),
        ("pkg:golang/github.com/Acme/foo/v2", {GO_KEYS[4]}),
    ],
)
def test_a_package_url_covers_a_module_and_not_those_below_it(text: str, keys: set[str]) -> None:
    assert covered(text, GO_KEYS) == keys


@pytest.mark.parametrize("text", ["hub/v2/team/app/tags/list", "https://cache.example/v2/hub/team/app/tags/list"])
def test_an_image_is_named_by_our_path_and_by_the_address_that_clients_ask(text: str) -> None:
    (target,) = find_targets(text, REPOSITORIES)
    assert target.covers("v2/team/app/tags/list")
    assert not target.covers("v2/team/apple/tags/list")


def test_a_package_url_means_every_repository_of_its_ecosystem() -> None:
    assert [target.repository.name for target in find_targets("pkg:npm/left", REPOSITORIES)] == ["npm", "own"]


def test_only_files_are_covered_as_files() -> None:
    (target,) = find_targets("pkg:pypi/acme-app@2.0", REPOSITORIES)
    assert not isinstance(target, PathTarget)
    assert {key for key in PYPI_KEYS if target.covers_file(key)} == {*PYPI_KEYS[2:4], PYPI_KEYS[5]}


@pytest.mark.parametrize(
    ("text", "error", "told"),
    [
        ("simple/flask/", NotServed, "there is no repository 'simple'; there are: pypi, npm, own, go, hub"),
        ("https://registry.example/flask", NotServed, "there is no repository 'flask'"),
        ("", NotServed, "there is no repository ''"),
        ("pkg:cargo/serde", NotServed, "no repository serves packages of type 'cargo'"),
        ("pkg:npm", BadRequest, "package URL"),
        ("pkg:pypi/..", BadRequest, "no name of a Python project"),
    ],
)
def test_what_names_nothing_is_refused(text: str, error: type[EntrepotError], told: str) -> None:
    with pytest.raises(error, match=told):
        find_targets(text, REPOSITORIES)


def test_what_is_passed_through_has_no_key() -> None:
    (target,) = find_targets("npm/-/v1/search", REPOSITORIES)
    assert isinstance(target, PathTarget)
    with pytest.raises(BadRequest, match="names nothing that is stored"):
        target.stored_key()
