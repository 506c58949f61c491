"""What SPDX's own tools find wrong with an SPDX 2 document."""

import tempfile
from collections.abc import Callable
from typing import Final

from spdx_tools.spdx.model.document import Document
from spdx_tools.spdx.parser.error import SPDXParsingError
from spdx_tools.spdx.parser.json import json_parser
from spdx_tools.spdx.parser.rdf import rdf_parser
from spdx_tools.spdx.parser.tagvalue import tagvalue_parser
from spdx_tools.spdx.parser.xml import xml_parser
from spdx_tools.spdx.parser.yaml import yaml_parser
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

from entrepot.mirror.sources.sbom_schemas import Standard

_PARSERS: Final[dict[Standard, Callable[[str], Document]]] = {
    Standard.SPDX2_JSON: json_parser.parse_from_file,
    Standard.SPDX2_YAML: yaml_parser.parse_from_file,
    Standard.SPDX2_TAGS: tagvalue_parser.parse_from_file,
    Standard.SPDX2_XML: xml_parser.parse_from_file,
    Standard.SPDX2_RDF: rdf_parser.parse_from_file,
}


def problems(standard: Standard, version: str, body: bytes) -> list[str]:
    """Raises OSError: the tools read files only."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(body)
        file.flush()
        try:
            document = _PARSERS[standard](file.name)
        except SPDXParsingError as error:
            return [str(message) for message in error.messages]
    found = validate_full_spdx_document(document)
    return [f"{one.context.spdx_id or 'document'}: {one.validation_message}" for one in found]
