"""What a repository of plain files is told about its paths: classes, pinned digests, files that hold digests."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from entrepot.errors import ConfigError
from entrepot.model.digest import Digest, parse_hex
from entrepot.model.paths import is_segment
from entrepot.model.patterns import Glob, Regex, parse_glob, parse_regex
from entrepot.model.resource import Kind

# Mutable files reach the client byte for byte: nobody here could parse them.
_CLASSES = {"immutable": Kind.ARTIFACT, "mutable": Kind.SIGNED, "uncacheable": Kind.PASS}
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_DURATION = re.compile(r"(?P<number>[0-9]+(?:\.[0-9]+)?)(?P<unit>[a-z]+)\Z")
_STRONG = ("sha256", "sha384", "sha512")
_PLACEHOLDER = re.compile(r"\{(\w*)\}")
_HOLDS = {"path": "(?P<path>/.+)", "dir": "(?P<dir>(?:/.+)?)", "name": "(?P<name>[^/]+)"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """The class of the paths that a pattern names."""

    path: Regex
    kind: Kind
    mutable_ttl: float | None = None
    """Seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SideFile:
    """Where the digests of the files that `path` names are published. Paths are decoded, with a leading slash."""

    path: Regex | None
    template: str
    made: re.Pattern[str]
    """Matches what the template makes."""

    def beside(self, path: str) -> str | None:
        """The side file of a file; None where this does not apply to it."""
        if self.path and not self.path.fullmatch(path):
            return None
        folder, _, name = path.rpartition("/")
        return self.template.format(path=path, dir=folder, name=name)

    def place_of(self, path: str) -> "Place | None":
        """What a path holds digests of, if the template can have made it."""
        found = self.made.match(path)
        if not found:
            return None
        parts = found.groupdict()
        folder = parts.get("dir") or ""
        target = parts.get("path") or (f"{folder}/{parts['name']}" if parts.get("name") else "")
        if target and self.beside(target) != path:
            return None
        return Place(folder=folder, target=target)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What the names in a checksum file are relative to, and the one file that it is for, if it is for one."""

    folder: str
    target: str

    def path_of(self, name: str) -> str | None:
        """The path of the file that a line names; None for one that is not ours to judge."""
        if self.target:
            last = self.target.rpartition("/")[2]
            return self.target if name.rpartition("/")[2] in ("", last) else None
        while name.startswith("./"):
            name = name[2:]
        return f"{self.folder}/{name}" if all(map(is_segment, name.split("/"))) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """The digest that the configuration wants the files named by a glob to have."""

    path: Glob | str
    digest: Digest

    def names(self, path: str) -> bool:
        return path == self.path if isinstance(self.path, str) else self.path.matches(path)


def read_rules(value: object) -> tuple[Rule, ...]:
    """Raises ConfigError, as do the other readers here."""
    return tuple(_read_rule(item, f"generic: rules[{number}]") for number, item in enumerate(list_of(value, "rules")))


def _read_rule(value: object, subject: str) -> Rule:
    table = table_of(value, subject, "path", "class", "mutable_ttl")
    kind = _CLASSES.get(str(table.get("class")))
    if kind is None:
        raise ConfigError(f"{subject}: class = {table.get('class')!r}; write one of {', '.join(_CLASSES)}")
    ttl = table.get("mutable_ttl")
    if ttl is not None and kind is not Kind.SIGNED:
        raise ConfigError(f'{subject}: mutable_ttl only goes with class = "mutable"; remove one of them')
    seconds = None if ttl is None else _read_duration(ttl, subject)
    return Rule(path=_read_path(table.get("path"), subject), kind=kind, mutable_ttl=seconds)


def _read_path(value: object, subject: str) -> Regex:
    if not isinstance(value, str):
        raise ConfigError(f"{subject}: path = {value!r} is no pattern; write a regular expression in quotes")
    if value[:1].isalnum():
        raise ConfigError(f"{subject}: {value!r} would never match: paths begin with a slash; write {'/' + value!r}")
    return parse_regex(value, subject)


def _read_duration(value: object, subject: str) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < float("inf"):
        return float(value)
    found = _DURATION.match(value) if isinstance(value, str) else None
    if value != "0" and (not found or found["unit"] not in _SECONDS):
        raise ConfigError(f'{subject}: mutable_ttl = {value!r} is no duration; write seconds, or "30s", "5m", "1d"')
    return float(found["number"]) * _SECONDS[found["unit"]] if found else 0.0


def read_unmatched(value: object) -> bool:
    """Whether a path that nothing names is served."""
    if value not in ("allow", "deny"):
        raise ConfigError(f'generic: unmatched = {value!r}; write "allow" or "deny"')
    return value == "allow"


def read_pins(value: object) -> tuple[Pin, ...]:
    if not isinstance(value, Mapping):
        raise ConfigError(f'generic: checksums = {value!r} is no table; write {{ "/path" = "sha256:…" }}')
    return tuple(_read_pin(str(path), digest) for path, digest in value.items())


def _read_pin(path: str, value: object) -> Pin:
    subject = f"generic: checksums: {path!r}"
    algorithm, _, text = value.partition(":") if isinstance(value, str) else ("", "", "")
    digest = parse_hex(algorithm, text) if algorithm in _STRONG else None
    if digest is None:
        raise ConfigError(f"{subject}: {value!r} pins nothing; write sha256:, sha384: or sha512: and the digest in hex")
    path = "/" + path.lstrip("/")
    return Pin(path=parse_glob(path, subject) if re.search(r"[*?\[\\]", path) else path, digest=digest)


def read_side_files(value: object) -> tuple[SideFile, ...]:
    found: list[SideFile] = []
    for number, item in enumerate(list_of(value, "side_files")):
        subject = f"generic: side_files[{number}]"
        if found and found[-1].path is None:
            raise ConfigError(
                f"{subject}: is never reached, the one before it applies to every file; "
                'write { path = "<expression>", file = "<template>" } for that one'
            )
        found.append(_read_side_file({"file": item} if isinstance(item, str) else item, subject))
    return tuple(found)


def _read_side_file(value: object, subject: str) -> SideFile:
    table = table_of(value, subject, "path", "file")
    template = str(table.get("file"))
    names = _PLACEHOLDER.findall(template)
    shape = _PLACEHOLDER.sub("", template)
    tail = template.rpartition("}")[2]
    if sorted(names) not in (["path"], ["dir"], ["dir", "name"]) or "{" in shape or "}" in shape or not tail.strip("/"):
        raise ConfigError(
            f"{subject}: {template!r} names no side file; write such as "
            "{path}.sha256, {dir}/SHA256SUMS or {dir}/sums/{name}.sha256"
        )
    example = template.format(path="/x/x", dir="/x", name="x")
    if not example.startswith("/x") or not all(map(is_segment, example[1:].split("/"))):
        raise ConfigError(
            f"{subject}: {template!r} leaves the tree; begin with {{path}} or {{dir}}/, without dot segments"
        )
    path = _read_path(table["path"], subject) if "path" in table else None
    return SideFile(path=path, template=template, made=_made_by(template))


def _made_by(template: str) -> re.Pattern[str]:
    parts = _PLACEHOLDER.split(template)
    return re.compile("".join(_HOLDS[part] if odd % 2 else re.escape(part) for odd, part in enumerate(parts)) + r"\Z")


def list_of(value: object, name: str) -> list[object]:
    if not isinstance(value, list | tuple):
        raise ConfigError(f"generic: {name} = {value!r} is no list; put it in brackets")
    return list(value)


def table_of(value: object, subject: str, *known: str) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise ConfigError(f"{subject}: {value!r} is no table; write {{ {known[0]} = … }}")
    unknown = sorted(set(value) - set(known))
    if unknown:
        raise ConfigError(f"{subject}: unknown key {unknown[0]!r}; known are {', '.join(known)}")
    return value
