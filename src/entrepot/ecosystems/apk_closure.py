"""What apk asks for when it installs a package: the indexes of a branch, and packages.

Not a resolver: where several packages provide what another depends on, all of them are held.
"""

import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from typing import Final

from entrepot.contracts.closure import Closure, Need, Reading, Skipped
from entrepot.ecosystems.apk_index import Listed, read_packages
from entrepot.ecosystems.apk_places import INDEX, Places, file_name, is_served, key_of
from entrepot.ecosystems.apk_versions import APK
from entrepot.errors import Absent, BadRequest, ConfigError
from entrepot.model.constraints import Constraint, parse_constraint
from entrepot.model.digest import Digest
from entrepot.model.paths import is_segment
from entrepot.model.resource import Resource
from entrepot.model.selection import Depth, Selection

_NAME: Final = re.compile(r"[^=<>~@]+")


@dataclass(frozen=True, slots=True)
class _Package:
    folder: str
    listed: Listed

    @property
    def key(self) -> str:
        return key_of(place_of(self.folder, self.listed).split("/"))


_Shelf = Generator[Need, Reading | None, list[_Package]]


def place_of(folder: str, listed: Listed) -> str:
    """Where a package is that the index in a folder names, decoded: below the same folder, by its own architecture."""
    above, _, machine = folder.rpartition("/")
    parts = (above, listed.arch or machine, file_name(listed.name, listed.version))
    return "/".join(part for part in parts if part)


def close(places: Places, selection: Selection) -> Closure:
    """Raises BadRequest, Absent and UnreadableIndex."""
    if selection.files:
        for name in selection.files:
            yield from _file(places, selection, name)
        return
    held, deep = 0, selection.extent.depth is not Depth.NONE
    wanted = _constraint(selection)
    for folders in places.folders(selection):
        packages = yield from _read(places, folders, "" if deep else selection.package)
        chosen = [one for one in packages if one.listed.name == selection.package and _fits(one, selection, wanted)]
        held += len(chosen)
        for one in chosen:
            yield Need(resource=_pinned(places.resource(one.key), selection))
        if deep:
            yield from _Walk(places, packages).steps(chosen)
    if not held:
        raise Absent(f"{selection}, in the indexes as they are now")


def _file(places: Places, selection: Selection, name: str) -> Closure:
    """One that was served before, by its path below the repository."""
    resource = places.resource(key_of(name.split("/")))
    if resource.listed_in is not None:
        yield Need(resource=resource.listed_in, absent="maybe")
    yield Need(resource=_pinned(resource, selection))


def _pinned(resource: Resource, selection: Selection) -> Resource:
    digest: Digest | None = next(iter(selection.digests), None)
    return replace(resource, digest=digest) if digest is not None else resource


def _read(places: Places, folders: list[str], only: str) -> _Shelf:
    """What the indexes of some folders name, each version once; of one package only, where its name is told."""
    found: list[_Package] = []
    for folder in folders:
        index = places.resource(key_of([*folder.split("/"), INDEX]))
        reading = yield Need(resource=index, reads=True, absent="maybe" if len(folders) > 1 else "no")
        if reading is not None:
            listed = read_packages(reading.document)
            found += [_Package(folder, one) for one in listed if only in ("", one.name) and is_placed(one)]
    return found


def is_placed(listed: Listed) -> bool:
    """Whether apk could ask for it: some fields make no name of a file."""
    return is_served(file_name(listed.name, listed.version)) and (not listed.arch or is_segment(listed.arch))


def _constraint(selection: Selection) -> Constraint | None:
    try:
        return parse_constraint(selection.within, APK, selection.package) if selection.within else None
    except ConfigError as error:
        raise BadRequest(str(error)) from error


def _fits(one: _Package, selection: Selection, wanted: Constraint | None) -> bool:
    version = one.listed.version
    return selection.version in ("", version) and (wanted is None or bool(wanted.admits(version)))


def names_in(text: str) -> Iterator[str]:
    """The names in a list of dependencies or of what is provided, without versions and tags; conflicts are none."""
    for word in text.split():
        name = _NAME.match(word)
        if name and not word.startswith("!"):
            yield name[0]


class _Walk:
    """From a package to all that it needs, within one branch and architecture."""

    def __init__(self, places: Places, packages: list[_Package]) -> None:
        self._places = places
        self._by_name: dict[str, list[_Package]] = {}
        self._providers: dict[str, list[_Package]] = {}
        self._optional = [one for one in packages if one.listed.install_if]
        for one in packages:
            self._by_name.setdefault(one.listed.name, []).append(one)
            for name in names_in(one.listed.provides):
                self._providers.setdefault(name, []).append(one)
        self._held: dict[str, _Package] = {}
        self._names: set[str] = set()

    def steps(self, chosen: list[_Package]) -> Closure:
        todo = list(chosen)
        while todo:
            while todo:
                one = todo.pop()
                if one.key not in self._held:
                    self._take(one)
                    yield Need(resource=self._places.resource(one.key))
                    todo += yield from self._needed_by(one)
            # What apk installs by itself once all of what it names is there.
            todo = [one for one in self._optional if one.key not in self._held and self._is_called_for(one)]

    def _take(self, one: _Package) -> None:
        self._held[one.key] = one
        self._names.update((one.listed.name, *names_in(one.listed.provides)))

    def _is_called_for(self, one: _Package) -> bool:
        return all(name in self._names for name in names_in(one.listed.install_if))

    def _needed_by(self, one: _Package) -> Generator[Skipped, None, list[_Package]]:
        needed: list[_Package] = []
        for name in names_in(one.listed.depends):
            found = self._by_name.get(name) or self._providers.get(name)
            if found is None:
                reason = f"{one.listed.name} depends on it, and no index of the branch has it"
                yield Skipped(subject=name, reason=reason)
            needed += found or ()
        return needed
