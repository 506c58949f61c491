"""The resources that cargo asks for, made from names."""

from entrepot.ecosystems.cargo_names import crate_of, place_of
from entrepot.model.paths import encode_segment
from entrepot.model.resource import Kind, Resource

CONFIG_FORM = "config"
"""The only form that names our own address."""

CONFIG = Resource(key="config.json", path="config.json", kind=Kind.INDEX, form=CONFIG_FORM)
"""Where an index says where its crates are. Clients get one of ours, made in its place."""


def index_file(crate: str) -> Resource:
    """The lines that a registry has of a crate, one for each version. Raises BadRequest."""
    name = crate_of(crate)
    return Resource(key=place_of(name), path=place_of(name), kind=Kind.INDEX, form="lines", about=name)


def crate_file(name: str, version: str, sha256: str) -> Resource:
    """A .crate. Its name tells the digest, so it never means other bytes; that the index lists them under this name is
    looked up all the same. Raises BadRequest."""
    key = f"crates/{name}/{encode_segment(version)}/{sha256}"
    return Resource(
        key=key,
        path=key,
        kind=Kind.ARTIFACT,
        about=crate_of(name),
        version=version,
        listed_in=index_file(name),
        located_by=CONFIG,
        content_type="application/octet-stream",
    )
