"""skopeo in front, Debian's registry behind: cold, warm, offline; mirrored; with tokens on both sides."""

import hashlib
import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.clients.fixture_oci import DockerRegistry, Json, Layout
from tests.clients.fixture_realm import PASSWORD, USER, Realm
from tests.clients.room import missing
from tests.faults.served import Served

pytestmark = pytest.mark.skipif(bool(missing("skopeo", "docker-registry")), reason=missing("skopeo", "docker-registry"))
TOKEN = "entrepot_a-token_of-this-test"
CHART = "application/vnd.cncf.helm.config.v1+json"
CHART_LAYER = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
CONFIG = """\
[upstreams.main]
url = "{url}/"
{upstream}

{tokens}
[repositories.hub]
ecosystem = "oci"
upstreams = ["main"]
"""


@dataclass(slots=True)
class House:
    directory: Path
    registry: DockerRegistry
    served: Served
    layout: Layout
    _copies: int = 0

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.served.address[1]}"

    def copy(self, image: str, *options: str) -> Path:
        """What skopeo makes of it: an image layout."""
        self._copies += 1
        into = self.directory / f"copy{self._copies}"
        self.skopeo("copy", *options, "--src-tls-verify=false", f"docker://{self.host}/{image}", f"oci:{into}:copied")
        return into

    def skopeo(self, *arguments: str) -> str:
        command = ["skopeo", "--insecure-policy", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def go_offline(self) -> None:
        self.served.stop()
        self.registry.stop()
        self.served.reconfigure(
            lambda text: text.replace("[repositories.hub]", '[repositories.hub]\nnetwork = "offline"')
        )
        self.served.start()


def blobs_of(layout: Path) -> dict[str, str]:
    """The digests of what lies there, by the names of the files."""
    files = (path for path in (layout / "blobs/sha256").iterdir())
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _stocked(directory: Path) -> Layout:
    layout = Layout(directory / "layout")
    layout.tag(layout.index(layout.image("for amd64", "amd64"), layout.image("for arm64", "arm64")), "1.0")
    layout.tag(layout.image("alone"), "2.0")
    return layout


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def _opened(stack: ExitStack, directory: Path, *, upstream: str = "", tokens: str = "") -> House:
    registry = stack.enter_context(DockerRegistry(directory / "registry"))
    layout = _stocked(directory)
    for tag in ("1.0", "2.0"):
        registry.push(layout, tag, "team/app")
    config = CONFIG.format(url=registry.url, upstream=upstream, tokens=tokens)
    return House(directory, registry, stack.enter_context(Served(directory / "server", config)), layout)


def test_an_image_of_two_platforms_comes_once_and_then_without_the_registry(stack: ExitStack, tmp_path: Path) -> None:
    house = _opened(stack, tmp_path)
    first = house.copy("hub/team/app:1.0", "--all")
    asked = house.registry.asked()
    assert len(asked) == len(set(asked)) == 7, "an index, two manifests, two configurations, two layers"
    assert all(name == digest for name, digest in blobs_of(first).items())
    house.registry.forget()
    assert blobs_of(house.copy("hub/team/app:1.0", "--all")) == blobs_of(first)
    assert house.registry.asked() == []
    told = json.loads(house.skopeo("list-tags", "--tls-verify=false", f"docker://{house.host}/hub/team/app"))
    assert sorted(told["Tags"]) == ["1.0", "2.0"]
    house.go_offline()
    assert blobs_of(house.copy("hub/team/app:1.0", "--all")) == blobs_of(first)
    digest = house.skopeo(
        "inspect", "--tls-verify=false", "--format={{.Digest}}", f"docker://{house.host}/hub/team/app:1.0"
    )
    raw = house.skopeo("inspect", "--tls-verify=false", "--raw", f"docker://{house.host}/hub/team/app@{digest.strip()}")
    assert f"sha256:{hashlib.sha256(raw.encode()).hexdigest()}" == digest.strip()


def test_an_image_is_mirrored_for_one_platform_and_pulled_with_the_plug_out(stack: ExitStack, tmp_path: Path) -> None:
    house = _opened(stack, tmp_path)
    purl = f"pkg:oci/app?repository_url={house.registry.host}/team/app&tag=1.0"
    house.served.entrepot("mirror", "--platform", "linux/arm64", purl)
    house.registry.forget()
    house.served.entrepot("mirror", "--platform", "linux/arm64", purl)
    assert [path for path in house.registry.asked() if "/blobs/" in path] == []
    house.go_offline()
    copied = house.copy("hub/team/app:1.0", "--override-arch", "arm64")
    assert any("arm64" in path.read_bytes().decode(errors="replace") for path in (copied / "blobs/sha256").iterdir())
    refused = subprocess.run(
        ["skopeo", "--insecure-policy", "copy", "--override-arch", "amd64", "--src-tls-verify=false",
         f"docker://{house.host}/hub/team/app:1.0", f"dir:{tmp_path}/amd64"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert refused.returncode != 0


def test_a_registry_that_gives_tokens_is_asked_with_ours_and_none_is_logged(stack: ExitStack, tmp_path: Path) -> None:
    realm = stack.enter_context(Realm(tmp_path / "realm"))
    secret = tmp_path / "secret"
    secret.write_text(PASSWORD)
    auth = (
        f'auth = {{ kind = "basic", username = "{USER}", password_file = "{secret}" }}\ntoken_realms = ["{realm.url}/"]'
    )
    house = _opened(stack, tmp_path, upstream=auth)
    house.registry.stop()
    house.registry.auth = realm.settings
    house.registry.start()
    copied = house.copy("hub/team/app:1.0", "--all")
    assert all(name == digest for name, digest in blobs_of(copied).items())
    assert set(realm.asked) == {"repository:team/app:pull"}
    # One token serves all requests about one name; several may have been asked for at the very start.
    assert len(realm.asked) < 7
    house.served.stop()
    assert '"path":"/v2/hub/team/app/manifests/1.0"' in house.served.log(), "all of it is written"
    assert PASSWORD not in house.served.log()
    assert "Bearer ey" not in house.served.log()


def test_skopeo_gives_our_token_when_it_is_asked_for_one(stack: ExitStack, tmp_path: Path) -> None:
    digest = hashlib.sha256(TOKEN.encode()).hexdigest()
    tokens = f'[[tokens]]\nname = "ci"\nsha256 = "{digest}"\nrepositories = ["hub"]\n'
    house = _opened(stack, tmp_path, tokens=tokens)
    house.copy("hub/team/app:2.0", "--src-creds", f"me:{TOKEN}")
    with pytest.raises(AssertionError, match=r"unauthorized: .* docker login"):
        house.copy("hub/team/app:2.0")
    with pytest.raises(AssertionError, match=r"unauthorized|authentication required|not known"):
        house.copy("hub/team/app:2.0", "--src-creds", "me:wrong")


def test_a_run_leads_clients_here_whatever_registry_they_name(stack: ExitStack, tmp_path: Path) -> None:
    """podman and buildah read the file that the variable names; skopeo has a (hidden) option for it."""
    house = _opened(stack, tmp_path)
    house.served.stop()
    image = f"docker://{house.registry.host}/team/app:2.0"
    script = (
        f'skopeo --registries-conf "$CONTAINERS_REGISTRIES_CONF" --insecure-policy copy {image} oci:{tmp_path}/run:x'
    )
    bill = tmp_path / "bill.json"
    house.served.entrepot("run", "--freeze", "--record", str(bill), "--", "sh", "-c", script)
    purls = {one["purl"] for one in json.loads(bill.read_text())["components"]}
    assert purls == {"pkg:oci/app?repository_url=team/app&tag=2.0"}
    house.registry.stop()
    shutil.rmtree(tmp_path / "run")
    house.served.entrepot("run", "--replay", str(bill), "--", "sh", "-c", script)
    assert len(blobs_of(tmp_path / "run")) == 3


def test_a_helm_chart_in_a_registry_is_an_image_like_others(stack: ExitStack, tmp_path: Path) -> None:
    """Without helm: a chart is a manifest with its own types (helm, "Registries")."""
    house = _opened(stack, tmp_path)
    layout = Layout(tmp_path / "chart")
    config = layout.blob(b'{"name": "web", "version": "1.2.3+build"}', CHART)
    chart: Json = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": config,
        "layers": [layout.blob(b"a chart", CHART_LAYER)],
    }
    manifest = layout.blob(json.dumps(chart).encode(), str(chart["mediaType"]))
    layout.tag(manifest, "1.2.3_build")
    house.registry.push(layout, "1.2.3_build", "charts/web")
    got = house.served.get("/v2/hub/charts/web/manifests/1.2.3_build")
    assert json.loads(got.body)["config"]["mediaType"] == CHART
    layer = chart["layers"][0]["digest"] if isinstance(chart["layers"], list) else ""
    assert house.served.get(f"/v2/hub/charts/web/blobs/{layer}").body == b"a chart"
    house.served.entrepot("mirror", f"pkg:oci/web?repository_url={house.registry.host}/charts/web&tag=1.2.3_build")
    house.go_offline()
    assert house.served.get(f"/v2/hub/charts/web/blobs/{layer}").body == b"a chart"
