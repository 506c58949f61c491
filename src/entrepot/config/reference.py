"""The settings reference, written from the settings tree itself."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from entrepot.config.load import BUILT_IN
from entrepot.config.repository import Repository
from entrepot.config.settings import Settings
from entrepot.contracts.ecosystem import Ecosystem

_INTRODUCTION: Final = """\
# Settings

<!-- Written by `make docs` from the settings themselves; changes here are lost. -->

Settings come from a TOML file (`--config FILE`, `$ENTREPOT_CONFIG`, or `~/.config/entrepot/entrepot.toml`), from
environment variables and from flags; later ones win. `server.listen` is `ENTREPOT_SERVER__LISTEN` in the environment:
two underscores stand between the parts, and lists and tables are written as in TOML. What is unknown or cannot be read
stops the start, with file, line and what to do. `entrepot config check FILE` says so beforehand, and
`entrepot config show` prints every value in effect and where it came from.

Durations are a number and a unit (`ms`, `s`, `m`, `h`, `d`, `w`), `"0"` or `"forever"`; sizes are a number and a unit
(`B`, `KB`, `MB`, `GB`, `TB`, `KiB`, `MiB`, `GiB`, `TiB`).

Without any `[repositories.…]` in the file there are {built_in}. A file that has one replaces them all.

The upstream `"default"` is `[upstreams.default]` if there is one, else what this machine's own clients are configured
to use: first their environment variables, then their configuration files, then the public registry as a library's
table knows it, and where there is none what the client's command prints. Addresses are taken, credentials never.
"""


def reference(ecosystems: Mapping[str, type[Ecosystem]]) -> str:
    """Markdown."""
    schema = Settings.model_json_schema(mode="serialization")
    built_in = ", ".join(f"`{name}` (`{ecosystem}`)" for name, ecosystem in BUILT_IN.items())
    parts = [_INTRODUCTION.format(built_in=built_in), *_sections("", schema, schema["$defs"]), *_options(ecosystems)]
    return "\n".join(parts)


# A JSON Schema is parsed JSON: its values are what they are.
def _sections(header: str, table: Mapping[str, Any], models: Mapping[str, Any]) -> Iterator[str]:
    """A table's own keys, then the tables in it."""
    path = header.strip("[]")
    inner: list[tuple[str, Mapping[str, Any]]] = []
    rows: list[str] = []
    for name, field in table["properties"].items():
        dotted = f"{path}.{name}" if path else name
        named, listed = field.get("additionalProperties", {}), field.get("items", {})
        if model := _model(field, models):
            inner.append((f"[{dotted}]", model))
        elif isinstance(named, dict) and "$ref" in named:
            inner.append((f"[{dotted}.NAME]", _model(named, models) or {}))
        elif "$ref" in listed:
            inner.append((f"[[{dotted}]]", _model(listed, models) or {}))
        else:
            rows.append(f"| `{name}` | {_kind(field)} | {_default(field)} | {field['description']} |")
    yield f"\n## `{header}`\n\n{table['description']}\n" if header else "\n## At the top of the file\n"
    if rows:
        yield "| key | kind | default | meaning |\n| --- | --- | --- | --- |\n" + "\n".join(rows) + "\n"
    for heading, model in inner:
        yield from _sections(heading, model, models)


def _model(field: Mapping[str, Any], models: Mapping[str, Any]) -> Mapping[str, Any] | None:
    for part in (field, *field.get("anyOf", ())):
        if "$ref" in part:
            found: Mapping[str, Any] = models[part["$ref"].rpartition("/")[2]]
            return found
    return None


def _kind(field: Mapping[str, Any]) -> str:
    if "enum" in field:
        return " or ".join(f"`{json.dumps(value)}`" for value in field["enum"])
    if "examples" in field or isinstance(field.get("type"), list):
        return str(field["title"])
    if "anyOf" in field:
        return _kind(field["anyOf"][0])
    kinds = {"array": "list", "object": "table", "string": "text", "boolean": "true or false", "integer": "number"}
    return kinds[field["type"]]


def _default(field: Mapping[str, Any]) -> str:
    if "default" not in field:
        return "required"
    return "unset" if field["default"] is None else f"`{json.dumps(field['default'])}`"


def _options(ecosystems: Mapping[str, type[Ecosystem]]) -> Iterator[str]:
    yield "\n## Options of the ecosystems\n\nThey stand in `[repositories.NAME]` or in `[repositories.NAME.options]`.\n"
    yield "| ecosystem | option | meaning |\n| --- | --- | --- |"
    for name, ecosystem in ecosystems.items():
        for option, meaning in ecosystem.option_names.items():
            if option in Repository.model_fields:
                continue  # It stands above, for every ecosystem.
            yield f"| `{name}` | `{option}` | {meaning.replace('|', '&#124;')} |"
    yield ""
