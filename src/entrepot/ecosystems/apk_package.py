"""The digest of a package: over its control part, which names the digest of its data. Signatures count in neither."""

import base64
import hashlib
import re
from typing import BinaryIO, Final, Protocol

from entrepot.ecosystems.apk_signatures import PREFIX
from entrepot.ecosystems.apk_streams import Member, Packed, entries
from entrepot.errors import BadContent
from entrepot.model.digest import Digest

ALGORITHMS: Final = {"q1": "sha1", "q2": "sha256"}
"""As an index spells them (`C:Q1…`), and what they are over the control part."""
# A control part holds a description of some kilobytes and a few scripts.
MAX_CONTROL_BYTES: Final = 16 << 20
MAX_PARTS: Final = 8
_MAX_INFO_BYTES: Final = 4 << 20
_DATAHASH: Final = re.compile(rb"datahash = ([0-9a-f]{64})\s*\Z")


class _Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...
    def digest(self) -> bytes: ...
    def hexdigest(self) -> str: ...


def digest_of(file: BinaryIO, subject: str, algorithm: str) -> Digest:
    """By one of ALGORITHMS. Raises BadContent for what is no package, and where its data are not those that its control
    part was made for."""
    packed = Packed(file)
    running, info = _read_control(packed, subject, ALGORITHMS[algorithm])
    wanted = _datahash(info, subject)
    # Before apk 2 there was no such field: then the one digest goes over both parts.
    data: _Hash = hashlib.sha256() if wanted else running
    while piece := packed.read():
        data.update(piece)
    if wanted and data.hexdigest() != wanted:
        raise BadContent(f"{subject}: its data are not those of its description: {data.hexdigest()}, not {wanted}")
    return Digest(algorithm, base64.b64encode(running.digest()).decode())


def _read_control(packed: Packed, subject: str, algorithm: str) -> tuple[_Hash, bytes]:
    """The hash of the first part that is no signature, and the description in it."""
    for _ in range(MAX_PARTS):
        running = hashlib.new(algorithm, usedforsecurity=False)
        member = Member(packed, subject, MAX_CONTROL_BYTES, running.update)
        signs, info = True, None
        for name, content in entries(member):
            signs = signs and name.startswith(PREFIX)
            if name == ".PKGINFO" and info is None:
                info = content.read_all(_MAX_INFO_BYTES)
        member.drain()
        if signs:
            continue
        if info is None:
            raise BadContent(f"{subject}: no package of apk: .PKGINFO is missing")
        return running, info
    raise BadContent(f"{subject}: no package of apk: it has only signatures")


def _datahash(info: bytes, subject: str) -> str:
    """Empty where the description has none."""
    lines = [line for line in info.split(b"\n") if line.startswith(b"datahash")]
    found = [_DATAHASH.match(line) for line in lines]
    if len(lines) > 1 or not all(found):
        raise BadContent(f"{subject}: its description has no readable datahash")
    return found[0][1].decode() if found and found[0] else ""
