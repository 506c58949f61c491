"""The resources that npm's clients ask for, made from names."""

from entrepot.ecosystems.npm_names import escape, is_version, split_package
from entrepot.ecosystems.npm_packument import FULL
from entrepot.errors import BadRequest
from entrepot.model.resource import Kind, Resource

_ATTESTATIONS_TTL = 86400.0

KEYS = Resource(key="-/npm/v1/keys", path="-/npm/v1/keys", kind=Kind.SIGNED, accept=FULL)
"""With which the registry signs what it publishes."""


def packument(package: str, form: str = "full", version: str = "") -> Resource:
    # One stored document for all forms: the full one, which alone has dates. The constant `accept` keeps registries
    # from guessing and is the same in every request, so it splits no keys.
    return Resource(
        key=package, path=escape(package), kind=Kind.INDEX, form=form, about=package, version=version, accept=FULL
    )


def tarball(package: str, file: str) -> Resource:
    # The path is where nearly every registry has it; where it really is, says the packument.
    return Resource(
        key=f"{package}/-/{file}",
        path=f"{package}/-/{file}",
        kind=Kind.ARTIFACT,
        about=package,
        listed_in=packument(package),
        content_type="application/octet-stream",
    )


def attestations(package: str, version: str) -> Resource:
    """Raises BadRequest for what is no version."""
    if not is_version(version):
        raise BadRequest(f"{version[:80]!a} is not a version")
    prefix = "-/npm/v1/attestations/"
    return Resource(
        key=f"{prefix}{package}@{version}",
        path=f"{prefix}{escape(package)}@{version}",
        kind=Kind.SIGNED,
        about=package,
        version=version,
        accept=FULL,
        mutable_ttl=_ATTESTATIONS_TTL,
    )


def whole_package(segments: tuple[str, ...]) -> str:
    """The package that these segments name, and nothing else. Raises BadRequest."""
    package, rest = split_package(segments)
    if rest:
        raise BadRequest(f"{'/'.join(segments)[:80]!a} is not an npm package name")
    return package
