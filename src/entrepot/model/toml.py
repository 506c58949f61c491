"""TOML from elsewhere."""

import re
import tomllib
from typing import Final

MOST_PARTS: Final = 64
"""Of a dotted key. The standard parser takes quadratic time for them: a minute for 64 KiB of dots."""

_PART: Final = r"""(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')"""
_LONG_KEY: Final = re.compile(rf"(?<![\w.-]){_PART}(?:[ \t]*+\.[ \t]*+{_PART}){{{MOST_PARTS}}}")


def load_toml(source: str) -> dict[str, object]:
    """Raises tomllib.TOMLDecodeError, RecursionError."""
    found = _LONG_KEY.search(source)
    if found is not None:
        line = source.count("\n", 0, found.start()) + 1
        raise tomllib.TOMLDecodeError(f"A key with more than {MOST_PARTS} parts (at line {line}, column 1)")
    return tomllib.loads(source)
