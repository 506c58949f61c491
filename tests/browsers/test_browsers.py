"""What other sites may make a browser do to a server on this machine. Each attack works where nothing protects."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.browsers.attacker import Attacker
from tests.browsers.chromium import missing, result_of, visit
from tests.clients.fixture_npm import npm_registry
from tests.clients.registry import Registry
from tests.faults.served import Served

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())

EVIL = b"<!doctype html><title>harmless</title><body><script>document.title = 'ran'</script><p>content</p></body>"
LIBRARY = b"window.executed = (window.executed || []).concat(document.currentScript.src);\n"
STYLE = b"body { color: rgb(1, 2, 3) }\n"
AUDIT = "/npm/-/npm/v1/security/advisories/bulk"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Two servers that answer the same paths: `control` without protection, `served` as it is."""

    control: Registry
    upstream: Registry
    served: Served
    directory: Path

    @property
    def ours(self) -> str:
        return f"http://127.0.0.1:{self.served.address[1]}"

    def visit(self, url: str, **names: int) -> str:
        return visit(url, self.directory / "profile", {f"{name}.test": port for name, port in names.items()})


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with ExitStack() as stack:
        control, upstream = stack.enter_context(Registry()), stack.enter_context(Registry())
        upstream.files = npm_registry(upstream.url) | {
            "/evil.html": ("text/html", EVIL),
            "/library.js": ("text/javascript", LIBRARY),
            "/style.css": ("text/css", STYLE),
        }
        config = "".join(
            f'[repositories.{name}]\necosystem = "{ecosystem}"\nupstreams = ["{upstream.url}/"]\n'
            for name, ecosystem in (("npm", "npm"), ("files", "generic"))
        )
        served = stack.enter_context(Served(tmp_path / "server", config))
        control.files = {f"/{name}{path}": file for path, file in upstream.files.items() for name in ("npm", "files")}
        control.files |= {"/api/mirror": ("application/json", b"{}")}
        yield Scene(control=control, upstream=upstream, served=served, directory=tmp_path)


def test_a_name_that_is_rebound_to_us_reads_nothing(scene: Scene) -> None:
    attack = "const got = await fetch('/npm/left'); return {status: got.status, body: await got.text()};"
    with (
        Attacker(attack=attack, target=("127.0.0.1", scene.control.port)) as works,
        Attacker(attack=attack, target=scene.served.address) as fails,
    ):
        read = result_of(scene.visit("http://control.test/attack", control=works.port))
        refused = result_of(scene.visit("http://evil.test/attack", evil=fails.port))

    assert read["status"] == 200
    assert "dist-tags" in str(read["body"])
    assert refused["status"] == 421
    assert "dist-tags" not in str(refused["body"])
    assert scene.upstream.requests == []


_POST = """
function form(action) {{
  return new Promise(done => {{
    const frame = Object.assign(document.createElement('iframe'), {{name: 'target' + Math.random()}});
    document.body.append(frame);
    const form = Object.assign(document.createElement('form'),
      {{method: 'POST', enctype: 'text/plain', action, target: frame.name}});
    form.append(Object.assign(document.createElement('input'), {{name: 'left', value: '1.0.0'}}));
    document.body.append(form);
    form.submit();
    frame.onload = () => done();
  }});
}}
for (const base of {bases}) {{
  for (const path of {paths}) {{
    await fetch(base + path, {{method: 'POST', mode: 'no-cors', body: '{{}}'}}).catch(() => 0);
    await form(base + path);
  }}
}}
return {{}};
"""


def test_another_site_cannot_make_a_browser_post_to_us(scene: Scene) -> None:
    paths = [AUDIT, "/api/mirror"]
    with (
        Attacker(target=("127.0.0.1", scene.control.port)) as works,
        Attacker(target=scene.served.address) as fails,
        Attacker() as site,
    ):
        site.attack = _POST.format(bases=[works.url, fails.url], paths=paths)
        result_of(scene.visit("http://evil.test/attack", evil=site.port))

    assert works.passed == [("POST", path, 200) for path in paths for _ in range(2)]
    assert fails.passed == [("POST", path, 403) for path in paths for _ in range(2)]
    assert scene.control.asked(method="POST") != []
    assert scene.upstream.requests == []


_INCLUDE = """
function include(element) {{
  return new Promise(done => {{
    element.onload = () => done(true);
    element.onerror = () => done(false);
    document.head.append(element);
  }});
}}
const script = src => include(Object.assign(document.createElement('script'), {{src}}));
const style = href => include(Object.assign(document.createElement('link'), {{rel: 'stylesheet', href}}));
const read = url => fetch(url).then(got => got.text()).then(() => true, () => false);
const result = {{}};
for (const base of {bases}) {{
  window.executed = [];
  const loaded = [await script(base + '/files/library.js'), await style(base + '/files/style.css')];
  const coloured = getComputedStyle(document.body).color === 'rgb(1, 2, 3)';
  result[base] = [...loaded, window.executed.length > 0, coloured, await read(base + '/npm/left')];
  document.querySelectorAll('link').forEach(link => link.remove());
}}
return result;
"""


def test_another_site_can_neither_run_nor_apply_nor_read_what_we_have(scene: Scene) -> None:
    scene.control.fields = {"access-control-allow-origin": "*"}
    for path in ("/files/library.js", "/files/style.css", "/npm/left"):
        assert scene.served.get(path).status == 200
    with Attacker(attack=_INCLUDE.format(bases=[scene.control.url, scene.ours])) as site:
        result = result_of(scene.visit("http://evil.test/attack", evil=site.port))

    assert result == {scene.control.url: [True] * 5, scene.ours: [False] * 5}


def test_a_page_in_a_package_does_not_run_in_our_name(scene: Scene) -> None:
    ran = scene.visit(f"{scene.control.url}/files/evil.html")
    inert = scene.visit(f"{scene.ours}/files/evil.html")

    assert "<title>ran</title>" in ran
    assert "<title>harmless</title>" in inert
    assert "<p>content</p>" in inert, "it is shown, and only shown"
