"""Validates bills of materials by what their standards' own libraries say: an optional part, because that is slow and
brings many packages."""

import importlib
from enum import Enum
from typing import Final, Protocol, cast

from entrepot.errors import BadRequest, UnreadableBill

MOST_PROBLEMS: Final = 10
"""Of one bill; a broken generator makes the same mistake in every component."""


class Standard(Enum):
    CYCLONEDX_JSON = "CycloneDX in JSON"
    CYCLONEDX_XML = "CycloneDX in XML"
    SPDX2_JSON = "SPDX 2 in JSON"
    SPDX2_YAML = "SPDX 2 in YAML"
    SPDX2_TAGS = "SPDX 2 as tags and values"
    SPDX2_XML = "SPDX 2 in XML"
    SPDX2_RDF = "SPDX 2 in RDF/XML"
    SPDX3 = "SPDX 3 in JSON-LD"


_CHECKERS: Final = {
    Standard.CYCLONEDX_JSON: "sbom_check_cyclonedx",
    Standard.CYCLONEDX_XML: "sbom_check_cyclonedx",
    Standard.SPDX2_JSON: "sbom_check_spdx2",
    Standard.SPDX2_YAML: "sbom_check_spdx2",
    Standard.SPDX2_TAGS: "sbom_check_spdx2",
    Standard.SPDX2_XML: "sbom_check_spdx2",
    Standard.SPDX2_RDF: "sbom_check_spdx2",
    Standard.SPDX3: "sbom_check_spdx3",
}
"""Modules beside this one. They import libraries that are an extra, and are imported only for this."""


class _Checker(Protocol):
    def problems(self, standard: Standard, version: str, body: bytes) -> list[str]:
        """What is wrong with the bill, each with its place."""


def check_schema(standard: Standard, version: str, body: bytes) -> None:
    """Raises UnreadableBill, which tells the first problems, and BadRequest where the library is not installed."""
    try:
        module = importlib.import_module(f"entrepot.mirror.sources.{_CHECKERS[standard]}")
    except ModuleNotFoundError as error:
        raise BadRequest(
            f"bills of materials cannot be validated here: {error.name} is not installed; "
            "install entrepot[sbom], or leave validation out"
        ) from error
    found = cast(_Checker, module).problems(standard, version, body)
    if found:
        more = f" (and {len(found) - MOST_PROBLEMS} more)" if len(found) > MOST_PROBLEMS else ""
        listed = "; ".join(found[:MOST_PROBLEMS])
        raise UnreadableBill(f"is no valid {standard.value}, version {version}: {listed}{more}")
