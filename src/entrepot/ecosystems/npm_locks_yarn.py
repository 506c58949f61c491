"""`yarn.lock`: yarn 1 has a format of its own, yarn 2 and later write YAML.

Source: https://github.com/yarnpkg/yarn (src/lockfile/parse.js), https://github.com/yarnpkg/berry (structUtils.ts), and
what yarn 1.22 and 4.18 write.
"""

import re
from collections.abc import Iterator, Mapping
from urllib.parse import unquote

from entrepot.contracts.ecosystem import LockText, Skipped
from entrepot.ecosystems.npm_locks import Lock, Pins, each_once, load_yaml
from entrepot.ecosystems.npm_platforms import Machines
from entrepot.ecosystems.npm_specs import read_spec, split_locator
from entrepot.model.digest import parse_hex
from entrepot.model.selection import Selection

_BERRY = re.compile(rb"""^["']?__metadata["']?:""", re.MULTILINE)
_DESCRIPTOR = re.compile(r'"((?:[^"\\]|\\.)+)"|([^",\s][^",]*)')
_MEMBER = re.compile(r"""  "?([A-Za-z]+)"? ("[^"]*"|\S+)\s*\Z""")
_CONDITION = re.compile(r"(!?)(os|cpu|libc)=([^\s&|()]+)")


def read_yarn_lock(text: LockText) -> Pins:
    """Raises UnreadableLock."""
    lock = Lock(text)
    if _BERRY.search(text.body):
        return each_once(pin for document in load_yaml(lock) for pin in _berry(lock, document))
    return each_once(_classic(lock))


# --- yarn 1 -----------------------------------------------------------------------------------------------------------


def _classic(lock: Lock) -> Iterator[Selection | Skipped]:
    names: list[str] = []
    members: dict[str, str] = {}
    first = 0
    for number, line in enumerate(_lines(lock), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if not line.startswith(" "):
            if names:
                yield _pin_classic(lock, first, names, members)
            names, members, first = _names(lock, number, line), {}, number
        elif not names:
            raise lock.failure(number, f"expected the name of a package, found {line.strip()!r:.80}")
        elif found := _MEMBER.match(line):
            members[found[1]] = found[2].strip('"')
    if names:
        yield _pin_classic(lock, first, names, members)


def _lines(lock: Lock) -> list[str]:
    try:
        return lock.text.body.decode("utf-8-sig").replace("\r\n", "\n").split("\n")
    except UnicodeDecodeError as error:
        raise lock.failure(lock.text.body.count(b"\n", 0, error.start) + 1, "this is no UTF-8") from error


def _names(lock: Lock, number: int, line: str) -> list[str]:
    """Of a line like `left@^1.0.0, "@acme/foo@1":`."""
    text = line.rstrip()
    if not text.endswith(":") or _DESCRIPTOR.sub("", text[:-1]).strip(" ,"):
        raise lock.failure(number, f"expected the name of a package and a colon, found {text!r:.80}")
    return [quoted or plain for quoted, plain in _DESCRIPTOR.findall(text[:-1])]


def _pin_classic(lock: Lock, number: int, names: list[str], members: Mapping[str, str]) -> Selection | Skipped:
    version = members.get("version")
    if not version:
        raise lock.failure(number, f"{names[0][:200]}: there is no version of it")
    descriptors = [split_locator(name) for name in names]
    package = next((found[0] for name, spec in descriptors if (found := read_spec(name, spec))), None)
    if package is None:
        return lock.elsewhere(*descriptors[0])
    sha1 = parse_hex("sha1", members.get("resolved", "").rpartition("#")[2])
    return lock.pin(package, version, integrity=members.get("integrity", ""), digests=(sha1,) if sha1 else ())


# --- yarn 2 and later -------------------------------------------------------------------------------------------------


def _berry(lock: Lock, document: Mapping[str, object]) -> Iterator[Selection | Skipped]:
    """Its checksums are those of zip files that yarn packs itself, and say nothing of a tarball."""
    for key, value in document.items():
        if key == "__metadata":
            continue
        entry = lock.members(value, key)
        name, reference = split_locator(_origin(lock.word(entry.get("resolution"), key)))
        machines = _machines(lock.word(entry.get("conditions"), key))
        if reference.startswith("npm:"):
            yield lock.pin(name, reference.removeprefix("npm:").partition("::")[0], machines=machines)
        elif not reference:
            raise lock.failure_at(key, "its resolution is no package and the place where it is")
        elif reference != "workspace:.":
            yield lock.elsewhere(name, reference)


def _origin(resolution: str) -> str:
    """What is behind a patch, or behind the same package once more for other peers."""
    name, reference = split_locator(resolution)
    while reference.startswith(("patch:", "virtual:")):
        kind, _, rest = reference.partition(":")
        behind = rest.partition("#")[0] if kind == "patch" else rest.partition("#")[2]
        name, reference = split_locator(unquote(behind)) if kind == "patch" else (name, behind)
    return f"{name}@{reference}"


def _machines(conditions: str) -> Machines:
    words: dict[str, list[str]] = {"os": [], "cpu": [], "libc": []}
    for negation, kind, name in _CONDITION.findall(conditions):
        words[kind].append(f"{negation}{name}")
    return Machines(tuple(words["os"]), tuple(words["cpu"]), tuple(words["libc"]))
