"""Names of the distribution specification: repositories, tags, digests (spec.md, "Pulling manifests")."""

import re

from entrepot.errors import BadRequest, NotServed
from entrepot.model.digest import Digest, parse_hex

LONGEST_NAME = 255
TAG = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}"

_NAME = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*\Z", re.ASCII)
_TAG = re.compile(rf"{TAG}\Z", re.ASCII)
_SAID = re.compile(r"sha(?:256|512)-[0-9a-f]{64}(?:\.(?:sig|att|sbom))?\Z")
_DIGEST_LIKE = re.compile(r"[A-Za-z0-9+._-]+:")


def is_name(text: str) -> bool:
    return len(text) <= LONGEST_NAME and _NAME.match(text) is not None


def check_name(text: str) -> str:
    """Raises NotServed."""
    if not is_name(text):
        raise NotServed(f"{text[:80]!a} cannot be the name of a repository: small letters, digits and . _ - / between")
    return text


def is_said_of_digest(tag: str) -> bool:
    """Whether it is called as `fallback_tag` calls what is said of a digest."""
    return _SAID.match(tag) is not None


def is_tag(text: str) -> bool:
    return _TAG.match(text) is not None


def parse_digest(text: str) -> Digest | None:
    """As in names: `sha256:` and 64 small hexadecimal digits, or sha512 with 128; None for what is no digest."""
    algorithm, _, value = text.partition(":")
    if algorithm not in ("sha256", "sha512") or value != value.lower():
        return None
    return parse_hex(algorithm, value)


def check_digest(text: str) -> Digest:
    """Raises BadRequest."""
    digest = parse_digest(text)
    if digest is None:
        raise BadRequest(f"{text[:160]!a} is no digest that can be checked; write it like sha256: and 64 digits")
    return digest


def parse_reference(text: str) -> Digest | str:
    """A digest or a tag. Raises BadRequest."""
    if _DIGEST_LIKE.match(text):
        return check_digest(text)
    if not is_tag(text):
        raise BadRequest(f"{text[:160]!a} is neither a tag nor a digest")
    return text


def fallback_tag(digest: Digest, suffix: str = "") -> str:
    """The tag that stands for the referrers of a digest where a registry has no API for them ("Referrers Tag Schema"),
    and with a suffix those of cosign: `.sig`, `.att`, `.sbom`."""
    return f"{digest.algorithm}-{digest.value[:64]}{suffix}"
