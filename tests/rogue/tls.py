"""Certificates for rogue origins, good and bad."""

import datetime
import ssl
from functools import cache

import trustme


@cache
def authority() -> trustme.CA:
    """The one that a test's upstreams trust."""
    return trustme.CA()


def server_context(
    name: str = "127.0.0.1", issuer: trustme.CA | None = None, not_after: datetime.datetime | None = None
) -> ssl.SSLContext:
    """Of a server that is called `name`; issued by `authority`, if by no other."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    (issuer or authority()).issue_cert(name, not_after=not_after).configure_cert(context)
    return context
