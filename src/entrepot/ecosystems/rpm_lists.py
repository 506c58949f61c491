"""Lists of packages, as people write them and as `rpm -qa` does."""

import re
from collections.abc import Iterable, Iterator, Sequence

from entrepot.contracts.closure import Skipped
from entrepot.contracts.ecosystem import LockText
from entrepot.ecosystems.rpm_primary import Package
from entrepot.ecosystems.rpm_versions import RPM, split_evr
from entrepot.errors import UnreadableLock
from entrepot.model.selection import Selection

_SPEC = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+~^%{}:-]*\Z")
_KEYS = "gpg-pubkey-"
"""`rpm -qa` lists keys that were imported as if they were packages."""


def read_package_list(text: LockText) -> Iterable[Selection | Skipped]:
    """One selection of all its lines: so the metadata is read once. Raises UnreadableLock."""
    try:
        lines = text.body.decode().splitlines()
    except UnicodeDecodeError as error:
        raise UnreadableLock(f"{text.name}: is not UTF-8 text") from error
    specs: dict[str, None] = {}
    for number, line in enumerate(lines, 1):
        spec = line.partition("#")[0].strip()
        if not spec or spec.startswith(_KEYS):
            continue
        if not _SPEC.match(spec):
            raise UnreadableLock(
                f"{text.name}:{number}: {spec[:80]!r} is no package; write NAME, NAME.ARCH or "
                "NAME-VERSION-RELEASE.ARCH, one in a line"
            )
        specs[spec] = None
    if specs:
        yield Selection(package=next(iter(specs)), parts=tuple(specs), extent=text.extent)


class Specs:
    """What a list names, found among packages: without a version the newest of each architecture."""

    def __init__(self, specs: Sequence[str]) -> None:
        self._exact: dict[str, list[Package]] = {spec: [] for spec in specs}
        self._newest: dict[tuple[str, str], Package] = {}

    def look_at(self, package: Package) -> None:
        for spec in _exact_names(package):
            if spec in self._exact:
                self._exact[spec].append(package)
        for spec in (package.name, f"{package.name}.{package.arch}"):
            if spec in self._exact:
                known = self._newest.get((spec, package.arch))
                if known is None or (RPM.key(package.version) or ()) > (RPM.key(known.version) or ()):
                    self._newest[spec, package.arch] = package

    @property
    def found(self) -> list[Package]:
        """Each once."""
        every = [*self._newest.values(), *(one for named in self._exact.values() for one in named)]
        return list({one.key: one for one in every}.values())

    @property
    def missing(self) -> list[str]:
        newest = {spec for spec, _ in self._newest}
        return [spec for spec, named in self._exact.items() if not named and spec not in newest]


def _exact_names(package: Package) -> Iterator[str]:
    """As dnf spells a package with its version (dnf(8), "Specifying Packages")."""
    epoch, version, release = split_evr(package.version) or (0, package.version, "")
    for told in (version, f"{version}-{release}", f"{epoch}:{version}-{release}"):
        yield f"{package.name}-{told}"
        yield f"{package.name}-{told}.{package.arch}"
