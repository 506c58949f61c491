"""The bills that we write: valid, the same each time, and read back as exactly the files that were served."""

from datetime import UTC, datetime
from uuid import UUID

import msgspec
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from entrepot.ecosystems.golang import Golang
from entrepot.ecosystems.npm import Npm
from entrepot.ecosystems.pypi import Pypi
from entrepot.mirror.sources.cyclonedx_writer import ServedFile, ServedPackage, write_bill
from entrepot.mirror.sources.purls import Chooser, Destination
from entrepot.mirror.sources.sbom import read_bill
from entrepot.model.digest import Digest
from entrepot.model.purl import Purl, parse_purl
from entrepot.model.selection import Extent, Selection

SERIAL = UUID(int=7)
AT = datetime(2026, 11, 1, 12, tzinfo=UTC)
DESTINATIONS = (
    Destination(name="npm", ecosystem=Npm(), upstreams=("https://registry.example",)),
    Destination(name="own-npm", ecosystem=Npm(), upstreams=("https://npm.corp.example",)),
    Destination(name="pypi", ecosystem=Pypi(), upstreams=("https://index.example",)),
    Destination(name="go", ecosystem=Golang(), upstreams=("https://modules.example",)),
)


def digest(letter: str) -> Digest:
    return Digest("sha256", letter * 64)


def served(repository: str, purl: str, *files: tuple[str, str], url: str = "") -> ServedPackage:
    return ServedPackage(
        purl=parse_purl(purl),
        repository=repository,
        files=tuple(
            ServedFile(name=name, path=f"/{repository}/x/{name}", digests=(digest(letter),), url=url)
            for name, letter in files
        ),
    )


PACKAGES = (
    served("own-npm", "pkg:npm/%40types/node@20.1.0", ("node-20.1.0.tgz", "a"), url="https://npm.corp.example/n.tgz"),
    served("pypi", "pkg:pypi/flask@3.0.0", ("flask-3.0.0-py3-none-any.whl", "b"), ("flask-3.0.0.tar.gz", "c")),
    served("go", "pkg:golang/github.com/Azure/go@v1.0.0", ("v1.0.0.mod", "d")),
)


def write(*packages: ServedPackage, subject: str = "") -> bytes:
    return write_bill(packages, serial=SERIAL, at=AT, subject=subject)


def read_back(body: bytes) -> dict[str, Selection]:
    """By repository."""
    chooser = Chooser(DESTINATIONS, Extent())
    found = [chooser.of_member("bill", member) for member in read_bill("bill", body)]
    return {one.repository: one.selection for one in found if one.selection is not None}


def test_what_we_write_agrees_with_the_strict_schema() -> None:
    validator = JsonStrictValidator(SchemaVersion.V1_6)
    assert validator.validate_str(write(*PACKAGES, subject="make all").decode()) is None
    assert validator.validate_str(write().decode()) is None


def test_the_order_in_which_things_were_served_does_not_matter() -> None:
    assert write(*PACKAGES) == write(*reversed(PACKAGES))


def test_what_is_read_back_is_exactly_what_was_served() -> None:
    found = read_back(write(*PACKAGES))
    assert {name: (one.package, one.version, one.files) for name, one in found.items()} == {
        "own-npm": ("@types/node", "20.1.0", ("node-20.1.0.tgz",)),
        "pypi": ("flask", "3.0.0", ("flask-3.0.0-py3-none-any.whl", "flask-3.0.0.tar.gz")),
        "go": ("github.com/Azure/go", "v1.0.0", ("v1.0.0.mod",)),
    }
    assert set(found["own-npm"].digests) == {digest("a")}
    assert set(found["pypi"].digests) == {digest("b"), digest("c")}


def test_a_version_is_one_component_and_tells_what_other_tools_look_for() -> None:
    bill = msgspec.json.decode(write(*PACKAGES))
    assert (bill["serialNumber"], bill["metadata"]["timestamp"]) == (SERIAL.urn, "2026-11-01T12:00:00+00:00")
    node = next(one for one in bill["components"] if one["name"] == "node")
    assert (node["group"], node["version"], node["purl"]) == ("@types", "20.1.0", "pkg:npm/%40types/node@20.1.0")
    hashes = [{"alg": "SHA-256", "content": "a" * 64}]
    assert node["hashes"] == hashes
    assert node["externalReferences"] == [
        {"type": "distribution", "url": "https://npm.corp.example/n.tgz", "hashes": hashes}
    ]
    assert [one["name"] for one in bill["components"]] == ["go", "node", "flask"]


def test_a_digest_that_cyclonedx_has_no_name_for_is_left_out() -> None:
    file = ServedFile(name="v1.0.0.zip", path="/go/x", digests=(Digest("h1", "abc="), digest("e")))
    package = ServedPackage(purl=Purl(type="golang", namespace="", name="m"), repository="go", files=(file,))
    [component] = msgspec.json.decode(write(package))["components"]
    assert component["hashes"] == [{"alg": "SHA-256", "content": "e" * 64}]
