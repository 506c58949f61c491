"""Checksum files as sha256sum, shasum, md5 and their like write them."""

import re
from collections.abc import Iterator

from entrepot.model.digest import Digest, parse_hex

_ALGORITHMS = {128: "sha512", 96: "sha384", 64: "sha256", 56: "sha224", 40: "sha1", 32: "md5"}
_GNU = re.compile(r"(?P<hex>[0-9A-Fa-f]{32,128})(?:\s+\*?(?P<name>\S.*))?\Z")
_BSD = re.compile(r"(?P<algorithm>[A-Za-z0-9-]{3,8}) ?\((?P<name>.+)\) ?= ?(?P<hex>[0-9A-Fa-f]{32,128})\Z")


def read_sums(text: str) -> Iterator[tuple[str, Digest]]:
    """The file name (empty where there is none) and digest of each line: `hex`, `hex  name`, `hex *name` or
    `SHA256 (name) = hex`. Other lines, such as signatures around them, are passed over."""
    for line in text.splitlines():
        found = _GNU.match(line.strip()) or _BSD.match(line.strip())
        if not found:
            continue
        hexadecimal, name = found["hex"], found["name"] or ""
        algorithm = found.groupdict().get("algorithm") or _ALGORITHMS.get(len(hexadecimal), "")
        digest = parse_hex(algorithm.replace("-", ""), hexadecimal)
        if digest:
            yield "" if name == "-" else name, digest
