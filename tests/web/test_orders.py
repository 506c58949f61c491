"""Orders as they are sent: what is understood, and what is told of what is not."""

from base64 import b64encode

import pytest

from entrepot.errors import BadRequest, TooLarge
from entrepot.model.order import MirrorOrder, Paper, PaperKind
from entrepot.model.selection import Depth, Extent
from entrepot.web.orders import LARGEST_ORDER, order_of, title_of

REPOSITORIES = ("npm", "pypi")
UV = 'version = 1\nrequires-python = ">=3.11"\n'
"""The beginning of a lock file that tells its kind."""


def order(**body: object) -> MirrorOrder:
    return order_of(body, REPOSITORIES)


def lock(name: str, body: str = UV) -> Paper:
    return Paper(kind=PaperKind.LOCKFILE, name=name, body=body.encode())


def bill(name: str, body: bytes) -> Paper:
    return Paper(kind=PaperKind.SBOM, name=name, body=body)


def test_everything_that_is_said_is_in_the_order() -> None:
    assert order(
        purls=["pkg:npm/left@>=1"],
        trees=["npm/-/left"],
        dependencies="runtime",
        platforms=["linux/amd64"],
        latest=3,
        repositories=["npm"],
        concurrency=4,
        validate=True,
    ) == MirrorOrder(
        purls=("pkg:npm/left@>=1",),
        trees=("/npm/-/left/",),
        extent=Extent(depth=Depth.RUNTIME, platforms=("linux/amd64",), latest=3),
        repositories=("npm",),
        concurrency=4,
        validate=True,
    )


def test_documents_come_as_text_as_objects_or_as_lists_of_both() -> None:
    assert order(sbom="{}").papers == (bill("sbom 1", b"{}"),)
    assert order(sbom=["{}", {"name": "app.xml", "base64": b64encode(b"\xff\xfe<").decode()}]).papers == (
        bill("sbom 1", b"{}"),
        bill("app.xml", b"\xff\xfe<"),
    )
    assert order(lockfile={"name": "mine.lock", "text": UV}, sbom="").papers == (lock("mine.lock"),)


def test_a_lock_file_given_as_text_has_the_name_that_is_told_or_recognised() -> None:
    assert order(lockfile=UV).papers == (lock("uv.lock"),)
    assert order(lockfile="anything", lockfile_name="requirements.txt").papers == (
        lock("requirements.txt", "anything"),
    )
    assert order(lockfile=[UV, UV], lockfile_name="other").papers == (lock("uv.lock"), lock("uv.lock"))
    with pytest.raises(BadRequest, match="give its file name"):
        order(lockfile="anything")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({}, "there is nothing to mirror in this order; give purls, sbom, lockfile or trees"),
        ({"sbom": "", "lockfile": [], "purls": []}, "there is nothing to mirror"),
        ({"registry": "npm", "purl": "x"}, "an order has no 'purl', 'registry'; it may have: purls, sbom, lockfile,"),
        ({"purls": "pkg:npm/left"}, "Expected `array`, got `str` - at `$.purls`"),
        ({"purls": [1]}, "Expected `str`, got `int` - at `$.purls[0]`"),
        ({"sbom": 1}, "got `int` - at `$.sbom`"),
        ({"sbom": {"txt": "{}"}}, "unknown field `txt` - at `$.sbom`"),
        ({"sbom": {"name": "a.json"}}, "a.json: give its content"),
        ({"sbom": {"text": "a", "base64": "YQ=="}}, "a document: give its content"),
        ({"sbom": {"base64": "?"}}, "Invalid base64 encoded string - at `$.sbom.base64`"),
        ({"purls": ["pkg:npm/left"], "dependencies": "some"}, "Invalid enum value 'some' - at `$.dependencies`"),
        ({"purls": ["pkg:npm/left"], "latest": 0}, "Expected `int` >= 1 - at `$.latest`"),
        ({"purls": ["pkg:npm/left"], "latest": 2**70}, "Expected `int` <= 1000000 - at `$.latest`"),
        ({"purls": ["pkg:npm/left"], "concurrency": 257}, "Expected `int` <= 256 - at `$.concurrency`"),
        ({"purls": [f"pkg:npm/{'a' * 5000}"]}, "Expected `str` of length <= 4096 - at `$.purls[0]`"),
        ({"sbom": {"name": "a" * 300, "text": "{}"}}, "Expected `str` of length <= 255 - at `$.sbom.name`"),
        ({"purls": ["pkg:npm/left"], "platforms": ["linux/abacus"]}, "'linux/abacus' is no platform"),
        ({"purls": ["pkg:npm/left"], "repositories": ["nmp"]}, "there is no repository 'nmp'; there are: npm, pypi"),
        ({"trees": ["/nmp/a/"]}, "there is no repository 'nmp'"),
    ],
)
def test_what_is_wrong_with_an_order_is_told(body: dict[str, object], told: str) -> None:
    with pytest.raises(BadRequest) as refused:
        order(**body)
    assert told in str(refused.value)


def test_documents_have_a_limit_together() -> None:
    half = {"name": "a.json", "text": "x" * (LARGEST_ORDER // 2)}
    assert len(order(sbom=[half, half]).papers) == 2
    with pytest.raises(TooLarge, match="give them in several orders"):
        order(sbom=[half, half, "x"])


def test_an_order_is_called_by_what_it_names() -> None:
    assert title_of(order(purls=["pkg:npm/a", "pkg:npm/b"])) == "pkg:npm/a, pkg:npm/b"
    many = order(purls=["pkg:npm/a", "pkg:npm/b", "pkg:npm/c"], sbom=["x", "y"], trees=["/npm/-/a/"])
    assert title_of(many) == "3 package URLs, sbom 1, sbom 2 and 1 more"


def test_a_long_title_is_cut() -> None:
    title = title_of(order(purls=[f"pkg:npm/{'a' * 4000}"]))
    assert (len(title), title[-1]) == (200, "…")
