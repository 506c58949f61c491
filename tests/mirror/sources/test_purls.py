"""Which repository a package URL means, and what it means there."""

import pytest

from entrepot.contracts.closure import Need
from entrepot.ecosystems.generic import Generic
from entrepot.ecosystems.golang import Golang
from entrepot.ecosystems.npm import Npm
from entrepot.ecosystems.oci import Oci
from entrepot.ecosystems.pypi import Pypi
from entrepot.mirror.sources.parsed import Parsed
from entrepot.mirror.sources.purls import Chooser, Destination
from entrepot.mirror.sources.sbom_member import Member
from entrepot.model.digest import Digest
from entrepot.model.selection import Extent, Selection

REPOSITORIES = (
    Destination(name="npm", ecosystem=Npm(), upstreams=("https://registry.example/",)),
    Destination(name="own-npm", ecosystem=Npm(), upstreams=("https://npm.corp.example/repo",)),
    Destination(name="pypi", ecosystem=Pypi(), upstreams=("https://index.example/simple/",)),
    Destination(name="go", ecosystem=Golang(), upstreams=("https://modules.example",)),
    Destination(name="files", ecosystem=Generic(), upstreams=("https://files.example/pub",)),
    Destination(name="tools", ecosystem=Generic(), upstreams=("https://files.example/pub/tools/",)),
    Destination(name="images", ecosystem=Oci(), upstreams=("https://images.example/",)),
    Destination(name="hub", ecosystem=Oci({"stands_for": ["hub.example"]}), upstreams=("https://api.hub.example/",)),
)
SHA256 = "cd" * 32


def choose(purl: str, *, only: tuple[str, ...] = ()) -> Parsed:
    return Chooser(REPOSITORIES, Extent(), only).of_purl(purl)


def selected(purl: str) -> Selection:
    found = choose(purl)
    assert found.selection is not None, found
    return found.selection


def billed(purl: str, *, latest: int | None = None, version: str = "", repository: str = "") -> Parsed:
    member = Member(place="components[0]", purl=purl, version=version, repository=repository)
    return Chooser(REPOSITORIES, Extent(latest=latest)).of_member("bom.json", member)


# --- what a purl means ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("purl", "repository", "package", "version"),
    [
        ("pkg:npm/left-pad@1.3.0", "npm", "left-pad", "1.3.0"),
        ("pkg:npm/%40types/node@20.1.0", "npm", "@types/node", "20.1.0"),
        ("pkg:npm/@types/node@20.1.0", "npm", "@types/node", "20.1.0"),
        ("pkg:npm/JSONStream@1.3.5", "npm", "JSONStream", "1.3.5"),
        ("pkg:pypi/zope.interface@7.0", "pypi", "zope-interface", "7.0"),
        ("pkg:pypi/typing_extensions@4.12.0", "pypi", "typing-extensions", "4.12.0"),
        ("pkg:pypi/Flask@3.0.0", "pypi", "flask", "3.0.0"),
        ("pkg:golang/github.com/Azure/azure-sdk-for-go@v68.0.0%2Bincompatible", "go",
         "github.com/Azure/azure-sdk-for-go", "v68.0.0+incompatible"),
        ("pkg:golang/example.org/a/b@v1.2.3#sub/package", "go", "example.org/a/b/sub/package", "v1.2.3"),
    ],
)  # fmt: skip
def test_mir_06_a_purl_is_mapped_to_the_registrys_own_name(
    purl: str, repository: str, package: str, version: str
) -> None:
    found = choose(purl)
    assert (found.error, found.skipped, found.repository) == ("", "", repository)
    assert found.selection is not None
    assert (found.selection.package, found.selection.version) == (package, version)


def test_mir_06_the_case_of_a_module_path_is_kept_and_never_guessed() -> None:
    # By the rules of its type such a purl is lower-case, and then it is another module.
    assert selected("pkg:golang/github.com/Azure/go@v1.0.0").package == "github.com/Azure/go"
    assert selected("pkg:golang/github.com/azure/go@v1.0.0").package == "github.com/azure/go"


@pytest.mark.parametrize(
    ("purl", "kind"),
    [
        ("pkg:maven/org.slf4j/slf4j-api@2.0.9?type=jar", "maven"),
        ("pkg:gem/rails@7.1.0?platform=java", "gem"),
        ("pkg:composer/symfony/console@6.4.0", "composer"),
        ("pkg:swift/example.org/Alamofire/Alamofire@5.9.0", "swift"),
    ],
)
def test_mir_06_a_type_that_nothing_serves_is_listed(purl: str, kind: str) -> None:
    found = choose(purl)
    assert found.selection is None
    assert found.place == purl
    assert found.skipped.startswith(f"no repository here serves packages of type {kind}")


def test_comparisons_are_told_as_a_range() -> None:
    found = selected("pkg:npm/lodash@>=4.17")
    assert (found.version, found.within) == ("", ">=4.17")


@pytest.mark.parametrize("text", ["left-pad", "pkg:npm", "pkg:npm/", "npm/left-pad@1"])
def test_what_is_no_purl_fails_alone(text: str) -> None:
    found = choose(text)
    assert "is no package URL" in found.error
    assert found.code == "bad-request"


# --- which repository -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url", ["https://npm.corp.example/repo/", "npm.corp.example/repo", "https://NPM.corp.example/repo"]
)
def test_a_repository_url_means_the_repository_with_that_upstream(url: str) -> None:
    found = choose(f"pkg:npm/left-pad@1.3.0?repository_url={url}")
    assert found.repository == "own-npm"
    assert found.selection is not None
    assert found.selection.qualifiers == ()


def test_only_the_repositories_of_the_order_are_used() -> None:
    assert choose("pkg:npm/left-pad@1.3.0", only=("own-npm",)).repository == "own-npm"
    assert choose("pkg:pypi/flask@3.0.0", only=("npm", "go")).skipped.startswith(
        "none of the repositories go, npm serves packages of type pypi"
    )


def test_our_own_bills_tell_the_repository() -> None:
    assert billed("pkg:npm/left-pad@1.3.0", repository="own-npm").repository == "own-npm"
    assert billed("pkg:npm/left-pad@1.3.0", repository="gone").repository == "npm"


# --- plain files ------------------------------------------------------------------------------------------------------


def test_a_download_url_is_a_path_of_the_repository_whose_upstream_it_is_below() -> None:
    url = "https://files.example/pub/tools/jq-1.7.tar.gz"
    found = choose(f"pkg:generic/jq@1.7?download_url={url}&checksum=sha256:{SHA256}")
    assert (found.repository, found.error) == ("tools", "")
    assert found.selection is not None
    [need] = list(Generic().closure(found.selection))
    assert isinstance(need, Need)
    assert (need.resource.key, need.resource.digest) == ("jq-1.7.tar.gz", Digest("sha256", SHA256))


def test_a_download_url_that_is_below_no_upstream_is_an_error() -> None:
    found = choose("pkg:generic/jq@1.7?download_url=https://elsewhere.example/jq.tar.gz")
    assert (
        "no repository of plain files has an upstream that https://elsewhere.example/jq.tar.gz is below" in found.error
    )


def test_plain_files_without_a_download_url_are_an_error() -> None:
    assert "is told by its download_url" in choose("pkg:generic/jq@1.7").error


def test_a_checksum_that_is_none_is_an_error() -> None:
    assert "the checksum 'sha256:12' is none" in choose("pkg:npm/left-pad@1.3.0?checksum=sha256:12").error


# --- members of bills -------------------------------------------------------------------------------------------------


def test_a_bill_that_tells_no_version_is_an_error_unless_the_newest_are_wanted() -> None:
    assert "has no version" in billed("pkg:npm/left-pad").error
    found = billed("pkg:npm/left-pad", version="1.3.0").selection
    assert found is not None
    assert found.version == "1.3.0"
    assert billed("pkg:npm/left-pad", latest=1).selection is not None


def test_what_comes_from_elsewhere_than_a_registry_is_listed() -> None:
    found = billed("pkg:pypi/own?vcs_url=git%2Bhttps://git.example/own")
    assert found.skipped == "it comes from git+https://git.example/own, and not from a registry"


def test_gos_hashes_are_not_taken_for_those_of_files() -> None:
    member = Member(place="x", purl="pkg:golang/example.org/a@v1.0.0", digests=(Digest("sha256", SHA256),))
    selection = Chooser(REPOSITORIES, Extent()).of_member("bom.json", member).selection
    assert selection is not None
    assert selection.digests == ()


def test_the_place_of_a_member_names_its_bill() -> None:
    assert billed("pkg:swift/a/b@1").place == "bom.json: components[0]"
    failed = Chooser(REPOSITORIES, Extent()).of_member("bom.json", Member(place="components[0]", error="no text"))
    assert (failed.place, failed.error) == ("bom.json: components[0]", "no text")
    nameless = Chooser(REPOSITORIES, Extent()).of_member("bom.json", Member(place="components[0] 'x'"))
    assert nameless.skipped == "it has no purl"


@pytest.mark.parametrize(
    ("purl", "repository", "package"),
    [
        ("pkg:oci/app?repository_url=images.example/team/app&tag=1", "images", "team/app"),
        ("pkg:oci/app?repository_url=https://images.example/team/app&tag=1", "images", "team/app"),
        ("pkg:oci/app?repository_url=hub.example/library/app&tag=1", "hub", "library/app"),
        ("pkg:oci/app?repository_url=API.hub.example/library/app&tag=1", "hub", "library/app"),
        ("pkg:docker/team/app@1", "images", "team/app"),
    ],
)
def test_the_host_of_an_images_address_tells_its_repository(purl: str, repository: str, package: str) -> None:
    found = choose(purl)
    assert (found.error, found.repository) == ("", repository)
    assert found.selection is not None
    assert (found.selection.package, found.selection.version) == (package, "1")


def test_a_package_of_a_registry_that_is_no_upstream_here_is_not_looked_for_elsewhere() -> None:
    found = choose("pkg:npm/own-secret@1.0.0?repository_url=https://npm.other.example/repo")
    assert found.selection is None
    assert "no repository here has https://npm.other.example/repo for an upstream" in found.error


def test_whoever_names_the_repository_may_take_the_package_from_there() -> None:
    found = choose("pkg:npm/left-pad@1.3.0?repository_url=https://npm.other.example/repo", only=("npm",))
    assert (found.error, found.repository) == ("", "npm")


def test_the_public_registry_may_be_reached_by_way_of_a_mirror() -> None:
    public = Npm.default_upstream()
    assert public is not None
    found = choose(f"pkg:npm/left-pad@1.3.0?repository_url={public}")
    assert (found.error, found.repository) == ("", "npm")


def test_an_image_of_a_host_that_no_repository_stands_for_is_refused() -> None:
    assert (
        "no repository stands for other.example" in choose("pkg:oci/app?repository_url=other.example/app&tag=1").error
    )


def test_an_address_that_is_none_fails_its_purl_alone() -> None:
    found = choose("pkg:npm/left-pad@1.3.0?repository_url=http://[::1")
    assert (found.selection, found.code) == (None, "bad-request")
    assert "'http://[::1' is no address" in found.error
    pinned = Selection(package="left-pad", version="1.3.0", qualifiers=(("repository_url", "http://[::1"),))
    assert Chooser(REPOSITORIES, Extent()).of_selection("a.lock", Npm, pinned).code == "bad-request"
