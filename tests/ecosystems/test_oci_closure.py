"""Everything that clients will ask for of an image."""

import hashlib
import json
from collections.abc import Iterator, Mapping

import pytest

from entrepot.contracts.ecosystem import Ecosystem
from entrepot.ecosystems.oci import Oci
from entrepot.ecosystems.oci_closure import SAID
from entrepot.errors import Absent, BadContent, BadRequest
from entrepot.model.digest import Digest
from entrepot.model.purl import parse_purl
from entrepot.model.selection import Extent, Selection
from tests.ecosystems.closures import Closed, close, close_all

OCI = Oci()
IMAGE = "application/vnd.oci.image.manifest.v1+json"
ATTESTED = "vnd.docker.reference.digest"

Json = dict[str, object]


class Shop:
    """Documents of the repository `team/app` by key."""

    def __init__(self) -> None:
        self.documents: dict[str, bytes] = {}

    def manifest(self, content: Json, *tags: str) -> str:
        body = json.dumps({"schemaVersion": 2, **content}).encode()
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        for reference in (digest, *tags):
            self.documents[f"v2/team/app/manifests/{reference}"] = body
        return digest

    def image(self, text: str, *tags: str, layers: list[Json] | None = None, **more: object) -> str:
        config = {"digest": digest_of(f"config of {text}"), "size": 7}
        plain: list[Json] = [{"digest": digest_of(text), "size": 9}]
        return self.manifest({"config": config, "layers": plain if layers is None else layers, **more}, *tags)

    def tags(self, *names: str) -> None:
        body = json.dumps({"name": "team/app", "tags": names}).encode()
        self.documents["v2/team/app/tags/list"] = body

    def referrers(self, digest: str, *said: str) -> None:
        body = json.dumps({"schemaVersion": 2, "manifests": [{"digest": one} for one in said]}).encode()
        self.documents[f"v2/team/app/referrers/{digest}"] = body


def digest_of(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def at(digest: str, system: str, processor: str, **annotations: str) -> Json:
    return {
        "digest": digest,
        "platform": {"os": system, "architecture": processor},
        **({"annotations": annotations} if annotations else {}),
    }


def multi(shop: Shop) -> dict[str, str]:
    """An index of two platforms, one with an attestation; the digests of its members."""
    amd, arm = shop.image("amd"), shop.image("arm")
    proof = shop.image("proof of amd")
    told = {"vnd.docker.reference.type": "attestation-manifest", ATTESTED: amd}
    index = shop.manifest(
        {
            "manifests": [
                at(amd, "linux", "amd64"),
                at(arm, "linux", "arm64"),
                at(proof, "unknown", "unknown", **told),
            ]
        },
        "1.0",
    )
    return {"index": index, "amd": amd, "arm": arm, "proof": proof}


def closure_samples() -> Iterator[tuple[Ecosystem, Selection, Mapping[str, bytes]]]:
    shop = Shop()
    multi(shop)
    yield OCI, Selection(package="team/app", version="1.0"), shop.documents


def keys(found: Mapping[Selection, Closed]) -> set[str]:
    """What is to be held whatever happens, without the path of the repository."""
    needs = [need for closed in found.values() for need in closed.needs if need.absent == "no"]
    return {need.resource.key.removeprefix("v2/team/app/") for need in needs}


def test_a_tag_brings_what_it_means_by_digest_with_all_parts() -> None:
    shop = Shop()
    digest = shop.image("x", "1.0")
    assert keys(close_all(OCI, Selection(package="team/app", version="1.0"), shop.documents)) == {
        "manifests/1.0",
        f"manifests/{digest}",
        f"blobs/{digest_of('x')}",
        f"blobs/{digest_of('config of x')}",
    }


def test_an_index_brings_the_images_of_all_platforms_and_what_attests_them() -> None:
    shop = Shop()
    made = multi(shop)
    found = keys(close_all(OCI, Selection(package="team/app", version="1.0"), shop.documents))
    assert {f"manifests/{digest}" for digest in made.values()} <= found
    assert {f"blobs/{digest_of(text)}" for text in ("amd", "arm", "proof of amd")} <= found


def test_only_the_platforms_of_the_order_come_with_what_attests_them() -> None:
    shop = Shop()
    made = multi(shop)
    arm = Selection(package="team/app", version="1.0", extent=Extent(platforms=("linux/arm64",)))
    found = keys(close_all(OCI, arm, shop.documents))
    assert f"manifests/{made['arm']}" in found
    assert not {f"manifests/{made['amd']}", f"manifests/{made['proof']}", f"blobs/{digest_of('amd')}"} & found


def test_platforms_in_the_words_of_others_rule_nothing_out() -> None:
    shop = Shop()
    made = multi(shop)
    wheel = Selection(package="team/app", version="1.0", extent=Extent(platforms=("manylinux_2_28_x86_64",)))
    assert {f"manifests/{made['arm']}", f"manifests/{made['amd']}"} <= keys(close_all(OCI, wheel, shop.documents))


def test_an_image_without_the_platform_fails_and_the_others_are_told() -> None:
    shop = Shop()
    multi(shop)
    with pytest.raises(Absent, match="windows/amd64; there are: linux/amd64, linux/arm64"):
        close(
            OCI,
            Selection(package="team/app", version="1.0", extent=Extent(platforms=("windows/amd64",))),
            shop.documents,
        )


def test_a_digest_with_a_tag_brings_the_tag_while_it_means_that() -> None:
    shop = Shop()
    digest = shop.image("x", "1.0")
    purl = parse_purl(f"pkg:oci/app@{digest}?repository_url=team/app&tag=1.0")
    found = close(OCI, OCI.select(purl, Extent()), shop.documents)
    assert found.skipped == []
    assert "v2/team/app/manifests/1.0" in found.keys
    shop.image("y", "1.0")
    found = close(OCI, OCI.select(purl, Extent()), shop.documents)
    assert [skipped.subject for skipped in found.skipped] == ["team/app:1.0"]


def test_a_tag_of_which_a_bill_tells_the_digest_means_that() -> None:
    shop = Shop()
    digest = shop.image("x", "1.0")
    hashed = Digest("sha256", digest.partition(":")[2])
    billed = Selection(package="team/app", version="1.0", digests=(hashed,), files=("1.0",))
    shop.image("y", "1.0")
    found = close_all(OCI, billed, shop.documents)
    assert f"manifests/{digest}" in keys(found)
    assert [one.subject for closed in found.values() for one in closed.skipped] == ["team/app:1.0"]


def test_what_was_said_of_an_image_comes_by_referrers_and_by_the_tags_of_cosign() -> None:
    shop = Shop()
    digest, bill, signed = shop.image("x", "1.0"), shop.image("bill"), shop.image("signature")
    shop.referrers(digest, bill)
    tag = f"sha256-{digest.partition(':')[2]}.sig"
    shop.documents[f"v2/team/app/manifests/{tag}"] = shop.documents[f"v2/team/app/manifests/{signed}"]
    found = close_all(OCI, Selection(package="team/app", version="1.0"), shop.documents)
    assert {f"manifests/{bill}", f"manifests/{signed}", f"blobs/{digest_of('signature')}"} <= keys(found)
    # Nobody asks what was said of what was said.
    said = [closed for selection, closed in found.items() if SAID in selection.parts]
    assert len(said) == 2
    assert [closed.probes for closed in said] == [{}, {}]


def test_where_there_is_no_api_of_referrers_a_tag_tells_them() -> None:
    shop = Shop()
    digest, bill = shop.image("x", "1.0"), shop.image("bill")
    fallback = f"v2/team/app/manifests/sha256-{digest.partition(':')[2]}"
    shop.documents[fallback] = json.dumps({"schemaVersion": 2, "manifests": [{"digest": bill}]}).encode()
    found = close_all(OCI, Selection(package="team/app", version="1.0"), shop.documents)
    assert f"manifests/{bill}" in keys(found)


def test_what_nobody_said_is_kept_as_nothing() -> None:
    shop = Shop()
    digest = shop.image("x", "1.0")
    found = close(OCI, Selection(package="team/app", version=digest), shop.documents)
    name = f"sha256-{digest.partition(':')[2]}"
    assert found.probes == {
        f"v2/team/app/referrers/{digest}": "maybe",
        **{f"v2/team/app/manifests/{name}{suffix}": "maybe" for suffix in ("", ".sig", ".att", ".sbom")},
    }


def test_layers_that_no_registry_hands_out_are_told() -> None:
    shop = Shop()
    foreign: Json = {
        "digest": digest_of("windows"),
        "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "urls": ["https://elsewhere.example/layer"],
    }
    shop.image("x", "1.0", layers=[foreign])
    found = close(OCI, Selection(package="team/app", version="1.0"), shop.documents)
    assert [skipped.subject for skipped in found.skipped] == [f"team/app@{digest_of('windows')}"]
    assert f"v2/team/app/blobs/{digest_of('windows')}" not in found.keys


def test_the_newest_tags_are_taken_where_none_is_named() -> None:
    shop = Shop()
    shop.tags("1.9", "1.10", "1.2", "latest", "2.0-rc1")
    order = Selection(package="team/app", within=">=1.2, <2", extent=Extent(latest=2))
    found = close(OCI, order, shop.documents, hidden={"v2/team/app/tags/list": frozenset()})
    assert [one.version for one in found.selections] == ["1.10", "1.9"]
    hidden = close(OCI, order, shop.documents, hidden={"v2/team/app/tags/list": frozenset({"1.10"})})
    assert [one.version for one in hidden.selections] == ["1.9", "1.2"]


def test_no_tag_that_fits_is_a_failure() -> None:
    shop = Shop()
    shop.tags("latest")
    with pytest.raises(Absent):
        close(OCI, Selection(package="team/app", within=">=1"), shop.documents)
    shop.tags("1.0")
    with pytest.raises(BadRequest):
        close(OCI, Selection(package="team/app", within=">=="), shop.documents)


def test_an_image_that_names_its_parts_by_no_digest_fails() -> None:
    shop = Shop()
    shop.manifest({"config": {"digest": "../../etc/passwd"}}, "1.0")
    with pytest.raises(BadContent, match="no digest"):
        close(OCI, Selection(package="team/app", version="1.0"), shop.documents)
