"""Where a mirror of Alpine has what: folders such as `v3.20/main/x86_64`, with an index and packages in each."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from entrepot.errors import BadRequest, ConfigError, NotServed
from entrepot.model.paths import decode_segment, encode_segment, is_segment
from entrepot.model.platforms import Platform, parse_platform
from entrepot.model.resource import Kind, Resource
from entrepot.model.selection import Selection

INDEX: Final = "APKINDEX.tar.gz"
INDEX_3: Final = "Packages.adb"
_EXTENSION: Final = ".apk"
_BRANCH: Final = re.compile(r"v[0-9]+\.[0-9]+|edge|latest-stable")
_DISTRO: Final = re.compile(r"(?:alpine-)?v?([0-9]+\.[0-9]+)(?:[._][0-9a-z_.]*)?\Z")
_FILE: Final = re.compile(r"(?P<name>.+)-(?P<version>[0-9][^-]*(?:-r[0-9]+)?)\Z")
_PROCESSORS: Final = {
    "amd64": "x86_64",
    "arm64": "aarch64",
    "386": "x86",
    "arm": "armv7",
    "ppc64le": "ppc64le",
    "s390x": "s390x",
    "riscv64": "riscv64",
}
"""Go's names, and what Alpine calls them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """What the options say of a repository."""

    branches: tuple[str, ...] = ()
    repositories: tuple[str, ...] = ("main", "community")
    architectures: tuple[str, ...] = ()
    must_be_listed: bool = True

    def resource(self, path: str) -> Resource:
        """What is at a path below the repository, percent-encoded. Raises NotServed and BadRequest."""
        *folders, name = map(decode_segment, path.split("/"))
        key = key_of((*folders, name))
        if folders and name in (INDEX, INDEX_3):
            return _index(key, lists=name == INDEX)
        if folders and name.endswith(_EXTENSION):
            return self._package(folders, name, key)
        if len(folders) == 1 and folders[0] == "keys":
            return Resource(key=key, path=key, kind=Kind.SIGNED)
        raise NotServed(
            f"{path[:200]}: a repository of apk serves {INDEX}, {INDEX_3} and packages in folders, and keys/; for "
            "other files of a mirror make a repository of plain files (ecosystem = generic)"
        )

    def _package(self, folders: Sequence[str], file: str, key: str) -> Resource:
        found = _FILE.match(file.removesuffix(_EXTENSION))
        if found is None:
            raise NotServed(f"{file[:200]}: packages are called NAME-VERSION.apk")
        return Resource(
            key=key,
            path=key,
            kind=Kind.ARTIFACT,
            about=found["name"],
            version=found["version"],
            listed_in=_index(key_of((*folders, INDEX)), lists=True),
            listed_anywhere=True,
            must_be_listed=self.must_be_listed,
        )

    def folders(self, selection: Selection) -> Iterator[list[str]]:
        """The folders of each branch and architecture that a selection means. Raises BadRequest."""
        told = dict(selection.qualifiers)
        branches = (branch_of(told["distro"], self.branches),) if "distro" in told else self.branches
        machines = (
            (told["arch"],) if told.get("arch", "noarch") != "noarch" else self._machines(selection.extent.platforms)
        )
        if not branches or not machines:
            raise BadRequest(
                f"{selection}: of which Alpine? Write ?distro=3.20&arch=x86_64 behind it, or set the options branches "
                "and architectures of the repository"
            )
        for branch in branches:
            for machine in machines:
                yield [_joined(branch, repository, machine) for repository in self.repositories]

    def _machines(self, platforms: Sequence[str]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(map(_machine_of, platforms))) if platforms else self.architectures


def key_of(segments: Sequence[str]) -> str:
    return "/".join(map(encode_segment, segments))


def file_name(package: str, version: str) -> str:
    return f"{package}-{version}{_EXTENSION}"


def is_served(file: str) -> bool:
    """Whether a name is one that `resource` takes for a package's."""
    stem = file.removesuffix(_EXTENSION)
    return stem != file and is_segment(file) and _FILE.match(stem) is not None


def qualifiers_of(key: str) -> tuple[tuple[str, str], ...]:
    """What a package URL says of a file besides its name and version."""
    *above, machine, _ = map(decode_segment, key.split("/"))
    branch = next((part for part in above if _BRANCH.fullmatch(part)), "")
    return tuple((name, value) for name, value in (("arch", machine), ("distro", branch.removeprefix("v"))) if value)


def branch_of(distro: str, known: Sequence[str]) -> str:
    """The folder of what scanners call `alpine-3.20.3`, `3.20` or `edge`."""
    found = _DISTRO.match(distro)
    if distro in known or not found:
        return distro
    return f"v{found[1]}"


def _machine_of(platform: str) -> str:
    parsed = parse_platform(platform)
    if not isinstance(parsed, Platform):
        return parsed
    machine = _PROCESSORS.get(parsed.processor, "") if parsed.system == "linux" else ""
    if not machine:
        raise BadRequest(f"{platform}: Alpine has no packages for it")
    return machine


def _joined(*parts: str) -> str:
    return "/".join(part for part in parts if part)


def _index(key: str, *, lists: bool) -> Resource:
    """A group of its own: so older ones are kept, and served where the current is too young."""
    return Resource(key=key, path=key, kind=Kind.SIGNED, snapshot=key, lists=lists, examined=True)


def read_places(options: Mapping[str, object]) -> Places:
    """Raises ConfigError."""
    unlisted = options.get("unlisted", "refuse")
    if unlisted not in ("allow", "refuse"):
        raise ConfigError(f'apk: unlisted = {unlisted!r}; write "allow" or "refuse"')
    return Places(
        branches=_folders(options, "branches", ()),
        repositories=_folders(options, "repositories", Places().repositories),
        architectures=_folders(options, "architectures", ()),
        must_be_listed=unlisted == "refuse",
    )


def _folders(options: Mapping[str, object], name: str, usual: tuple[str, ...]) -> tuple[str, ...]:
    value = options.get(name, usual)
    if not isinstance(value, list | tuple) or not all(isinstance(one, str) for one in value):
        raise ConfigError(f'apk: {name} = {value!r} is no list of folders; write ["main"]')
    for folder in value:
        # An empty one stands for no folder at all.
        if folder and not all(map(is_segment, folder.split("/"))):
            raise ConfigError(f"apk: {name}: {folder!r} is no folder")
    return tuple(value)
