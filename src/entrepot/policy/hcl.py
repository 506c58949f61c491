"""From the text of a download file to what it says (policy §3). Every valid Athens file is one."""

import base64
import binascii
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import TypeVar, get_args
from urllib.parse import urlsplit

from entrepot.errors import ConfigError
from entrepot.model.constraints import Constraint, parse_constraint
from entrepot.model.versions import VersionOrder
from entrepot.policy.hcl_syntax import Block, Body, Source, Word, parse_hcl
from entrepot.policy.modes import Chain, DownloadFile, Filter, Passage
from entrepot.policy.patterns import Coverage, PackagePattern, Packages
from entrepot.policy.verdict import Download, Mode

T = TypeVar("T", Download, Filter)
V = TypeVar("V")

_MODES = {mode.value: mode for mode in Mode}
_PASSAGES: dict[str, Passage] = {passage: passage for passage in get_args(Passage)}
_STATUSES = {"301": 301, "302": 302, "307": 307}
_UNFIT = re.compile(r"[\s\x00-\x1f\x7f\\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the meaning of a download file depends on besides its text."""

    order: VersionOrder
    purl_types: tuple[str, ...] = ()
    spell: Callable[[str], str] = str
    """Makes globs native (`Ecosystem.pattern_of`)."""
    upstreams: Collection[str] | None = None
    """The names that `upstream` may have; None: any."""
    redirect_status: int = 302
    is_ours: Callable[[str], bool] = field(default=lambda _: False)
    """Whether a URL is our own, so that a redirect would lead in a circle."""


def load_mode(
    value: str, read_file: Callable[[str], str], surroundings: Surroundings, subject: str
) -> Mode | DownloadFile:
    """What a repository's `mode` says: a mode, `file:PATH` or `custom:BASE64` (the standard alphabet, with padding).

    `read_file` raises OSError or UnicodeDecodeError. Raises ConfigError, which names `subject` or the file's line.
    """
    kind, colon, rest = value.partition(":")
    if not colon or kind not in ("file", "custom"):
        if value not in _MODES:
            raise ConfigError(f"{subject}: {_no_such(value, _MODES, 'mode')}")
        return _MODES[value]
    if not rest:
        raise ConfigError(f'{subject}: {value!r} names no download file; write "file:policy.hcl" or "custom:<base64>"')
    if kind == "custom":
        return parse_download_file(_decoded(rest, subject), subject, surroundings)
    try:
        return parse_download_file(read_file(rest), rest, surroundings)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{subject}: the download file {rest} cannot be read: {error}") from error


def _decoded(text: str, subject: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise ConfigError(
            f"{subject}: what follows custom: is no base64 of a text ({error}); make it with `base64 -w0 policy.hcl`"
        ) from error


def parse_download_file(text: str, name: str, surroundings: Surroundings) -> DownloadFile:
    """Raises ConfigError: `name:line: message`, the line, and carets under what is wrong in it."""
    return _Reader(Source(name, text), surroundings).read()


class _Reader:
    def __init__(self, source: Source, surroundings: Surroundings) -> None:
        self._source, self._surroundings = source, surroundings
        self._warnings: list[str] = []

    def read(self) -> DownloadFile:
        body = parse_hcl(self._source)
        self._check_names(body, ("mode", "downloadURL"), ("download", "filter"))
        rule = f"{self._source.where(self._mode_of(body))} mode"
        top = self._download(body, Download(redirect_status=self._surroundings.redirect_status), rule)
        unfiltered = Filter(passage="include", redirect_url=top.redirect_url, rule=rule)
        filters = self._packages(body, "filter", unfiltered, self._filter)
        blocks = self._packages(body, "download", top, self._download)
        if not any(pattern.elements == ("*",) for pattern, _ in blocks):
            self._check_target(body, top)
        return DownloadFile(
            default=Chain(own=top),
            blocks=blocks,
            filters=filters,
            warnings=tuple(self._warnings),
            name=self._source.name,
        )

    def _packages(self, body: Body, kind: str, above: T, say: Callable[[Body, T, str], T]) -> Packages[Chain[T]]:
        seen: Coverage[str] = Coverage()
        found = []
        for block in body.blocks:
            if block.kind.text == kind:
                pattern = self._pattern(block)
                rule = self._rule(block)
                reached = self._warn(rule, next(seen.covering(pattern.elements), None))
                found.append((pattern, self._chain(block, above, say, reached=reached)))
                seen.add(pattern.elements, rule)
        return Packages(found)

    def _chain(self, block: Block, above: T, say: Callable[[Body, T, str], T], *, reached: bool) -> Chain[T]:
        extra: tuple[str, ...] = ("upstream", "status") if block.kind.text == "download" else ()
        self._check_names(block.body, ("mode", "downloadURL", *extra), ("version",))
        own = say(block.body, above, self._rule(block))
        if reached:
            self._check_target(block.body, own)
        versions: list[tuple[Constraint, T, str]] = []
        for inner in block.body.blocks:
            self._check_names(inner.body, ("mode", "downloadURL"), ())
            constraint = self._constraint(inner)
            rule = f"{self._source.where(inner.kind)} {_title(block)} {_title(inner)}"
            said = say(inner.body, own, rule)
            earlier = (name for one, _, name in versions if one.covers(constraint))
            if self._warn(rule, next(earlier, None)) and reached:
                self._check_target(inner.body, said)
            versions.append((constraint, said, rule))
        return Chain(own=own, versions=tuple((constraint, said) for constraint, said, _ in versions))

    def _warn(self, rule: str, covering: str | None) -> bool:
        """Whether the block can be reached."""
        if covering is not None:
            self._warnings.append(f"{rule} never counts: {covering} before it matches whatever it matches")
        return covering is None

    # --- what one body says ------------------------------------------------------------------------------------------

    def _download(self, body: Body, above: Download, rule: str) -> Download:
        return replace(
            above,
            mode=self._choice(self._mode_of(body), _MODES, "mode"),
            redirect_url=self._url(body) or above.redirect_url,
            redirect_status=self._status(body) or above.redirect_status,
            upstream=self._upstream(body) or above.upstream,
            rule=rule,
        )

    def _filter(self, body: Body, above: Filter, rule: str) -> Filter:
        passage = self._choice(self._mode_of(body), _PASSAGES, "mode of a filter")
        return Filter(passage=passage, redirect_url=self._url(body) or above.redirect_url, rule=rule)

    def _check_target(self, body: Body, said: Download | Filter) -> None:
        redirects = said.mode.redirects if isinstance(said, Download) else said.passage == "direct"
        if redirects and not said.redirect_url:
            mode = self._mode_of(body)
            message = f"{mode.text!r} has no target; set downloadURL here or above, to an http(s) address"
            raise self._source.error(mode, message)

    def _mode_of(self, body: Body) -> Word:
        if "mode" not in body.attributes:
            raise self._source.error(body.place, "mode is missing here; every file and every block says one")
        return body.attributes["mode"].value

    def _url(self, body: Body) -> str:
        if "downloadURL" not in body.attributes:
            return ""
        word = body.attributes["downloadURL"].value
        if complaint := _about_url(word.text):
            raise self._source.error(word, complaint)
        if word.text and self._surroundings.is_ours(word.text):
            raise self._source.error(word, f"{word.text} is our own address; clients would be sent in a circle")
        return word.text

    def _status(self, body: Body) -> int | None:
        if "status" not in body.attributes:
            return None
        return self._choice(body.attributes["status"].value, _STATUSES, "status of a redirect")

    def _upstream(self, body: Body) -> str:
        if "upstream" not in body.attributes:
            return ""
        word, known = body.attributes["upstream"].value, self._surroundings.upstreams
        if known is not None and word.text not in known:
            names = ", ".join(sorted(known)) or "none"
            raise self._source.error(word, f"{word.text!r} is no name in [upstreams]; known here: {names}")
        return word.text

    # --- words -------------------------------------------------------------------------------------------------------

    def _check_names(self, body: Body, attributes: tuple[str, ...], blocks: tuple[str, ...]) -> None:
        for name in (attribute.name for attribute in body.attributes.values()):
            if name.text not in attributes:
                known = ", ".join(attributes)
                raise self._source.error(name, f"{name.text!r} cannot be set here; known are {known}")
        for block in body.blocks:
            if block.kind.text not in blocks:
                known = ", ".join(blocks) or "none"
                raise self._source.error(
                    block.kind, f"{block.kind.text!r} is no block that may stand here; known: {known}"
                )
            if len(block.labels) != 1:
                count = len(block.labels)
                raise self._source.error(block.kind, f"a {block.kind.text} block has one label, this one has {count}")

    def _choice(self, word: Word, known: Mapping[str, V], noun: str) -> V:
        if word.text not in known:
            raise self._source.error(word, _no_such(word.text, known, noun))
        return known[word.text]

    def _pattern(self, block: Block) -> PackagePattern:
        with self._pointing(block) as (label, subject):
            return PackagePattern.parse(label, self._surroundings.purl_types, subject, self._surroundings.spell)

    def _constraint(self, block: Block) -> Constraint:
        with self._pointing(block) as (label, subject):
            return parse_constraint(label, self._surroundings.order, subject)

    @contextmanager
    def _pointing(self, block: Block) -> Iterator[tuple[str, str]]:
        """A label, and what to call its place; what is wrong with it is pointed at."""
        label = block.labels[0]
        try:
            yield label.text, self._source.where(label)
        except ConfigError as error:
            raise self._source.pointed(str(error), label) from error

    def _rule(self, block: Block) -> str:
        return f"{self._source.where(block.kind)} {_title(block)}"


def _title(block: Block) -> str:
    return f'{block.kind.text} "{block.labels[0].text}"'


def _no_such(word: str, known: Iterable[str], noun: str) -> str:
    near = [] if word.isdigit() else get_close_matches(word, known, n=1)
    return f"{word!r} is no {noun}; " + (f"did you mean {near[0]!r}?" if near else f"write one of {', '.join(known)}")


def _about_url(url: str) -> str | None:
    """What is wrong with the target of a redirect. It may hold a query, as Athens's may."""
    if not url:
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        return f"{url!r} is no URL: {error}"
    if parts.username is not None or parts.password is not None:
        return "the URL holds credentials, which every client would see; remove them"
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        return f'{url!r} is no http(s) URL; write it like "https://registry.example/path"'
    if parts.fragment or _UNFIT.search(url):
        return f"{url!r} holds a fragment, a backslash or a blank; an address has none of them"
    return None
