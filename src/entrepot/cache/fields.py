"""Which of upstream's header fields are kept, and which of them a client is shown."""

from entrepot.contracts.ecosystem import Ecosystem
from entrepot.model.headers import Headers
from entrepot.model.resource import Kind, Resource

CHECKSUMS = frozenset(f"x-checksum-{algorithm}" for algorithm in ("md5", "sha1", "sha256", "sha512"))
ABOUT_THE_BODY = frozenset(("content-type", "content-encoding", "content-language", "content-disposition"))
KEPT = ABOUT_THE_BODY | {"etag", "last-modified", "cache-control", "expires", "date", "age", "vary", "link"} | CHECKSUMS
IMMUTABLE = "public, max-age=31536000, immutable"
MUTABLE = "no-cache"
"""Clients ask again each time, which costs them a 304 from next door: what an operator changes takes effect at once."""


def kept_fields(headers: Headers, *, decoded: bool) -> Headers:
    """What is remembered of an answer; `decoded`: its content coding was undone."""
    dropped = "content-encoding" if decoded else ""
    return Headers(field for field in headers if field[0] in KEPT and field[0] != dropped)


def freshened(stored: Headers, news: Headers) -> Headers:
    """After a 304: its fields replace the stored ones, except those that describe the body (RFC 9111 §3.2)."""
    changes = [(name, value) for name, value in news if name in KEPT and name not in ABOUT_THE_BODY]
    return Headers(field for field in stored if field[0] != "age").replaced(changes)


def described(ecosystem: Ecosystem, resource: Resource, headers: Headers, sha256: str) -> tuple[tuple[str, str], ...]:
    """The fields that describe stored bytes to a client, with what this ecosystem's clients want to be told besides."""
    return (*shown_fields(resource, headers), *ecosystem.shown(resource, headers, sha256))


def shown_fields(resource: Resource, headers: Headers) -> tuple[tuple[str, str], ...]:
    """The fields that describe stored bytes to a client; upstream's validators and freshness are not ours."""
    names = ("content-encoding", "content-language", "content-disposition")
    kind = resource.content_type or headers.get("content-type", "application/octet-stream")
    control = IMMUTABLE if resource.kind is Kind.ARTIFACT else MUTABLE
    kept = [(name, headers.get(name)) for name in names if name in headers]
    return (("content-type", kind), ("cache-control", control), *kept)


def is_stray_page(resource: Resource, headers: Headers) -> bool:
    """Whether upstream sends a web page, such as a login, where a file belongs."""
    page = headers.get("content-type").partition(";")[0].strip().lower() == "text/html"
    return resource.kind is Kind.ARTIFACT and page and not resource.key.lower().endswith((".html", ".htm", "/"))
