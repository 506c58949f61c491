"""What SPDX's own model finds wrong with an SPDX 3 document."""

import msgspec
import spdx_python_model

from entrepot.mirror.sources.sbom_schemas import Standard


def problems(standard: Standard, version: str, body: bytes) -> list[str]:
    """One at most: the model stops at the first."""
    try:
        spdx_python_model.load_data(msgspec.json.decode(body))
    except (spdx_python_model.LoadError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        return [f"{error}"]
    return []
