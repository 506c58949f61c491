"""Settings of bundles that come over an air gap."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


def _public_key(text: str) -> str:
    if not text.startswith(("ssh-ed25519 ", "-----BEGIN PUBLIC KEY-----")):
        raise ValueError("it is no Ed25519 public key: a line that begins with ssh-ed25519, or PEM")
    return text


class Bundles(BaseModel):
    """Files that carry packages to stores without a network ([air gap](air-gap.md))."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    trusted_keys: tuple[Annotated[str, AfterValidator(_public_key)], ...] = Field(
        default=(),
        description='Public keys whose signatures `entrepot import` believes: `"ssh-ed25519 AAAA…"`, or PEM.',
    )
