"""Patterns people write in configuration, matched in time that no pattern can blow up."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

import re2  # type: ignore[import-untyped]

from entrepot.errors import ConfigError

_OPTIONS = re2.Options()
_OPTIONS.log_errors = False
_TOGETHER = 256
_ANYWHERE = (".*", "^.*", ".+", "^.+")
_EVERY, _NEVER = r"[\x{0}-\x{10ffff}]", r"[^\x{0}-\x{10ffff}]"


class Match(Protocol):
    def group(self, name: str, /) -> str: ...


class Regex(Protocol):
    """A compiled regular expression of RE2: linear time, so without look-around and back-references."""

    @property
    def pattern(self) -> str: ...
    def fullmatch(self, text: str, /) -> Match | None: ...


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


class RegexSet:
    """Many expressions, looked for all at once."""

    def __init__(self, expressions: Sequence[Regex]) -> None:
        # The engine keeps what it learns of each combination of expressions that can still match. Those that begin
        # anywhere can always, the others hardly ever: apart from each other they make few combinations.
        floating = [one.pattern.startswith(_ANYWHERE) for one in expressions]
        groups = [[number for number, floats in enumerate(floating) if floats is kind] for kind in (False, True)]
        parts = [group[start : start + _TOGETHER] for group in groups for start in range(0, len(group), _TOGETHER)]
        self._parts = [_Part(numbers, [expressions[number] for number in numbers]) for numbers in parts]

    def matching(self, text: str) -> list[int]:
        """The positions of those that match the whole text, in order."""
        found: list[int] = []
        encoded = text.encode()
        for part in self._parts:
            found += part.matching(text, encoded)
        return sorted(found) if found else found


class _Part:
    """What the engine looks for in one go."""

    def __init__(self, numbers: list[int], expressions: list[Regex]) -> None:
        self._numbers, self._expressions = numbers, expressions
        # The last one always matches: where it is not found, the engine had too little memory to look.
        self._set = _compile_set([*(one.pattern for one in expressions), "(?s:.*)"])
        self._nothing = [len(numbers)]

    def matching(self, text: str, encoded: bytes) -> list[int]:
        found = self._set.Match(encoded) if self._set is not None else None
        if found == self._nothing:
            return []
        last = len(self._numbers)
        if not found or last not in found:
            each = zip(self._numbers, self._expressions, strict=True)
            return [number for number, expression in each if expression.fullmatch(text) is not None]
        return [self._numbers[position] for position in found if position != last]


class _Set(Protocol):
    def Match(self, text: bytes, /) -> list[int] | None: ...  # noqa: N802 - its name in RE2


def _compile_set(expressions: Iterable[str]) -> _Set | None:
    """None where the engine cannot take them all together."""
    found = re2.Set.FullMatchSet(_OPTIONS)
    try:
        for expression in expressions:
            found.Add(expression)
        found.Compile()
    except re2.error:
        return None
    return cast(_Set, found)


@dataclass(frozen=True, slots=True)
class _Any:
    """`?`, or `*` when it is a star."""

    star: bool

    @property
    def expression(self) -> str:
        return "[^/]*" if self.star else "[^/]"

    def matches(self, character: str) -> bool:
        return character != "/"


@dataclass(frozen=True, slots=True)
class _OneOf:
    """A literal character or a class, as ranges of characters."""

    ranges: tuple[tuple[str, str], ...]
    negated: bool = False
    star: bool = False

    @property
    def expression(self) -> str:
        # A range that ends before it begins is no mistake in Go: it has no characters.
        ranges = [rf"\x{{{ord(low):x}}}-\x{{{ord(high):x}}}" for low, high in self.ranges if low <= high]
        if not ranges:
            return _EVERY if self.negated else _NEVER
        return f"[{'^' if self.negated else ''}{''.join(ranges)}]"

    def matches(self, character: str) -> bool:
        return any(low <= character <= high for low, high in self.ranges) != self.negated


_Token = _Any | _OneOf


@dataclass(frozen=True, slots=True)
class Glob:
    """A pattern of Go's `path.Match`: `*` and `?` do not cross a slash, `[^a-z]` negates, `\\` quotes."""

    pattern: str
    tokens: tuple[_Token, ...]

    @property
    def expression(self) -> str:
        """The same as an expression of RE2."""
        return "".join(token.expression for token in self.tokens)

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
        raise ConfigError(
            f"{subject}: {pattern!r} is no glob: a class or an escape in it has no end; close it with ], or write \\ "
            "before a character that is meant itself"
        ) from error
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
