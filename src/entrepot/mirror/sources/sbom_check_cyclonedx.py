"""What CycloneDX's own library finds wrong with a bill."""

from collections.abc import Iterable

from cyclonedx.exception import MissingOptionalDependencyException
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation import ValidationError
from cyclonedx.validation.json import JsonValidator
from cyclonedx.validation.xml import XmlValidator

from entrepot.errors import BadRequest, UnreadableBill
from entrepot.mirror.sources.sbom_schemas import Standard


def problems(standard: Standard, version: str, body: bytes) -> list[str]:
    """Raises UnreadableBill for a version that the library does not know."""
    known = {str(one.to_version()): one for one in SchemaVersion}
    if version not in known:
        raise UnreadableBill(f"there is no schema of CycloneDX {version} here; there are {', '.join(sorted(known))}")
    kind = JsonValidator if standard is Standard.CYCLONEDX_JSON else XmlValidator
    try:
        found: Iterable[ValidationError] | None = kind(known[version]).validate_str(body.decode(), all_errors=True)
    except MissingOptionalDependencyException as error:
        raise BadRequest(f"{error} (or entrepot[sbom], which brings it)") from error
    except UnicodeDecodeError:
        return ["it is not UTF-8, and validated is nothing else"]
    return [_told(error) for error in found or ()]


def _told(error: ValidationError) -> str:
    """What JSON Schema and XML Schema call place and problem."""
    place = getattr(error.data, "json_path", None) or f"line {getattr(error.data, 'line', '?')}"
    return f"{place}: {str(getattr(error.data, 'message', error.data))[:200]}"
