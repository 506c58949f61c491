"""The part of HCL's native syntax that a download file needs, with the place of every word."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from entrepot.errors import ConfigError

_TOKEN = re.compile(
    r"""
      (?P<blank>   [ \t\r]+ | (?:\#|//)[^\n]* | /\*.*?\*/ )
    | (?P<newline> \n )
    | (?P<name>    [^\W\d][\w-]* )
    | (?P<number>  [0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)? )
    | (?P<string>  "(?:[^"\\\n]|\\[^\n])*" )
    | (?P<sign>    [={}] )
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(?:([nrt\"\\])|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|.)|([$%])\4\{|([$%]\{)")
_CHARACTERS = {"n": "\n", "r": "\r", "t": "\t"}
_DEEPEST = 8


@dataclass(frozen=True, slots=True)
class Word:
    """A piece of the text, and what it stands for."""

    kind: str
    """newline, name, number, string, sign or end."""
    text: str
    line: int
    """From 1."""
    column: int
    """From 0."""
    width: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    name: Word
    value: Word


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    place: Word
    """Where to point when something is missing in it."""
    attributes: Mapping[str, Attribute]
    blocks: "tuple[Block, ...]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    kind: Word
    labels: tuple[Word, ...]
    body: Body


@dataclass(frozen=True, slots=True)
class Source:
    name: str
    text: str

    def where(self, word: Word) -> str:
        return f"{self.name}:{word.line}"

    def error(self, word: Word, message: str) -> ConfigError:
        return self.pointed(f"{self.where(word)}: {message}", word)

    def pointed(self, message: str, word: Word) -> ConfigError:
        """With the line it is about, and carets under the word."""
        line = self.text.split("\n")[word.line - 1].rstrip("\r")
        margin = "".join("\t" if character == "\t" else " " for character in line[: word.column])
        return ConfigError(f"{message}\n    {line}\n    {margin}{'^' * max(1, word.width)}")


def parse_hcl(source: Source) -> Body:
    """Raises ConfigError for what is no HCL, for an attribute that is set twice, and for what would be computed."""
    return _Parser(source).parse()


class _Parser:
    def __init__(self, source: Source) -> None:
        self._source = source
        self._words = _words_of(source)
        self._next = next(self._words)

    def parse(self) -> Body:
        body = self._body(self._next, 0)
        if self._next.kind != "end":
            raise self._unexpected("a name")
        return body

    def _take(self) -> Word:
        word, self._next = self._next, next(self._words)
        return word

    def _sign(self, sign: str) -> bool:
        return (self._next.kind, self._next.text) == ("sign", sign)

    def _unexpected(self, wanted: str) -> ConfigError:
        word = self._next
        found = {"newline": "the line ends", "end": "the file ends"}.get(word.kind, f"found {word.text!r}")
        return self._source.error(word, f"{wanted} should stand here, but {found}")

    def _body(self, place: Word, depth: int) -> Body:
        if depth > _DEEPEST:
            raise self._source.error(place, f"blocks are nested in each other more than {_DEEPEST} times")
        attributes: dict[str, Attribute] = {}
        blocks: list[Block] = []
        while True:
            while self._next.kind == "newline":
                self._take()
            if self._next.kind != "name":
                return Body(place=place, attributes=attributes, blocks=tuple(blocks))
            name = self._take()
            if self._sign("="):
                self._add(attributes, Attribute(name=name, value=self._value()))
            else:
                blocks.append(self._block(name, depth))

    def _add(self, attributes: dict[str, Attribute], attribute: Attribute) -> None:
        name = attribute.name
        if name.text in attributes:
            first = attributes[name.text].name.line
            raise self._source.error(name, f"{name.text} is set twice here, first in line {first}; remove one of them")
        attributes[name.text] = attribute

    def _value(self) -> Word:
        self._take()
        word = self._next
        if word.kind == "name" and word.text not in ("true", "false"):
            raise self._source.error(word, f'nothing is called {word.text!r} here; a text stands in quotes: "…"')
        if word.kind not in ("string", "number", "name"):
            raise self._unexpected('a value in quotes ("…")')
        self._take()
        if self._next.kind not in ("newline", "end", "name") and not self._sign("}"):
            raise self._unexpected("the next line")
        return word

    def _block(self, kind: Word, depth: int) -> Block:
        labels = []
        while self._next.kind in ("string", "name"):
            labels.append(self._take())
        if not self._sign("{"):
            raise self._unexpected("= or {" if not labels else "{")
        self._take()
        body = self._body(kind, depth + 1)
        if not self._sign("}"):
            raise self._unexpected(f"a name, or the }} of {kind.text!r} in line {kind.line},")
        self._take()
        return Block(kind=kind, labels=tuple(labels), body=body)


def _words_of(source: Source) -> Iterator[Word]:
    text, position, line, start = source.text, 0, 1, 0
    while position < len(text):
        found = _TOKEN.match(text, position)
        if not found:
            raise _unreadable(source, Word("", text[position], line, position - start, 1))
        kind, raw = str(found.lastgroup), found[0]
        word = Word(kind, raw, line, position - start, len(raw))
        position = found.end()
        if kind == "string":
            yield Word(kind, _unquoted(source, word), line, word.column, word.width)
        elif kind != "blank":
            yield word
        if "\n" in raw:
            line, start = line + raw.count("\n"), found.start() + raw.rindex("\n") + 1
    yield Word("end", "", line, position - start, 1)


def _unreadable(source: Source, word: Word) -> ConfigError:
    rest = source.text.split("\n")[word.line - 1][word.column :]
    if rest.startswith('"'):
        message = 'this text has no end; close it with " in the same line'
    elif rest.startswith("<<"):
        message = "a text of several lines ends with a newline, which no value here may; write it in quotes"
    elif rest.startswith("/*"):
        message = "this comment has no end; close it with */"
    else:
        message = f"{word.text!r} has no meaning here"
    return source.error(word, message)


def _unquoted(source: Source, word: Word) -> str:
    def character(found: re.Match[str]) -> str:
        simple, short, long, doubled, template = found.groups()
        code = int(short or long or "0", 16)
        if template:
            raise source.error(word, f"{template}…}} would be computed, and there is nothing to compute with")
        if not (simple or short or long or doubled) or code > 0x10FFFF or 0xD800 <= code < 0xE000:
            raise source.error(word, f"{found[0]} stands for no character; a backslash itself is written \\\\")
        if doubled:
            return doubled + "{"
        return _CHARACTERS.get(simple, simple) if simple else chr(code)

    return _ESCAPE.sub(character, word.text[1:-1])
