"""Credentials on the wire, and the identity that they give an upstream."""

import hashlib
from base64 import b64encode
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import assert_never

from entrepot.model.headers import Headers
from entrepot.upstream.settings import Auth, AuthKind, UpstreamSettings


def auth_fields(auth: Auth) -> Headers:
    """The request fields that carry the credentials."""
    match auth.kind:
        case AuthKind.NONE:
            return Headers()
        case AuthKind.BASIC:
            pair = f"{auth.user}:{auth.secret.reveal()}".encode()
            return Headers([("authorization", f"Basic {b64encode(pair).decode()}")])
        case AuthKind.BEARER:
            return Headers([("authorization", f"Bearer {auth.secret.reveal()}")])
        case AuthKind.HEADER:
            return Headers([(auth.header, auth.secret.reveal())])
        case _:
            assert_never(auth.kind)


def identities_of(upstreams: Mapping[str, UpstreamSettings]) -> dict[str, "Future[str]"]:
    """By name; made beside the rest of a start, because they take a while."""
    pool = ThreadPoolExecutor(max_workers=2, thread_name_prefix="identity")
    made = {name: pool.submit(identity_of, upstream) for name, upstream in upstreams.items()}
    pool.shutdown(wait=False)
    return made


def identity_of(upstream: UpstreamSettings) -> str:
    """Changes with the address and the credentials, and tells neither.

    scrypt, so that a weak password cannot be found by trying from the identity that the catalog stores.
    """
    auth = upstream.auth
    material = "\0".join((upstream.url, auth.kind.value, auth.user, auth.header, auth.secret.reveal()))
    return hashlib.scrypt(material.encode(), salt=upstream.url.encode(), n=2**14, r=8, p=1, dklen=8).hex()
