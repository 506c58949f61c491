"""Patterns people write in configuration, matched in time that no pattern can blow up."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, cast

import re2  # type: ignore[import-untyped]

from entrepot.errors import ConfigError

_OPTIONS = re2.Options()
_OPTIONS.log_errors = False


class Regex(Protocol):
    """A compiled regular expression of RE2: linear time, so without look-around and back-references."""

    @property
    def pattern(self) -> str: ...
    def fullmatch(self, text: str, /) -> object | None: ...


def parse_regex(text: str, subject: str) -> Regex:
    """The expression, compiled. Raises ConfigError, which names the setting `subject`."""
    try:
        return cast(Regex, re2.compile(text, _OPTIONS))
    except re2.error as error:
        reason = error.args[0].decode(errors="replace") if error.args else "it cannot be read"
        raise ConfigError(
            f"{subject}: {text!r} is no regular expression: {reason}; "
            "expressions are RE2's: no look-around, no back-references"
        ) from error


@dataclass(frozen=True, slots=True)
class _Any:
    """`?`, or `*` when it is a star."""

    star: bool

    def matches(self, character: str) -> bool:
        return character != "/"


@dataclass(frozen=True, slots=True)
class _OneOf:
    """A literal character or a class, as ranges of characters."""

    ranges: tuple[tuple[str, str], ...]
    negated: bool = False
    star: bool = False

    def matches(self, character: str) -> bool:
        return any(low <= character <= high for low, high in self.ranges) != self.negated


_Token = _Any | _OneOf


@dataclass(frozen=True, slots=True)
class Glob:
    """A pattern of Go's `path.Match`: `*` and `?` do not cross a slash, `[^a-z]` negates, `\\` quotes."""

    pattern: str
    tokens: tuple[_Token, ...]

    def matches(self, text: str) -> bool:
        """Whether the whole text matches. Takes at most len(pattern) * len(text) steps."""
        reached = _past_stars({0}, self.tokens)
        for character in text:
            reached = _past_stars(set(_steps(reached, self.tokens, character)), self.tokens)
            if not reached:
                return False
        return len(self.tokens) in reached

    def matches_prefix(self, path: str) -> bool:
        """GOPRIVATE's rule: with n slashes in the pattern, its match with the path's first n+1 elements."""
        elements = self.pattern.count("/") + 1
        parts = path.split("/")
        return len(parts) >= elements and self.matches("/".join(parts[:elements]))


def _steps(reached: set[int], tokens: tuple[_Token, ...], character: str) -> Iterable[int]:
    for position in reached:
        if position < len(tokens) and tokens[position].matches(character):
            yield position if tokens[position].star else position + 1


def _past_stars(reached: set[int], tokens: tuple[_Token, ...]) -> set[int]:
    """The positions, and those behind stars that match nothing."""
    for position in sorted(reached):
        while position < len(tokens) and tokens[position].star:
            position += 1
            reached.add(position)
    return reached


def parse_glob(pattern: str, subject: str) -> Glob:
    """The pattern, compiled; a trailing slash is dropped, as Go does. Raises ConfigError, which names `subject`."""
    pattern = pattern.rstrip("/")
    tokens: list[_Token] = []
    rest = pattern
    try:
        while rest:
            token, rest = _take_token(rest)
            tokens.append(token)
    except IndexError as error:
        raise ConfigError(f"{subject}: {pattern!r} is no glob: a class or an escape in it has no end") from error
    if not tokens:
        raise ConfigError(f"{subject}: an empty glob matches nothing; remove it")
    return Glob(pattern, tuple(tokens))


def _take_token(rest: str) -> tuple[_Token, str]:
    match rest[0]:
        case "*" | "?" as wild:
            return _Any(wild == "*"), rest[1:]
        case "[":
            return _take_class(rest[1:])
        case _:
            character, rest = _take_character(rest)
            return _OneOf(((character, character),)), rest


def _take_class(rest: str) -> tuple[_Token, str]:
    negated = rest[0] == "^"
    rest = rest[1:] if negated else rest
    ranges: list[tuple[str, str]] = []
    while rest[0] != "]" or not ranges:
        low, rest = _take_bound(rest)
        high = low
        if rest[0] == "-":
            high, rest = _take_bound(rest[1:])
        ranges.append((low, high))
    return _OneOf(tuple(ranges), negated), rest[1:]


def _take_bound(rest: str) -> tuple[str, str]:
    """One end of a range; path.Match wants a bare `-` or `]` quoted."""
    if rest[0] in "-]":
        raise IndexError(rest)
    return _take_character(rest)


def _take_character(rest: str) -> tuple[str, str]:
    return (rest[1], rest[2:]) if rest[0] == "\\" else (rest[0], rest[1:])
