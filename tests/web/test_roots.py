"""The ways in at the server's root."""

import pytest

from entrepot.cache.freshness import FreshnessRules
from entrepot.cache.repository import Repository
from entrepot.ecosystems.oci import Oci
from entrepot.errors import BadRequest, NotServed, TokenNeeded
from entrepot.web.mounts import Greeting, Mounted, find_mount
from entrepot.web.roots import Root, linked
from entrepot.web.tokens import Guard


def images(name: str) -> Repository:
    return Repository(name=name, ecosystem=Oci(), upstreams=("main",), rules=FreshnessRules(), limits=Oci.limits)


KNOWN = {"hub": images("hub"), "quay": images("quay")}
ROOT = Root(segment="v2", repositories=KNOWN, hosts={"hub.example": "hub", "quay.example:5000": "quay"})
MIRROR = Root(segment="v2", repositories=KNOWN, hosts={}, otherwise="hub")


def found(raw: str, query: str = "", root: Root = ROOT) -> tuple[str, str, str, str]:
    mounted = find_mount(raw, KNOWN, (root,), query)
    assert isinstance(mounted, Mounted)
    return mounted.repository.name, mounted.path, mounted.prefix, mounted.session


@pytest.mark.parametrize(
    ("raw", "query", "place"),
    [
        ("/v2/quay/a/b/tags/list", "", ("quay", "v2/a/b/tags/list", "/v2/quay", "")),
        ("/quay/v2/a/tags/list", "", ("quay", "v2/a/tags/list", "/quay", "")),
        ("/~abc/quay/v2/a/tags/list", "", ("quay", "v2/a/tags/list", "/~abc/quay", "abc")),
        ("/v2/session-abc/hub/a/tags/list", "", ("hub", "v2/a/tags/list", "/v2/session-abc/hub", "abc")),
        ("/v2/a/tags/list", "ns=hub.example", ("hub", "v2/a/tags/list", "/v2", "")),
        ("/v2/a/tags/list", "n=1&ns=quay.example%3A5000", ("quay", "v2/a/tags/list", "/v2", "")),
        ("/v2/quay/a/tags/list", "ns=HUB.example", ("hub", "v2/quay/a/tags/list", "/v2", "")),
        ("/v2/quay/a/tags/list", "ns=other.example", ("quay", "v2/a/tags/list", "/v2/quay", "")),
        ("/v2/quay/a%2fb", "", ("quay", "v2/a%2fb", "/v2/quay", "")),
    ],
)
def test_a_repository_is_found_by_its_name_or_by_the_host_that_is_meant(
    raw: str, query: str, place: tuple[str, str, str, str]
) -> None:
    assert found(raw, query) == place


def test_what_names_no_repository_goes_to_the_mirror_where_there_is_one() -> None:
    assert found("/v2/library/app/tags/list", root=MIRROR) == ("hub", "v2/library/app/tags/list", "/v2", "")
    assert found("/v2/quay/app/tags/list", root=MIRROR)[0] == "quay"
    with pytest.raises(NotServed, match=r"/v2/hub/…, /v2/quay/…"):
        found("/v2/library/app/tags/list")


@pytest.mark.parametrize("query", ["ns=other.example", "n=1&ns=OTHER.example%3A443", "ns=..%2f", "ns=%C3%A9"])
def test_an_image_of_a_registry_that_nobody_stands_for_is_not_the_mirrors(query: str) -> None:
    with pytest.raises(NotServed, match="no repository stands for"):
        found("/v2/library/app/manifests/1", query, root=MIRROR)
    assert found("/v2/library/app/manifests/1", "ns=", root=MIRROR)[0] == "hub"


def test_other_paths_are_nobodys_here() -> None:
    assert found("/hub/v2/x")[0] == "hub"
    with pytest.raises(NotServed):
        found("/v3/hub/x")


def test_a_session_has_a_plain_name_here_too() -> None:
    with pytest.raises(BadRequest):
        found("/v2/session-a.b/hub/a/tags/list")


@pytest.mark.parametrize("raw", ["/v2", "/v2/"])
def test_the_root_greets(raw: str) -> None:
    greeting = find_mount(raw, KNOWN, (ROOT,))
    assert isinstance(greeting, Greeting)
    assert (greeting.reply.status, greeting.repositories) == (200, frozenset(KNOWN))


@pytest.mark.parametrize(("open_to_all", "refused"), [({"hub", "quay"}, False), ({"hub"}, True), (set(), True)])
def test_strangers_are_asked_for_a_token_where_a_repository_wants_one(open_to_all: set[str], refused: bool) -> None:
    guard = Guard((), repositories=KNOWN, open_to_all=frozenset(open_to_all), is_session=lambda _: False)
    stranger = guard.principal_of(b"", 0.0)
    if refused:
        with pytest.raises(TokenNeeded):
            guard.greet(stranger, frozenset(KNOWN))
    else:
        guard.greet(stranger, frozenset(KNOWN))


def test_a_link_to_another_page_leads_to_the_path_by_which_the_client_came() -> None:
    plain = [("link", '<https://elsewhere.example/>; rel="x"'), ("content-type", "a/b")]
    assert linked(plain, b"/v2/hub/a") is plain
    assert linked([("link", '<?n=1>; rel="next"')], b"/v2/hub/a/tags/list") == [
        ("link", '</v2/hub/a/tags/list?n=1>; rel="next"')
    ]
