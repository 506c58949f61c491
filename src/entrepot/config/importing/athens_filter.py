"""Athens's filter file (`+`, `-` and `D`, with a path and versions), made into filters of the download file."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from entrepot.config.importing.document import Note
from entrepot.errors import ConfigError
from entrepot.model.versions import parse_semver

_PASSAGES: Final = {"+": "include", "-": "exclude", "D": "direct"}
_PATH: Final = re.compile(r"[A-Za-z0-9._~!*?/-]+\Z")
_QUALIFIER: Final = re.compile(r"(?P<sign>[<~^]?)v?(?P<version>\d+(?:\.\d+){0,2}(?:-[0-9A-Za-z.-]+)?)\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    where: str
    passage: str
    path: str
    """Empty: everything."""
    qualifiers: tuple[str, ...]


def is_filter(text: str) -> bool:
    """Whether each line of it that says something begins with a sign."""
    said = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return bool(said) and all(line.split(" ")[0].rstrip() in _PASSAGES for line in said)


def filters_of(text: str, name: str, target: str, notes: list[Note]) -> str:
    """HCL; `target` is where `D` sends clients. The deepest path decides in theirs, the first block in ours. Raises
    ConfigError for what stops Athens, too."""
    lines = {line.path: line for line in _lines(text, name)}
    if not target and (direct := next((line for line in lines.values() if line.passage == "direct"), None)):
        raise ConfigError(f"{direct.where}: D has no target; set GlobalEndpoint to an http(s) address")
    ordered = sorted(lines.values(), key=lambda line: -len(_elements(line.path)))
    return "\n".join(block for line in ordered for block in _blocks(line, lines, target, notes))


def _lines(text: str, name: str) -> Iterator[_Line]:
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        where, tokens = f"{name}:{number}", line.rstrip().split(" ")
        if tokens[0] not in _PASSAGES or len(tokens) > 3 or "" in tokens:
            raise ConfigError(f"{where}: no rule; write a sign (+, - or D), then a path, then versions with commas")
        path = tokens[1].strip("/") if len(tokens) > 1 else ""
        if path and not _PATH.match(path):
            raise ConfigError(f"{where}: {path!r} is no path of modules")
        qualifiers = tuple(part.strip() for part in tokens[2].split(",")) if len(tokens) > 2 else ()
        yield _Line(where=where, passage=_PASSAGES[tokens[0]], path=path, qualifiers=qualifiers)


def _elements(path: str) -> list[str]:
    return path.split("/") if path else []


def _blocks(line: _Line, lines: dict[str, _Line], target: str, notes: list[Note]) -> Iterator[str]:
    if re.search(r"[*?]", line.path):
        notes.append(Note(line.where, f"{line.path}: * and ? match anything within an element here, in Athens nothing"))
    constraints = [_constraint(qualifier) for qualifier in line.qualifiers]
    label = json.dumps(line.path or "*")
    if None in constraints:
        # What it would have let through, something further up may deny; what it denies stays denied.
        whole = line.passage != "include"
        meaning = "so it holds for all" if whole else "so it is left out"
        notes.append(Note(line.where, f"{line.path}: its versions cannot be compared here, {meaning}"))
        constraints = []
        if not whole:
            return
    if not constraints:
        yield f"filter {label} {{\n{_said(line.passage, target, '  ')}}}"
        return
    versions = "".join(
        f"  version {json.dumps(constraint)} {{\n{_said(line.passage, target, '    ')}  }}\n"
        for constraint in constraints
    )
    yield f"filter {label} {{\n{_said(_above(line, lines), target, '  ')}{versions}}}"


def _said(passage: str, target: str, margin: str) -> str:
    url = f"{margin}downloadURL = {json.dumps(target)}\n" if passage == "direct" else ""
    return f"{margin}mode = {json.dumps(passage)}\n{url}"


def _above(line: _Line, lines: dict[str, _Line]) -> str:
    """What holds for the other versions: the word of the closest path above that is about all of them."""
    elements = _elements(line.path)
    paths = ("/".join(elements[:length]) for length in range(len(elements) - 1, -1, -1))
    known = (lines[path] for path in paths if path in lines)
    return next((one.passage for one in known if not one.qualifiers), "include")


def _constraint(qualifier: str) -> str | None:
    """As Athens documents them; None for what it does not."""
    found = _QUALIFIER.match(qualifier)
    if found is None:
        return None
    sign, version = found["sign"], found["version"]
    numbers = [int(number) for number in version.partition("-")[0].split(".")]
    if sign == "<":
        return f"<={version}"
    if len(numbers) == 3 and not parse_semver(version):
        return None
    if len(numbers) == 3 and not sign:
        return f"={version}"
    # A pre-release lies before its release.
    fixed = numbers[:1] if sign == "^" else numbers[:2] if sign == "~" else numbers
    after = ".".join(map(str, [*fixed[:-1], fixed[-1] + 1, *[0] * (3 - len(fixed))]))
    start = ".".join(map(str, [*numbers, *[0] * (3 - len(numbers))])) + ("" if sign else "-0")
    return f">={start if not sign or len(numbers) < 3 else version},<{after}-0"
