"""An ecosystem that somebody else brings: a wheel of its own, installed with pip, and used without a change here.

Alpine's serves as the example, under other names. What docs/adding-an-ecosystem.md says is what happens here.
"""

import os
import re
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import entrepot.ecosystems
from tests.clients.fixture_apk import COMMUNITY, TOOL, apk_mirror
from tests.clients.registry import Registry

HOUSE = Path(__file__).parents[2]
OURS = Path(entrepot.ecosystems.__path__[0])
TIMEOUT_SECONDS = 120.0
PACKAGE, NAME = "entrepot_alpine", "alpine"
pytestmark = pytest.mark.timeout(240)

FILE = f"{COMMUNITY}/acme-tool-2.0.1-r3.apk"

PYPROJECT = f"""\
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[project]
name = "entrepot-alpine"
version = "1.0"

[project.entry-points."entrepot.ecosystems.v1"]
{NAME} = "{PACKAGE}.apk:Apk"

[tool.setuptools]
packages = ["{PACKAGE}"]
package-data = {{ {PACKAGE} = ["*.md"] }}
"""

SAMPLES = f"""\
from io import BytesIO

from entrepot.model.release import Document
from entrepot.model.selection import Selection

from {PACKAGE}.apk import Apk
from {PACKAGE}.mirror import apk_mirror

UPSTREAM = "https://mirror.example/"
STOCK = {{path[1:]: body for path, (_, body) in apk_mirror().items()}}


def contract_samples():
    for key, body in STOCK.items():
        if key.endswith("APKINDEX.tar.gz"):
            yield Apk(), Document(body=BytesIO(body), content_type="", url=UPSTREAM + key, upstream=UPSTREAM, key=key)


def closure_samples():
    yield Apk({{"branches": ["v3.20"], "architectures": ["x86_64"]}}), Selection(package="acme-tool"), STOCK
"""

FETCH = f"import os, urllib.request as u; print(len(u.urlopen(os.environ['APK_MIRROR'] + '/{FILE}').read()))"


def write_sources(directory: Path) -> None:
    """What somebody would have written: imports of ours are contracts and models, and nothing else."""
    package = directory / PACKAGE
    package.mkdir(parents=True)
    (directory / "pyproject.toml").write_text(PYPROJECT)
    (package / "__init__.py").write_text("")
    for source in OURS.glob("apk*.py"):
        text = source.read_text().replace("entrepot.ecosystems.apk", f"{PACKAGE}.apk")
        (package / source.name).write_text(text.replace('= "apk"\n    title', f'= "{NAME}"\n    title'))
    (package / f"{NAME}.md").write_text((HOUSE / "docs/ecosystems/apk.md").read_text())
    (package / "mirror.py").write_text((HOUSE / "tests/clients/fixture_apk.py").read_text())
    (package / "samples.py").write_text(SAMPLES)


def run(*command: str | Path, cwd: Path, status: int = 0, **variables: str) -> str:
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    assert done.returncode == status, done.stdout
    return done.stdout


@dataclass(frozen=True, slots=True)
class House:
    """A machine on which Entrepot is installed, and perhaps something that it knows nothing of."""

    directory: Path
    registry: Registry

    @property
    def python(self) -> Path:
        return self.directory / "venv" / "bin" / "python"

    @property
    def line(self) -> tuple[str, ...]:
        return str(self.python), "-P", "-c", "from entrepot.cli.main import main; main()"

    def entrepot(self, command: str, *arguments: str, status: int = 0) -> str:
        line = (*self.line, *command.split())
        config = str(self.directory / "entrepot.toml")
        return run(*line, *arguments, cwd=self.directory, status=status, ENTREPOT_CONFIG=config)


@pytest.fixture(scope="module")
def registry() -> Iterator[Registry]:
    with Registry(decoded=True) as registry:
        registry.files = apk_mirror()
        yield registry


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory, registry: Registry) -> House:
    """Entrepot, as it is."""
    house = House(tmp_path_factory.mktemp("house"), registry)
    venv.create(house.directory / "venv", with_pip=False)
    [packages] = (house.directory / "venv" / "lib").glob("*/site-packages")
    # Ours may be installed from its sources, which only the site module of Python finds.
    (packages / "ours.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
    (house.directory / "entrepot.toml").write_text(
        f'[storage]\ndirectory = "{house.directory / "data"}"\n'
        f'[repositories.mine]\necosystem = "{NAME}"\nupstreams = ["{registry.url}/"]\n'
        'branches = ["v3.20"]\narchitectures = ["x86_64"]\n'
    )
    return house


@pytest.fixture(scope="module")
def house(bare: House, tmp_path_factory: pytest.TempPathFactory) -> House:
    """With the ecosystem installed: a wheel, by pip, from nowhere but the disk."""
    assert f"ecosystem '{NAME}' is unknown" in bare.entrepot("config check entrepot.toml", status=2)
    sources = tmp_path_factory.mktemp("sources")
    write_sources(sources)
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check")
    alone = ("--no-index", "--no-deps")
    run(*pip, "wheel", *alone, "--no-build-isolation", "-w", sources / "dist", sources, cwd=sources)
    [wheel] = (sources / "dist").glob("*.whl")
    run(*pip, "--python", bare.python, "install", *alone, wheel, cwd=sources)
    return bare


def test_the_wheel_holds_nothing_of_ours(house: House) -> None:
    [packages] = (house.directory / "venv" / "lib").glob("*/site-packages")
    installed = sorted(path.name for path in packages.iterdir())
    assert [name for name in installed if name.startswith("entrepot")] == [PACKAGE, f"{PACKAGE}-1.0.dist-info"]
    sources = "".join(path.read_text() for path in (packages / PACKAGE).glob("apk*.py"))
    used = set(re.findall(r"^from entrepot\.([a-z]+)", sources, re.MULTILINE))
    assert used == {"contracts", "errors", "model"}


def test_configuration_takes_it_with_its_options(house: House) -> None:
    house.entrepot("config check entrepot.toml")
    shown = house.entrepot("config show")
    assert f'repositories.mine.ecosystem = "{NAME}"' in shown
    assert house.registry.url in shown
    assert NAME in house.entrepot("config reference")


def test_doctor_asks_its_upstream_and_knows_its_client(house: House) -> None:
    house.registry.forget()
    told = house.entrepot("doctor")
    assert "mine" in told
    assert house.registry.requests != []


def test_it_is_mirrored_by_package_url_and_explained(house: House) -> None:
    house.entrepot("mirror", "pkg:apk/alpine/acme-tool@2.0.1-r3", "--dependencies", "runtime")
    explained = house.entrepot("explain", f"/mine/{FILE}")
    assert "acme-tool" in explained
    assert "cooldown" in explained


def test_a_command_is_run_with_its_variable(house: House) -> None:
    house.registry.forget()
    printed = house.entrepot("run", "--", str(house.python), "-c", FETCH)
    assert str(len(TOOL.body)) in printed.splitlines()
    assert "mine" in printed, "the summary names the repository"


def test_it_keeps_the_contract_of_all_ecosystems(house: House) -> None:
    suite = HOUSE / "tests/ecosystems/test_contract.py"
    line = (house.python, "-m", "pytest", "-p", "no:cacheprovider", "-n", "0", "-k", NAME, "-rA", suite)
    told = run(*line, cwd=HOUSE)
    names = set(re.findall(rf"PASSED .*::(test_\w+)\[.*{NAME}\]", told))
    assert {"test_no_path_leaves_the_upstream", "test_every_file_of_a_release_is_served_under_its_link",
            "test_what_a_closure_names_can_be_asked_for_and_comes_with_what_lists_it"} <= names  # fmt: skip
    assert len(names) >= 10
    assert "SKIPPED" not in told


@pytest.mark.parametrize(
    ("value", "reason"),
    [("entrepot_gone:Gone", "cannot be loaded"), ("json:dumps", "is none for this version of Entrepot")],
)
def test_one_that_cannot_be_had_stops_every_command_by_its_name(
    house: House, tmp_path: Path, value: str, reason: str
) -> None:
    about = tmp_path / "entrepot_gone-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: entrepot-gone\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[entrepot.ecosystems.v1]\ngone = {value}\n")
    told = run(*house.line, "config", "show", cwd=house.directory, status=2, PYTHONPATH=str(tmp_path))
    assert "entrepot-gone brings the ecosystem 'gone'" in told
    assert reason in told
