"""What a module requires, and what the go command builds of it (https://go.dev/ref/mod#minimal-version-selection)."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from entrepot.ecosystems.golang_mod import ModFile, Required
from entrepot.model.versions import GO


@dataclass(slots=True)
class Graph:
    """The requirements below one module, as they are read. Pruned as the go command prunes them: a go.mod that is
    complete keeps it from looking at what its requirements require, but for their versions."""

    root: Required
    _todo: dict[Required, bool] = field(default_factory=dict)
    """What is to be read, and whether all below it counts."""
    _whole: dict[Required, bool] = field(default_factory=dict)
    _chosen: dict[str, str] = field(default_factory=dict)
    _mentioned: dict[str, str] = field(default_factory=dict)
    """The highest versions that were required by what is pruned."""

    def __post_init__(self) -> None:
        self._todo[self.root] = False

    def next(self) -> Required | None:
        """Whose go.mod is to be read; None: no more."""
        if not self._todo:
            self._raise_versions()
        return next(iter(self._todo), None)

    def take(self, one: Required, mod: ModFile | None) -> None:
        """What its go.mod says; None: there is none."""
        whole = self._todo.pop(one)
        self._whole[one] = whole
        if mod is None:
            return
        if one != self.root:
            _keep_higher(self._chosen, one)
        whole = whole or not mod.is_complete
        for required in mod.requires:
            if one == self.root or whole:
                self._add(required, whole=whole)
            else:
                _keep_higher(self._mentioned, required)

    def _add(self, one: Required, *, whole: bool) -> None:
        if one == self.root or GO.key(one.version) is None:
            return
        if one not in self._whole or (whole and not self._whole[one]):
            self._todo[one] = whole or self._todo.get(one, False)

    def _raise_versions(self) -> None:
        for path, version in list(self._chosen.items()):
            mentioned = Required(path, self._mentioned.get(path, version))
            if _is_higher(mentioned.version, version):
                self._add(mentioned, whole=False)

    @property
    def read(self) -> Iterator[Required]:
        """All whose go.mod was read, without the root."""
        return (one for one in self._whole if one != self.root)

    @property
    def build_list(self) -> Iterator[Required]:
        return (Required(path, version) for path, version in self._chosen.items() if path != self.root.path)


def _keep_higher(versions: dict[str, str], one: Required) -> None:
    if one.path not in versions or _is_higher(one.version, versions[one.path]):
        versions[one.path] = one.version


def _is_higher(version: str, other: str) -> bool:
    one, two = GO.key(version), GO.key(other)
    return one is not None and (two is None or one > two)
