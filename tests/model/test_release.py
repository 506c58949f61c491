"""Where files are, as seen from an upstream."""

from io import BytesIO

import pytest

from entrepot.model.release import Document, Location, locate, origin_of
from entrepot.model.resource import BASE, Kind, Resource

UPSTREAM = "https://registry.example/simple/"


@pytest.mark.parametrize(
    ("url", "location"),
    [
        ("https://registry.example/files/a.whl", Location(BASE, "/files/a.whl")),
        ("https://REGISTRY.example:443/files/a.whl", Location(BASE, "/files/a.whl")),
        ("https://registry.example", Location(BASE, "/")),
        ("https://registry.example/a?b=c#d", Location(BASE, "/a?b=c")),
        ("https://files.example/a.whl", Location("files.example", "/a.whl")),
        ("https://Files.example:8443/a.whl", Location("files.example:8443", "/a.whl")),
        ("https://registry.example:8443/a.whl", Location("registry.example:8443", "/a.whl")),
        ("http://registry.example/a.whl", None),
        ("http://files.example/a.whl", None),
        ("https://user@files.example/a.whl", None),
        ("https://user:password@registry.example/a.whl", None),
        ("https://@registry.example/a.whl", None),
        ("ftp://files.example/a.whl", None),
        ("/a.whl", None),
        ("https:///a.whl", None),
        ("https://files.example:port/a.whl", None),
        ("https://[::1/a.whl", None),
    ],
)
def test_a_link_is_the_upstreams_own_or_an_https_host_or_nothing(url: str, location: Location | None) -> None:
    assert locate(url, UPSTREAM) == location


def test_a_plain_upstream_has_plain_files_of_its_own() -> None:
    assert locate("http://127.0.0.1:9000/a", "http://127.0.0.1:9000/simple/") == Location(BASE, "/a")


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://Registry.example/a", ("https", "registry.example", 443)),
        ("http://registry.example:8080", ("http", "registry.example", 8080)),
        ("http://registry.example", ("http", "registry.example", 80)),
        ("gopher://registry.example", ("gopher", "registry.example", None)),
        ("relative", ("", "", None)),
    ],
)
def test_origins_have_explicit_ports(url: str, origin: tuple[str, str, int | None]) -> None:
    assert origin_of(url) == origin


def document(url: str, key: str = "") -> Document:
    return Document(body=BytesIO(), content_type="text/html", url=url, upstream=UPSTREAM, key=key)


def test_the_place_of_a_document_is_its_key_or_what_its_url_says() -> None:
    assert document("https://elsewhere.example/x", "flask/").place == "flask/"
    assert document("https://registry.example/simple/flask/").place == "flask/"
    assert document("https://elsewhere.example/other/flask/").place == "other/flask/"


def test_the_stored_key_tells_representations_apart() -> None:
    plain = Resource(key="a", path="a", kind=Kind.INDEX)
    asked = Resource(key="a", path="a", kind=Kind.INDEX, query="x=1", accept="text/html")
    assert plain.stored_key == "a"
    assert asked.stored_key == "a?x=1 text/html"
