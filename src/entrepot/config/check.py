"""What is wrong with a configuration, and what to do about it."""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from entrepot.config.mirror_check import about_schedules
from entrepot.config.policy_check import Problem, about_policy
from entrepot.config.positions import Key
from entrepot.config.repository import Repository
from entrepot.config.secrets import read_secret
from entrepot.config.settings import Settings
from entrepot.config.token_check import about_tokens
from entrepot.config.tree_check import about_trees
from entrepot.config.upstream import Upstream
from entrepot.config.version_control import NAME as VERSION_CONTROL
from entrepot.config.version_control import about_use, about_version_control
from entrepot.contracts.ecosystem import Ecosystem
from entrepot.errors import ConfigError
from entrepot.model.names import parse_reservation

Ecosystems = Mapping[str, type[Ecosystem]]

_REMEDIES: Final = {
    "missing": "is missing; add it",
    "tuple_type": 'must be a list; write it like ["a", "b"]',
    "string_pattern_mismatch": "has characters that cannot stand there; use letters, digits and '-'",
    "string_type": "must be a text; put it in quotes",
    "model_type": "must be a table; write its keys in a table of this name",
    "model_attributes_type": "must be a table; write its keys in a table of this name",
    "dict_type": "must be a table; write its keys in a table of this name",
}


def lift_options(raw: dict[str, object], ecosystems: Ecosystems) -> None:
    """Move an ecosystem's options that stand beside a repository's own keys to where they belong."""
    repositories = raw.get("repositories")
    for table in repositories.values() if isinstance(repositories, dict) else ():
        options = table.setdefault("options", {}) if isinstance(table, dict) else None
        if isinstance(options, dict):
            for key in _option_names(table.get("ecosystem"), ecosystems):
                if key in table and key not in Repository.model_fields:
                    options[key] = table.pop(key)


def _option_names(ecosystem: object, ecosystems: Ecosystems) -> Iterable[str]:
    kind = ecosystems.get(ecosystem) if isinstance(ecosystem, str) else None
    return kind.option_names if kind else ()


def explain(error: ValidationError, ecosystems: Ecosystems, raw: Mapping[str, object]) -> list[Problem]:
    """Each mistake that the settings tree found, in our words."""
    return [(_key_of(detail), _complaint(detail, ecosystems, raw)) for detail in error.errors(include_url=False)]


def _key_of(detail: ErrorDetails) -> Key:
    # A name that is no name stands in the key itself.
    return tuple(part for part in detail["loc"] if part != "[key]")


def _complaint(detail: ErrorDetails, ecosystems: Ecosystems, raw: Mapping[str, object]) -> str:
    key = _key_of(detail)
    dotted = ".".join(map(str, key))
    if detail["type"] == "extra_forbidden":
        return f"{dotted}: unknown key; {_suggestion(key, ecosystems, raw)}"
    if remedy := _REMEDIES.get(detail["type"]):
        return f"{dotted} {remedy}"
    # Only our own messages repeat the value: others could show a secret.
    reason = detail["msg"].removeprefix("Value error, ").replace("Input should", "it should")
    return f"{dotted}: {reason}"


def _suggestion(key: Key, ecosystems: Ecosystems, raw: Mapping[str, object]) -> str:
    known = set(_fields(key[:-1]))
    match key:
        case ("repositories", name, _):
            repositories = raw["repositories"]
            table = repositories[name] if isinstance(repositories, dict) else {}
            ecosystem = table.get("ecosystem")
            if isinstance(ecosystem, str) and ecosystem not in ecosystems:
                # Whatever it has for options: the package that brings it is not installed, or its name is misspelt.
                return (
                    f"the ecosystem {ecosystem!r} is unknown, and so are its options; {_nearest(ecosystem, ecosystems)}"
                )
            known |= set(_option_names(ecosystem, ecosystems))
    return _nearest(str(key[-1]), known)


def _nearest(word: str, known: Iterable[str]) -> str:
    names = sorted(known)
    close = difflib.get_close_matches(word, names, n=1)
    return f"did you mean {close[0]!r}?" if close else f"known here: {', '.join(names) or 'none'}"


def _fields(key: Key) -> Iterable[str]:
    """The keys of the table that stands at `key`."""
    model: type[BaseModel] = Settings
    steps = iter(key)
    for step in steps:
        if isinstance(step, int):
            continue  # One of an array of tables.
        inner = list(_models(model.model_fields[step].annotation))
        if step in ("upstreams", "repositories", "build_caches"):
            next(steps, None)  # Its own name.
        model = inner[0]
    return [field.alias or name for name, field in model.model_fields.items()]


def _models(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)


def contradictions(settings: Settings, ecosystems: Ecosystems, environment: Mapping[str, str]) -> Iterator[Problem]:
    """Values that are well formed and cannot work."""
    for key in ("tls_certificate", "tls_key"):
        yield from _unreadable(("server", key), getattr(settings.server, key))
    for name, upstream in settings.upstreams.items():
        yield from _about_upstream(("upstreams", name), upstream, environment)
        yield from about_version_control(("upstreams", name), upstream, environment)
    for name, repository in settings.repositories.items():
        yield from about_use(("repositories", name, "upstreams"), repository, settings.upstreams, environment)
        yield from _about_repository(("repositories", name), repository, settings, ecosystems)
    yield from about_tokens(settings)
    for name in sorted(settings.build_caches.keys() & settings.repositories.keys()):
        yield ("build_caches", name), f"build_caches.{name}: a repository has this name; rename one"
    yield from about_schedules(settings)


def _unreadable(key: Key, file: str) -> Iterator[Problem]:
    try:
        if file:
            Path(file).expanduser().open("rb").close()
    except OSError as error:
        yield key, f"{'.'.join(map(str, key))}: {file} cannot be read: {error.strerror}; name a readable file"


def _about_upstream(key: Key, upstream: Upstream, environment: Mapping[str, str]) -> Iterator[Problem]:
    if upstream.kind == "http" and not upstream.url:
        yield (*key, "url"), f"{'.'.join(map(str, key))}.url is missing; add it"
    yield from _unreadable((*key, "ca_file"), upstream.ca_file)
    try:
        if upstream.auth:
            read_secret(upstream.auth, environment)
    except ConfigError as error:
        place = str(error).partition(":")[0]
        yield (*key, "auth", place), f"{'.'.join(map(str, key))}.auth.{error}"


def _about_repository(
    key: Key, repository: Repository, settings: Settings, ecosystems: Ecosystems
) -> Iterator[Problem]:
    dotted = ".".join(map(str, key))
    kind = ecosystems.get(repository.ecosystem)
    if kind is None:
        nearest = _nearest(repository.ecosystem, ecosystems)
        yield (*key, "ecosystem"), f"{dotted}.ecosystem: {repository.ecosystem!r} is unknown; {nearest}"
        return
    if not repository.upstreams:
        yield (*key, "upstreams"), f'{dotted}.upstreams: is empty; name an upstream, or write "default"'
    known = {*settings.upstreams, "default", VERSION_CONTROL}
    for upstream in repository.upstreams:
        if "://" not in upstream and upstream not in known:
            nearest = _nearest(upstream, known)
            yield (*key, "upstreams"), f"{dotted}.upstreams: {upstream!r} is no name in [upstreams]; {nearest}"
    yield from _about_names((*key, "reserved"), repository, kind)
    yield from about_policy(key, repository, settings)
    yield from about_trees((*key, "trees"), repository.trees)
    yield from _about_options((*key, "options"), repository, kind)


def _about_names(key: Key, repository: Repository, kind: type[Ecosystem]) -> Iterator[Problem]:
    for number, text in enumerate(repository.reserved):
        try:
            parse_reservation(text, kind.purl_types, ".".join(map(str, key)))
        except ConfigError as error:
            yield (*key, number), str(error)


def _about_options(key: Key, repository: Repository, kind: type[Ecosystem]) -> Iterator[Problem]:
    dotted = ".".join(map(str, key[:-1]))
    known = set(kind.option_names) - set(Repository.model_fields)
    unknown = [name for name in repository.options if name not in known]
    for name in unknown:
        nearest = _nearest(name, known)
        yield (*key, name), f"{dotted}: {name!r} is no option of {repository.ecosystem}; {nearest}"
    try:
        if not unknown:
            kind(repository.options_for(kind.option_names))
    except ConfigError as error:
        yield (*key, *_named_in(str(error), kind)), f"{dotted}: {error}"


def _named_in(complaint: str, kind: type[Ecosystem]) -> Key:
    """The option, and the place in its list, that an ecosystem's complaint begins with: `generic: rules[0]: …`."""
    found = re.match(rf"(?:{kind.name}: )?(?P<option>\w+)(?:\[(?P<number>\d+)\])?", complaint)
    if not found or found["option"] not in kind.option_names:
        return ()
    return (found["option"], int(found["number"])) if found["number"] else (found["option"],)
