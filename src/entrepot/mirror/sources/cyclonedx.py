"""A component of a CycloneDX bill, in whichever notation it came, and what it says of the package it stands for."""

from collections.abc import Iterator, Sequence

import msgspec

from entrepot.mirror.sources.sbom_member import Member, known_digests, names_a_file, title_of

REPOSITORY_PROPERTY = "entrepot:repository"
"""In our own bills: the repository that served a package. The components below it are the files that were served."""
PATH_PROPERTY = "entrepot:path"
"""In our own bills: our path of a file."""


class Hash(msgspec.Struct):
    alg: str | None = None
    content: str | None = None


class Reference(msgspec.Struct):
    type: str | None = None
    url: str | None = None
    hashes: list[Hash] | None = None


class Property(msgspec.Struct):
    name: str | None = None
    value: str | None = None


class Component(msgspec.Struct):
    """What matters of it; all else is skipped."""

    type: str | None = None
    name: str | None = None
    version: str | None = None
    purl: str | None = None
    hashes: list[Hash] | None = None
    references: list[Reference] | None = msgspec.field(default=None, name="externalReferences")
    properties: list[Property] | None = None

    @property
    def repository(self) -> str:
        return next((one.value or "" for one in self.properties or () if one.name == REPOSITORY_PROPERTY), "")


def members_of(
    component: Component, place: str, *, below: Sequence[Component] = (), is_root: bool = False
) -> Iterator[Member]:
    """The package that a component stands for; nothing for a file, a device or data. `below`: the components in it."""
    purl = (component.purl or "").strip()
    if not purl and component.type not in ("library", "framework", "application", "container"):
        return
    repository = component.repository
    files = [one for one in below if one.type == "file" and one.name] if repository else []
    hashes = [one for file in files for one in file.hashes or ()] if repository else _hashes_of_file(component)
    yield Member(
        place=title_of(place, component.name),
        purl=purl,
        version=component.version or "",
        digests=known_digests((one.alg or "", one.content or "") for one in hashes),
        is_root=is_root,
        repository=repository,
        files=tuple(one.name or "" for one in files),
    )


def _hashes_of_file(component: Component) -> list[Hash]:
    """A component's hashes may be of what lay on a disk, or of a whole module. They are taken for those of the
    distributed file where they stand beside its address, or where the purl names one file."""
    distributed = [one for one in component.references or () if one.type == "distribution"]
    told = [one for reference in distributed for one in reference.hashes or ()]
    if told:
        return told
    is_one = len(distributed) == 1 and names_a_file(distributed[0].url or "")
    return (component.hashes or []) if is_one or "file_name=" in (component.purl or "") else []
