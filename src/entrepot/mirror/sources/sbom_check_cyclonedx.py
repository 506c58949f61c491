"""What CycloneDX's own library finds wrong with a bill."""

import re
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation import ValidationError
from cyclonedx.validation.json import JsonValidator
from cyclonedx.validation.xml import XmlValidator
from jsonschema.exceptions import ValidationError as JsonProblem  # type: ignore[import-untyped]
from jsonschema.validators import Draft7Validator  # type: ignore[import-untyped]

from entrepot.errors import UnreadableBill
from entrepot.mirror.sources.sbom_schemas import Standard

_NO_REFERENCE: Final = re.compile(r"[\x00-\x20\x7f-\x9f<>\"{}|\\^`]|%(?![0-9A-Fa-f]{2})")


def problems(standard: Standard, version: str, body: bytes) -> list[str]:
    """Raises UnreadableBill for a version that the library does not know."""
    known = {str(one.to_version()): one for one in SchemaVersion}
    if version not in known:
        raise UnreadableBill(f"there is no schema of CycloneDX {version} here; there are {', '.join(sorted(known))}")
    kind = JsonValidator if standard is Standard.CYCLONEDX_JSON else XmlValidator
    try:
        found: Iterable[ValidationError] | None = kind(known[version]).validate_str(body.decode(), all_errors=True)
    except UnicodeDecodeError:
        return ["it is not UTF-8, and validated is nothing else"]
    return [_told(error) for error in found or ()]


def _told(error: ValidationError) -> str:
    """What JSON Schema and XML Schema call place and problem."""
    place = getattr(error.data, "json_path", None) or f"line {getattr(error.data, 'line', '?')}"
    return f"{place}: {str(getattr(error.data, 'message', error.data))[:200]}"


def _check_unique(_: object, wanted: bool, items: object, __: object) -> Iterator[JsonProblem]:
    seen: set[bytes] = set()
    for number, item in enumerate(items if wanted and isinstance(items, list) else ()):
        text = msgspec.json.encode(item, order="deterministic")
        if text in seen:
            yield JsonProblem(f"[{number}] is there twice")
        seen.add(text)


def _is_reference(value: object) -> bool:
    return not isinstance(value, str) or not _NO_REFERENCE.search(value)


# The library's own ways take minutes for 5,000 components: it compares each with every other, and reads every address
# by a grammar, in 10 ms. Nothing else is validated by it here.
Draft7Validator.VALIDATORS["uniqueItems"] = _check_unique
Draft7Validator.FORMAT_CHECKER.checks("iri-reference")(_is_reference)
