"""Signatures of indexes: RSA (PKCS #1 v1.5) over the packed bytes that follow them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, SHA512, HashAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from entrepot.errors import ConfigError

PREFIX: Final = ".SIGN."
"""How the names of signatures begin; the kind and the name of the key follow."""
_KINDS: Final = {"RSA": "sha1", "RSA256": "sha256", "RSA512": "sha512"}
_HASHES: Final[dict[str, type[HashAlgorithm]]] = {"sha1": SHA1, "sha256": SHA256, "sha512": SHA512}


@dataclass(frozen=True, slots=True)
class Signature:
    algorithm: str
    """Of the digest that is signed."""
    key: str
    """The name of the key's file, as the signer has it."""
    value: bytes

    def is_by(self, keys: Sequence[RSAPublicKey], digest: bytes) -> bool:
        """Whether one of the keys made it for these packed bytes."""
        return any(self._is_by(key, digest) for key in keys)

    def _is_by(self, key: RSAPublicKey, digest: bytes) -> bool:
        try:
            key.verify(self.value, digest, PKCS1v15(), Prehashed(_HASHES[self.algorithm]()))
        except InvalidSignature:
            return False
        return True


def signature_of(name: str, value: bytes) -> Signature | None:
    """From the name of the file that holds it; None for a kind that is not known here."""
    kind, _, key = name.removeprefix(PREFIX).partition(".")
    return Signature(_KINDS[kind], key, value) if kind in _KINDS and key else None


class Digests:
    """Of what follows the signatures, by every algorithm that one may be over."""

    def __init__(self) -> None:
        self._running = {name: hashlib.new(name, usedforsecurity=False) for name in _HASHES}

    def update(self, data: bytes) -> None:
        for running in self._running.values():
            running.update(data)

    def value(self, algorithm: str) -> bytes:
        return self._running[algorithm].digest()


def read_keys(value: object) -> tuple[RSAPublicKey, ...]:
    """The option `keys`. Raises ConfigError."""
    if not isinstance(value, list | tuple) or not all(isinstance(one, str) for one in value):
        raise ConfigError("apk: keys is no list of public keys; write each as its PEM text")
    return tuple(_read_key(text, number) for number, text in enumerate(value))


def _read_key(text: str, number: int) -> RSAPublicKey:
    try:
        key = load_pem_public_key(text.strip().encode())
    except ValueError as error:
        raise ConfigError(f"apk: keys[{number}] is no public key in PEM: {error}") from error
    if not isinstance(key, RSAPublicKey):
        raise ConfigError(f"apk: keys[{number}] is no RSA key")
    return key
