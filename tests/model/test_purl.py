import pytest

from entrepot.errors import BadRequest
from entrepot.model.purl import Purl, parse_purl


@pytest.mark.parametrize(
    ("text", "purl"),
    [
        ("pkg:npm/left-pad@1.3.0", Purl(type="npm", namespace="", name="left-pad", version="1.3.0")),
        ("pkg:npm/left-pad", Purl(type="npm", namespace="", name="left-pad")),
        ("pkg:npm/%40acme/foo@1.0.0", Purl(type="npm", namespace="@acme", name="foo", version="1.0.0")),
        ("pkg:npm/@acme/foo", Purl(type="npm", namespace="@acme", name="foo")),
        ("pkg:npm/@acme/foo@2", Purl(type="npm", namespace="@acme", name="foo", version="2")),
        ("pkg:npm/JSONStream@1.3.5", Purl(type="npm", namespace="", name="JSONStream", version="1.3.5")),
        ("PKG:PyPI/Flask", Purl(type="pypi", namespace="", name="Flask")),
        (
            "pkg:golang/github.com/Acme/foo@v1.0.0?type=module#cmd/x",
            Purl(
                type="golang",
                namespace="github.com/Acme",
                name="foo",
                version="v1.0.0",
                qualifiers=(("type", "module"),),
                subpath="cmd/x",
            ),
        ),
        ("pkg://npm/a@1%2B2", Purl(type="npm", namespace="", name="a", version="1+2")),
    ],
)
def test_a_package_url_is_read_with_its_case_kept(text: str, purl: Purl) -> None:
    assert parse_purl(text) == purl
    assert parse_purl(str(purl)) == purl


@pytest.mark.parametrize("text", ["", "npm/left", "pkg:", "pkg:npm", "pkg:npm/", "pkg/npm/left", "pkg:/left"])
def test_what_is_no_package_url_is_refused(text: str) -> None:
    with pytest.raises(BadRequest, match="package URL"):
        parse_purl(text)
