"""Groups of plain files that are replaced together, as the configuration names them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from entrepot.ecosystems.generic_options import list_of, table_of
from entrepot.errors import ConfigError
from entrepot.model.paths import is_segment
from entrepot.model.patterns import Regex, parse_regex

_PLACEHOLDER = re.compile(r"\\[pPx]\{[^}]*\}|\{([A-Za-z_]\w*)\}")
_NAMED = re.compile(r"\(\?P?<(\w+)>")
_SPECIAL = ".*+?[](){}|^$"


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Paths are decoded, with a leading slash."""

    root: Regex
    place: str
    """The root's path as a template (`str.format`) of its named groups."""
    names: tuple[str, ...]
    members: Regex

    def root_of(self, path: str) -> str | None:
        """The root that a path is published with, itself for a root; None for what is not in this group."""
        if self.root.fullmatch(path) is not None:
            return path
        found = self.members.fullmatch(path)
        if found is None:
            return None
        root = self.place.format(**{name: found.group(name) for name in self.names})
        whole = root.startswith("/") and all(map(is_segment, root[1:].split("/")))
        return root if whole and self.root.fullmatch(root) is not None else None


def read_groups(value: object) -> tuple[Group, ...]:
    """Raises ConfigError."""
    return tuple(
        _read_group(item, f"generic: groups[{number}]") for number, item in enumerate(list_of(value, "groups"))
    )


def _read_group(value: object, subject: str) -> Group:
    table = table_of(value, subject, "root", "members")
    root, members = (_read_text(table.get(name), name, subject) for name in ("root", "members"))
    parsed = parse_regex(root, f"{subject}: root")
    parts = list(_parts_of(root, f"{subject}: root"))
    expressions = {name: expression for name, expression in parts if name}
    used = [found[1] for found in _PLACEHOLDER.finditer(members) if found[1]]
    if sorted(used) != sorted(expressions):
        wanted = ", ".join(f"{{{name}}}" for name in expressions) or "none: root has no named group"
        raise ConfigError(
            f"{subject}: members = {members!r} must hold each named group of root once in braces; that is {wanted}"
        )
    filled = _PLACEHOLDER.sub(
        lambda found: f"(?P<{found[1]}>{expressions[found[1]]})" if found[1] else found[0], members
    )
    place = "".join(f"{{{name}}}" if name else text.replace("{", "{{").replace("}", "}}") for name, text in parts)
    return Group(root=parsed, place=place, names=tuple(expressions), members=parse_regex(filled, f"{subject}: members"))


def _read_text(value: object, name: str, subject: str) -> str:
    if not isinstance(value, str) or not value:
        raise ConfigError(f"{subject}: {name} = {value!r} is no pattern; write a regular expression in quotes")
    if value[0].isalnum():
        raise ConfigError(f"{subject}: {name}: {value!r} would never match: paths begin with a slash")
    return value


def _parts_of(root: str, subject: str) -> Iterator[tuple[str, str]]:
    """Names and expressions of the named groups, and the plain text around them under no name. Raises ConfigError for
    anything else: a member's path could not tell its root's."""
    position = 0
    while position < len(root):
        named = _NAMED.match(root, position)
        if named:
            end = _end_of_group(root, named.end())
            yield named[1], root[named.end() : end]
            position = end + 1
        elif root[position] == "\\" and not root[position + 1 : position + 2].isalnum():
            yield "", root[position + 1 : position + 2]
            position += 2
        elif root[position] in _SPECIAL or root[position] == "\\":
            raise ConfigError(
                f"{subject}: {root[position:]!r} of {root!r} is no plain text; name it: (?P<name>…), or quote it: "
                f"\\{root[position]}"
            )
        else:
            yield "", root[position]
            position += 1


def _end_of_group(root: str, position: int) -> int:
    """Where the parenthesis is that closes a group; the expression is known to be well formed."""
    depth, in_class = 1, False
    while True:
        match root[position]:
            case "\\":
                position += 1
            case "[" if not in_class:
                in_class = True
                # A bracket that comes first in a class is a character of it.
                position += len(re.match(r"\^?\]?", root[position + 1 :])[0])  # type: ignore[index]
            case "]":
                in_class = False
            case "(" if not in_class:
                depth += 1
            case ")" if not in_class:
                depth -= 1
                if not depth:
                    return position
        position += 1
