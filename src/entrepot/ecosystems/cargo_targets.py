"""Whether a dependency for some targets only is one on the platforms of an order: triples and `cfg(…)` expressions.

Source: https://doc.rust-lang.org/reference/conditional-compilation.html. What is not known here rules nothing out.
"""

import re
from collections.abc import Iterable, Iterator

from entrepot.model.platforms import Platform, parse_platform

Answer = bool | None
"""None: that is not known here."""

_TOKEN = re.compile(r'\s*(?:(?P<word>[A-Za-z_][A-Za-z0-9_]*)|(?P<text>"[^"]*")|(?P<mark>[(),=]))')
_SYSTEMS = {"darwin": "macos"}
_PROCESSORS = {"amd64": "x86_64", "arm64": "aarch64", "386": "x86", "riscv64": "riscv64", "ppc64le": "powerpc64"}
_PROCESSORS |= {"ppc64": "powerpc64", "arm": "arm", "s390x": "s390x"}
_WIDTHS = {"386": "32", "arm": "32"}
_TRIPLES = {"386": ("i386", "i586", "i686"), "arm": ("arm", "armv5te", "armv7", "thumbv7neon")}
_DEEPEST = 32


class _Odd(Exception):
    """No expression that is understood here."""


def is_for(target: str | None, platforms: Iterable[str]) -> bool:
    """Whether something with this `target` may be needed on one of the platforms; without any: everywhere. Platforms
    in the terms of another ecosystem rule nothing out. Raises BadRequest for a text that is no platform."""
    known = [place for place in map(parse_platform, platforms) if isinstance(place, Platform)]
    return not target or not known or any(_holds(target, place) is not False for place in known)


def _holds(target: str, place: Platform) -> Answer:
    if not target.startswith("cfg(") or not target.endswith(")"):
        return _is_triple(target, place)
    try:
        tokens = list(_tokens(target[4:-1]))[::-1]
        answer = _expression(tokens, place, 0)
        return None if tokens else answer
    except (_Odd, IndexError):
        return None


def _is_triple(target: str, place: Platform) -> bool:
    processors = _TRIPLES.get(place.processor, (_PROCESSORS.get(place.processor, place.processor),))
    parts = target.split("-")
    fits = parts[0] in processors or (parts[0] == "powerpc64le" and place.processor == "ppc64le")
    libc = place.libc and place.system == "linux" and ("musl" in parts[-1]) != (place.libc == "musl")
    return fits and not libc and place.system in parts


def _tokens(text: str) -> Iterator[str]:
    position = 0
    while position < len(text.rstrip()):
        found = _TOKEN.match(text, position)
        if not found:
            raise _Odd(text)
        position = found.end()
        yield found["word"] or found["text"] or found["mark"]


def _expression(tokens: list[str], place: Platform, depth: int) -> Answer:
    """Takes one expression off the end of the tokens, which are in reverse."""
    word = tokens.pop()
    if depth > _DEEPEST or not (word[0].isalpha() or word[0] == "_"):
        raise _Odd(word)
    if tokens and tokens[-1] == "(":
        tokens.pop()
        return _combined(word, list(_members(tokens, place, depth + 1)))
    if tokens and tokens[-1] == "=":
        tokens.pop()
        return _equals(word, tokens.pop().strip('"'), place)
    return _equals("target_family", word, place) if word in ("unix", "windows") else None


def _members(tokens: list[str], place: Platform, depth: int) -> Iterator[Answer]:
    while tokens[-1] != ")":
        yield _expression(tokens, place, depth)
        if tokens[-1] == ",":
            tokens.pop()
    tokens.pop()


def _combined(word: str, answers: list[Answer]) -> Answer:
    match word:
        case "not" if len(answers) == 1:
            return None if answers[0] is None else not answers[0]
        case "all":
            return False if False in answers else None if None in answers else True
        case "any":
            return True if True in answers else None if None in answers else False
    raise _Odd(word)


def _equals(name: str, value: str, place: Platform) -> Answer:
    match name:
        case "target_os":
            return value == _SYSTEMS.get(place.system, place.system)
        case "target_family":
            return value == ("windows" if place.system == "windows" else "unix")
        case "target_arch":
            return value == _PROCESSORS.get(place.processor, place.processor)
        case "target_pointer_width":
            return value == _WIDTHS.get(place.processor, "64")
        case "target_env" if place.system == "linux" and place.libc:
            return value == ("musl" if place.libc == "musl" else "gnu")
    return None
