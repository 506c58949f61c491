"""Ed25519 signatures over manifests, with keys as OpenSSH writes them or as PEM."""

import base64
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from entrepot.errors import ConfigError, UnreadableBundle
from entrepot.mirror.bundles.records import SIGNATURE, decode, encode

_CONTEXT = b"entrepot bundle 1\n"
"""Before what is signed, so that a signature made for something else is none for a bundle."""


class Signature(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    key: str
    """The public key in OpenSSH form."""
    signature: str
    """Base64."""


@dataclass(frozen=True, slots=True)
class Signer:
    key: str
    """The public key in OpenSSH form."""
    trusted: bool


def make_keys(path: Path) -> str:
    """A new private key in a file that only its owner may read, and the public one in `PATH.pub`; the public one.
    Raises ConfigError; nothing is overwritten."""
    private = Ed25519PrivateKey.generate()
    public = _text_of(private.public_key())
    secret = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    try:
        for place, content, mode in ((path, secret, 0o600), (_beside(path), f"{public}\n".encode(), 0o644)):
            descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
            with open(descriptor, "wb") as file:
                file.write(content)
    except OSError as error:
        raise ConfigError(f"{error.filename}: {error.strerror}") from error
    return public


def sign(manifest: bytes, key: Path) -> bytes:
    """The content of `manifest.sig`. Raises ConfigError for a key that cannot be used."""
    private = _load_private(key)
    signature = private.sign(_CONTEXT + manifest)
    text = base64.b64encode(signature).decode()
    return encode(Signature(key=_text_of(private.public_key()), signature=text))


def check(manifest: bytes, signature: bytes, trusted: Iterable[str]) -> Signer:
    """Who signed. `trusted`: public keys, as `load_public` gives them. Raises UnreadableBundle where nobody did."""
    told = decode(signature, Signature, SIGNATURE)
    try:
        public = serialization.load_ssh_public_key(told.key.encode())
        if not isinstance(public, Ed25519PublicKey):
            raise UnreadableBundle(f"{SIGNATURE}: its key is no Ed25519 key")
        public.verify(base64.b64decode(told.signature, validate=True), _CONTEXT + manifest)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UnreadableBundle(f"{SIGNATURE}: {error}") from error
    except InvalidSignature as error:
        raise UnreadableBundle(f"{SIGNATURE}: it is not the signature of this manifest") from error
    key = _text_of(public)
    return Signer(key=key, trusted=key in set(trusted))


def load_public(text: str, place: str) -> str:
    """A public key, given in OpenSSH form (with or without a comment) or as PEM. Raises ConfigError."""
    body = text.strip().encode()
    load = serialization.load_pem_public_key if body.startswith(b"-----") else serialization.load_ssh_public_key
    try:
        key = load(body)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConfigError(f"{place}: no public key can be read there: {error}") from error
    if not isinstance(key, Ed25519PublicKey):
        raise ConfigError(f"{place}: bundles are signed with Ed25519 keys, and this is another kind")
    return _text_of(key)


def load_public_file(path: Path) -> str:
    """Raises ConfigError."""
    try:
        return load_public(path.read_text("utf-8", "replace"), str(path))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error


def _load_private(path: Path) -> Ed25519PrivateKey:
    try:
        body = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    openssh = body.startswith(b"-----BEGIN OPENSSH")
    load = serialization.load_ssh_private_key if openssh else serialization.load_pem_private_key
    try:
        key = load(body, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        # TypeError: it has a passphrase, which nobody could be asked for where bundles are written.
        raise ConfigError(f"{path}: no private key can be read there: {error}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError(f"{path}: bundles are signed with Ed25519 keys, and this is another kind")
    return key


def _text_of(key: Ed25519PublicKey) -> str:
    return key.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.pub")
