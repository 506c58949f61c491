"""Everything that cargo asks for of a selection: config.json, index files, crates, and what they depend on.

Not a resolver: of each dependency the newest version is taken that its own requirement admits.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from entrepot.contracts.closure import Closure, Need, Skipped
from entrepot.ecosystems.cargo_choice import Offer, choose
from entrepot.ecosystems.cargo_dependencies import DEFAULT, Dependency, read_manifest, wanted_by
from entrepot.ecosystems.cargo_index import read_index
from entrepot.ecosystems.cargo_names import crate_of, file_name, is_crate, spellings_of
from entrepot.ecosystems.cargo_requirements import parse_requirement
from entrepot.ecosystems.cargo_resources import CONFIG, crate_file, index_file
from entrepot.ecosystems.cargo_targets import is_for
from entrepot.errors import Absent
from entrepot.model.selection import Depth, Selection

NO_DEFAULT = "-default"
"""Among the parts of a selection: without the default features."""
UNUSED = "-file"
"""Among them: no platform of the order needs the crate, but cargo reads what its index says of it all the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Version:
    selection: Selection
    offer: Offer

    @property
    def title(self) -> str:
        return f"{self.offer.line.name} {self.offer.version}"

    @property
    def features(self) -> list[str]:
        own = [part for part in self.selection.parts if part not in (NO_DEFAULT, UNUSED)]
        return own if NO_DEFAULT in self.selection.parts else [DEFAULT, *own]


def close_crate(selection: Selection) -> Closure:
    """Raises Absent, BadRequest, DigestMismatch, PolicyRefused and UnreadableIndex."""
    crate = crate_of(selection.package)
    yield Need(resource=CONFIG)
    reading = yield Need(resource=index_file(crate), reads=True)
    if reading is None:
        raise Absent(crate)
    for name in spellings_of(crate):
        yield Need(resource=index_file(name), absent="maybe")
    offers = [Offer(raw=raw, line=line) for raw, line in read_index(reading.document)]
    for offer in choose(offers, selection, reading.hidden):
        version = _Version(selection=selection, offer=offer)
        line = offer.line
        wanted = not selection.files or file_name(line.name, line.vers) in selection.files
        if wanted and UNUSED not in selection.parts:
            yield Need(resource=crate_file(line.name, line.vers, line.cksum))
        if offer.version not in reading.hidden and selection.extent.depth is not Depth.NONE:
            yield from _dependencies(version)


def _dependencies(version: _Version) -> Iterator[Selection | Skipped]:
    extent = version.selection.extent
    everything = extent.depth is Depth.ALL
    manifest = read_manifest(version.offer.raw, version.title)
    wanted = wanted_by(manifest, version.features)
    # The newest that fits of each. What testing it takes is only for the crate itself.
    further = replace(extent, depth=Depth.RUNTIME, latest=1)
    for one in manifest.deps:
        if (one.kind == "dev" and not everything) or not wanted.includes(one):
            continue
        reason = _elsewhere(one)
        if reason:
            yield Skipped(subject=one.crate[:200], reason=f"{version.title} depends on it, but {reason}")
            continue
        used = UNUSED not in version.selection.parts and is_for(one.target, extent.platforms)
        parts = _parts(wanted.features_of(one), used=used)
        yield Selection(package=crate_of(one.crate), within=one.req, parts=parts, extent=further)


def _elsewhere(one: Dependency) -> str:
    """Why this registry has nothing that would do; empty: it has."""
    if one.registry:
        return f"it comes from another registry, {one.registry[:200]}"
    if not is_crate(one.crate):
        return "this is no name of a crate"
    return "" if parse_requirement(one.req) else f"{one.req[:200]!r} is no requirement of cargo's"


def _parts(features: frozenset[str], *, used: bool) -> tuple[str, ...]:
    marks = ((NO_DEFAULT,) if DEFAULT not in features else ()) + (() if used else (UNUSED,))
    return (*marks, *sorted(features - {DEFAULT}))
