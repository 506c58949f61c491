"""go.sum and go.mod as lists of what is to be held."""

import pytest

from entrepot.contracts.closure import Skipped
from entrepot.contracts.ecosystem import LockText
from entrepot.ecosystems.golang import Golang
from entrepot.ecosystems.golang_locks import read_mod_lock, read_sums
from entrepot.ecosystems.golang_mod import Required, read_mod
from entrepot.errors import UnreadableLock
from entrepot.model.digest import Digest
from entrepot.model.selection import Depth, Extent, Selection

ONE, TWO = f"{'A' * 43}=", f"{'B' * 43}="
SUM = f"""\
a.example/Capital v1.0.0 h1:{ONE}
a.example/Capital v1.0.0/go.mod h1:{TWO}

a.example/old v2.0.0+incompatible/go.mod h1:{ONE}
"""
MOD = """\
// Deprecated: not so.
module "mine.example/mine" // here

go 1.21.0

toolchain go1.22.1

require a.example/one v1.0.0
require (
	a.example/two/v2 v2.1.0// indirect
	a.example/three v0.0.0-20240501100000-0123456789ab // indirect

	a.example/local v0.0.0
	a.example/swapped v1.0.0
	a.example/bad v1.0.0
)

replace a.example/local => ../local
replace (
	a.example/swapped => fork.example/swapped v1.5.0
	a.example/one v9.9.9 => a.example/other v1.0.0
)
exclude a.example/bad v1.0.0
retract [v1.0.0, v1.1.0] // wrong
tool a.example/one/cmd/x
godebug default=go1.21
"""


def lock(text: str, name: str = "go.mod", depth: Depth = Depth.NONE) -> LockText:
    return LockText(name=name, body=text.encode(), extent=Extent(depth=depth))


def test_each_line_of_go_sum_is_one_file_with_its_digest() -> None:
    assert list(read_sums(lock(SUM, "go.sum"))) == [
        Selection(
            package="a.example/Capital", version="v1.0.0", files=("v1.0.0.zip",), digests=(Digest("h1", ONE),)
        ),
        Selection(
            package="a.example/Capital", version="v1.0.0", files=("v1.0.0.mod",), digests=(Digest("h1", TWO),)
        ),
        Selection(
            package="a.example/old",
            version="v2.0.0+incompatible",
            files=("v2.0.0+incompatible.mod",),
            digests=(Digest("h1", ONE),),
        ),
    ]  # fmt: skip


def test_several_digests_of_one_file_are_one_selection_and_unknown_ones_count_for_nothing() -> None:
    text = f"a.example/m v1.0.0 h1:{ONE}\na.example/m v1.0.0 h1:{TWO}\na.example/m v1.0.0 h9:abcd\n"
    (found,) = read_sums(lock(text, "go.work.sum"))
    assert isinstance(found, Selection)
    assert [digest.value for digest in found.digests] == [ONE, TWO]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("a.example/m v1.0.0", "2 words"),
        (f"a.example/m v1.0 h1:{ONE}", "no module at a version"),
        (f"nowhere v1.0.0 h1:{ONE}", "no module at a version"),
        ("a.example/m v1.0.0 sha256", "'sha256' is no digest"),
        ("<html>", "1 words"),
    ],
)
def test_a_broken_go_sum_is_told_with_its_line(line: str, said: str) -> None:
    with pytest.raises(UnreadableLock, match=rf"go\.sum: line 5: .*{said}"):
        list(read_sums(lock(f"{SUM}{line}\n", "go.sum")))


def test_a_go_mod_pins_what_it_requires_after_its_replacements() -> None:
    found = list(read_mod_lock(lock(MOD)))
    assert [(one.package, one.version, one.parts) for one in found if isinstance(one, Selection)] == [
        ("a.example/one", "v1.0.0", ("graph",)),
        ("a.example/two/v2", "v2.1.0", ("graph",)),
        ("a.example/three", "v0.0.0-20240501100000-0123456789ab", ("graph",)),
        ("fork.example/swapped", "v1.5.0", ("graph",)),
    ]
    assert [one for one in found if isinstance(one, Skipped)] == [
        Skipped(subject="a.example/local v0.0.0", reason="go.mod replaces it by ../local")
    ]
    assert {one.extent.depth for one in found if isinstance(one, Selection)} == {Depth.NONE}


def test_a_go_mod_from_before_go_1_17_means_what_its_requirements_require_too() -> None:
    (found,) = read_mod_lock(lock("module m.example/m\ngo 1.16\nrequire a.example/one v1.0.0\n"))
    assert isinstance(found, Selection)
    assert found.extent.depth is Depth.RUNTIME


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("require a.example/m", "require PATH VERSION"),
        ("require nowhere v1.0.0", "require PATH VERSION"),
        ("replace a.example/m v1.0.0", "replace PATH"),
        ("replace a.example/m => b.example/m", "replace PATH"),
        ("requires a.example/m v1.0.0", "'requires' is no directive"),
        ("<!doctype html>", "no directive"),
        ('require "a.example/m v1.0.0', "quote without its end"),
    ],
)
def test_a_broken_go_mod_is_told_with_its_line(line: str, said: str) -> None:
    with pytest.raises(UnreadableLock, match=rf"go\.mod: line 2: .*{said}"):
        list(read_mod_lock(lock(f"module m.example/m\n{line}\n")))


def test_what_has_no_module_line_or_is_no_text_is_no_go_mod() -> None:
    with pytest.raises(UnreadableLock, match="no line says `module`"):
        list(read_mod_lock(lock("go 1.21\n")))
    broken = LockText(name="go.mod", body=b"module m.example/m\n\xff\n", extent=Extent())
    with pytest.raises(UnreadableLock, match=r"go\.mod: line 2: not UTF-8"):
        list(read_mod_lock(broken))


def test_the_go_mod_of_others_is_read_as_far_as_it_is_understood() -> None:
    mod = read_mod('module a.example/m\nfuture thing\nrequire (\n\ta.example/b v1.0.0\n\tbroken\n)\nrequire "x\n')
    assert (mod.requires, mod.is_complete) == ([Required("a.example/b", "v1.0.0")], False)
    assert [read_mod(f"go {version}").is_complete for version in ("1.16", "1.17", "1.22rc1", "1.9")] == [
        False, True, True, False,
    ]  # fmt: skip


def test_the_ecosystem_knows_its_lock_files_by_name() -> None:
    assert {lockfile.name for lockfile in Golang.lockfiles if lockfile.read} == {"go.sum", "go.work.sum", "go.mod"}
