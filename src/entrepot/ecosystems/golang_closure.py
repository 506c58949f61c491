"""Everything that the go command will ask for of a module, so that it works without upstream and with empty caches."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Literal

from entrepot.contracts.closure import Closure, Need, Reading, Skipped
from entrepot.ecosystems.golang_documents import read_info, read_list, read_text
from entrepot.ecosystems.golang_graph import Graph
from entrepot.ecosystems.golang_hash import hash_zip, member_names
from entrepot.ecosystems.golang_mod import Required, read_mod
from entrepot.ecosystems.golang_names import is_canonical, is_module_path, is_pseudo, newest_first
from entrepot.ecosystems.golang_proofs import Steps, checked
from entrepot.ecosystems.golang_questions import Questions
from entrepot.errors import Absent, BadRequest, ConfigError, DigestMismatch
from entrepot.model.constraints import parse_constraint
from entrepot.model.digest import Digest
from entrepot.model.purl import Purl
from entrepot.model.release import Document
from entrepot.model.resource import Resource
from entrepot.model.selection import Depth, Extent, Selection
from entrepot.model.versions import GO

GRAPH = "graph"
"""As a part of a selection: the go.mod files that the go command reads below this one."""
WHOLE_GRAPH = "whole graph"
"""The same below a go.mod that is not complete: all of them."""
MAX_DIRECTORIES = 5000
"""Folders of one module that are kept as paths which are no modules."""
_TOOLCHAIN = "golang.org/toolchain"
_EXTENSIONS = ("info", "mod", "zip")


def select(purl: Purl, extent: Extent) -> Selection:
    """The path with its subpath: package URLs do not tell where a module's path ends. Raises BadRequest."""
    package = "/".join(part for part in (purl.namespace, purl.name, purl.subpath) if part)
    version = purl.version
    if GO.key(f"v{version}") is not None:
        # Some tools leave out the letter, with which every version of a module begins.
        version = f"v{version}"
    exact = not any(sign in version for sign in "<>=!,^~*| ")
    return Selection(
        package=package,
        version=version if exact else "",
        within="" if exact else version,
        qualifiers=purl.qualifiers,
        extent=extent,
    )


def close(questions: Questions, selection: Selection) -> Closure:
    if "." not in selection.package.partition("/")[0]:
        yield Skipped(subject=str(selection), reason="no module: its path has no host, as what comes with Go itself")
    elif not is_module_path(selection.package):
        raise BadRequest(f"{selection.package[:200]!r}: malformed module path")
    elif GRAPH in selection.parts or WHOLE_GRAPH in selection.parts or selection.files or selection.digests:
        yield from _Version(questions, selection, selection.package, selection.version).steps()
    elif selection.version:
        module, version = yield from _find_version(questions, selection)
        yield from _Version(questions, selection, module, version).steps()
    else:
        yield from _choose(questions, selection)


# --- which versions -----------------------------------------------------------------------------------------------


def _paths_of(path: str) -> Iterator[str]:
    """The path and those above it, longest first, as far as they can be modules."""
    while path:
        if is_module_path(path):
            yield path
        path = path.rpartition("/")[0]


def _find_version(questions: Questions, selection: Selection) -> Steps[tuple[str, str]]:
    """The module of the longest path that has the version, and what the version is called."""
    for module in _paths_of(selection.package):
        resource = questions.info_of(module, selection.version)
        reading = yield Need(resource=resource, reads=True, absent="maybe")
        if reading is not None:
            version = read_info(reading.document).version
            if is_canonical(module, version):
                return module, version
    raise _unknown(selection)


def _choose(questions: Questions, selection: Selection) -> Closure:
    for module in _paths_of(selection.package):
        versions = yield from _versions_of(questions, module)
        if versions is not None:
            break
    else:
        raise _unknown(selection)
    chosen = [version for version in newest_first(versions) if _is_within(version, selection)]
    if not chosen:
        raise Absent(str(selection))
    for version in chosen[: selection.extent.latest]:
        files = tuple(f"{version}.{extension}" for extension in _EXTENSIONS)
        yield replace(selection, package=module, version=version, within="", files=files)


def _versions_of(questions: Questions, module: str) -> Steps[list[str] | None]:
    """None: there is no such module. One without versions has the one of its newest commit."""
    listed = yield Need(resource=questions.list_of(module), reads=True, absent="maybe")
    if listed is not None:
        found = [release.version for release in read_list(listed.document, module)]
        tagged = [version for version in found if not is_pseudo(version)]
        if tagged:
            return [version for version in tagged if version not in listed.hidden]
    latest = yield Need(resource=questions.latest_of(module), reads=True, absent="maybe")
    if latest is None:
        return None
    version = read_info(latest.document).version
    return [] if version in latest.hidden else [version]


def _is_within(version: str, selection: Selection) -> bool:
    try:
        constraint = parse_constraint(selection.within, GO, selection.package) if selection.within else None
    except ConfigError as error:
        raise BadRequest(str(error)) from error
    return constraint is None or bool(constraint.admits(version))


def _unknown(selection: Selection) -> Absent:
    lower = selection.package == selection.package.lower()
    hint = ", in small letters, while paths of modules have capitals" if lower else ""
    return Absent(f"{selection}, as a module's path or one inside a module{hint}")


# --- one version --------------------------------------------------------------------------------------------------


class _Version:
    """A module at a canonical version."""

    def __init__(self, questions: Questions, selection: Selection, module: str, version: str) -> None:
        self._questions, self._selection = questions, selection
        self._module, self._version = module, version
        self._wanted = {name.rpartition(".")[2] for name in selection.files} or set(_EXTENSIONS)
        self._is_whole = "zip" in self._wanted

    def steps(self) -> Closure:
        if not is_canonical(self._module, self._version):
            # A go.mod that nobody tidied may name a branch.
            self._version = yield from self._resolved()
        mod = yield from self._files()
        if mod is None and not self._is_named:
            return
        yield from checked(self._questions, self._module, self._version, self._check)
        if self._is_whole:
            yield from self._lists()
        if mod is not None:
            yield from self._below(mod)
        if self._is_whole:
            yield from self._archive()

    @property
    def _is_named(self) -> bool:
        """Whether an order names it, so that it must be there; else a go.mod does, which may be old and wrong."""
        return self._is_whole or not self._selection.parts

    def _resolved(self) -> Steps[str]:
        reading = yield Need(resource=self._questions.info_of(self._module, self._version), reads=True)
        return read_info(reading.document).version if reading else self._version

    def _file(self, extension: str) -> Resource:
        """With the digest that a go.sum has of it: what arrives must have it."""
        resource = self._questions.file(self._module, self._version, extension)
        digest = self._pinned(extension)
        return replace(resource, digest=digest) if digest else resource

    def _pinned(self, extension: str) -> Digest | None:
        """Go reads a second digest of the same file as another one that is right; then none is checked here."""
        known = [digest for digest in self._selection.digests if digest.algorithm == "h1"]
        files = self._selection.files
        return known[0] if len(known) == len(files) == 1 and files[0].endswith(f".{extension}") else None

    def _files(self) -> Steps[Reading | None]:
        """`.info` comes with everything: the go command asks for it now and then, and it tells a version's date."""
        absent: Literal["no", "maybe"] = "no" if self._is_named else "maybe"
        yield Need(resource=self._questions.info_of(self._module, self._version), absent=absent)
        if "mod" not in self._wanted:
            return None
        return (yield Need(resource=self._file("mod"), reads=self._reads_mod, absent=absent))

    @property
    def _reads_mod(self) -> bool:
        return bool(self._selection.parts) or (self._is_whole and self._selection.extent.depth is not Depth.NONE)

    def _check(self, name: str, published: Digest) -> None:
        """What a go.sum says against what the checksum database says. Raises DigestMismatch."""
        known = [digest for digest in self._selection.digests if digest.algorithm == "h1"]
        if known and name in self._selection.files and published not in known:
            raise DigestMismatch(f"{self._module} {name}", str(known[0]), str(published))

    def _check_contents(self, document: Document) -> None:
        """Where no checksum database was asked: what is stored against what a go.sum says. Raises DigestMismatch."""
        pinned = self._pinned("zip")
        if pinned and not self._questions.is_checked(self._module):
            found = hash_zip(document.body, f"{self._module}@{self._version}.zip")
            document.body.seek(0)
            self._check(f"{self._version}.zip", found)

    def _lists(self) -> Closure:
        yield Need(resource=self._questions.list_of(self._module), absent="maybe")
        yield Need(resource=self._questions.latest_of(self._module), absent="maybe")
        for path in _paths_of(self._module.rpartition("/")[0]):
            yield Need(resource=self._questions.list_of(path), absent="maybe")

    # --- what it requires ---------------------------------------------------------------------------------------------

    def _below(self, reading: Reading) -> Closure:
        if self._selection.extent.depth is not Depth.NONE and self._is_whole:
            yield from self._build_list(reading)
        elif self._selection.parts:
            mod = read_mod(read_text(reading.document))
            part = GRAPH if mod.is_complete and WHOLE_GRAPH not in self._selection.parts else WHOLE_GRAPH
            if part == WHOLE_GRAPH or self._is_whole:
                yield from (self._mod_of(one, (part,)) for one in mod.requires if is_canonical(one.path, one.version))

    def _build_list(self, reading: Reading) -> Closure:
        graph = Graph(Required(self._module, self._version))
        graph.take(graph.root, read_mod(read_text(reading.document)))
        while (one := graph.next()) is not None:
            found = None
            if is_canonical(one.path, one.version):
                resource = self._questions.file(one.path, one.version, "mod")
                found = yield Need(resource=resource, reads=True, absent="maybe")
            graph.take(one, read_mod(read_text(found.document)) if found else None)
        yield from (self._mod_of(one, (GRAPH,)) for one in graph.read if is_canonical(one.path, one.version))
        for one in graph.build_list:
            extent = replace(self._selection.extent, depth=Depth.NONE)
            files = tuple(f"{one.version}.{extension}" for extension in _EXTENSIONS)
            yield Selection(package=one.path, version=one.version, files=files, extent=extent)

    def _mod_of(self, one: Required, parts: Sequence[str]) -> Selection:
        extent = replace(self._selection.extent, depth=Depth.NONE)
        return Selection(
            package=one.path, version=one.version, files=(f"{one.version}.mod",), parts=tuple(parts), extent=extent
        )

    # --- what is in it ------------------------------------------------------------------------------------------------

    def _archive(self) -> Closure:
        """Asked for one of a module's packages, the go command looks for modules at its path and above at the same
        time, and gives up where a question below the module's own path is not answered at all."""
        reading = yield Need(resource=self._file("zip"), reads=self._module != _TOOLCHAIN)
        if reading is None:
            return
        self._check_contents(reading.document)
        paths = [path for path in self._packages(reading.document) if is_module_path(path)]
        for path in paths[:MAX_DIRECTORIES]:
            yield Need(resource=self._questions.list_of(path), absent="yes")
            for version in dict.fromkeys((self._version, self._selection.version)):
                if version:
                    yield Need(resource=self._questions.info_of(path, version), absent="yes")
        if len(paths) > MAX_DIRECTORIES:
            yield Skipped(
                subject=f"{self._module} {self._version}",
                reason=f"of its {len(paths)} packages only {MAX_DIRECTORIES} can be had by their own path when offline",
            )

    def _packages(self, document: Document) -> list[str]:
        """The paths of its packages and of the folders between, those near the root first."""
        prefix = f"{self._module}@{self._version}/"
        found: set[str] = set()
        for name in member_names(document.body, f"{self._module}@{self._version}.zip"):
            folders = name.removeprefix(prefix).split("/")[:-1]
            if name.endswith(".go") and name.startswith(prefix) and all(_is_importable(folder) for folder in folders):
                found.update("/".join(folders[:depth]) for depth in range(1, len(folders) + 1))
        return [f"{self._module}/{folder}" for folder in sorted(found, key=lambda path: (path.count("/"), path))]


def _is_importable(folder: str) -> bool:
    return not folder.startswith((".", "_")) and folder not in ("internal", "testdata", "vendor")
