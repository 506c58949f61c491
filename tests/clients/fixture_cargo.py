"""A small Cargo registry, made from nothing: what a static server must answer, by path."""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

Files = dict[str, tuple[str, bytes]]

TEXT = "text/plain"
JSON = "application/json"
CRATE = "application/octet-stream"
DATE = "2024-05-01T10:00:00Z"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A dependency, as an index line has it."""

    name: str
    req: str = "^1"
    kind: str = "normal"
    optional: bool = False
    target: str | None = None
    package: str | None = None
    features: tuple[str, ...] = ()
    default_features: bool = True
    registry: str | None = None

    @property
    def line(self) -> dict[str, object]:
        return {
            "name": self.name,
            "req": self.req,
            "features": list(self.features),
            "optional": self.optional,
            "default_features": self.default_features,
            "target": self.target,
            "kind": self.kind,
            **({"registry": self.registry} if self.registry else {}),
            **({"package": self.package} if self.package else {}),
        }

    @property
    def manifest(self) -> str:
        """The same in Cargo.toml."""
        table = "build-dependencies" if self.kind == "build" else f"{'dev-' if self.kind == 'dev' else ''}dependencies"
        place = f"target.'{self.target}'.{table}" if self.target else table
        package = f'\npackage = "{self.package}"' if self.package else ""
        return (
            f'\n[{place}.{self.name}]\nversion = "{self.req}"{package}\noptional = {json.dumps(self.optional)}\n'
            f"default-features = {json.dumps(self.default_features)}\nfeatures = {json.dumps(list(self.features))}\n"
        )


@dataclass(slots=True)
class Crates:
    """What a registry has. `dl` is written into config.json as it is; files are at its usual paths."""

    url: str
    dl: str = "{url}/api/v1/crates"
    packages: dict[str, list[dict[str, object]]] = field(default_factory=dict)
    crates: Files = field(default_factory=dict)

    def publish(
        self,
        name: str,
        version: str,
        *wishes: Wish,
        pubtime: str | None = DATE,
        yanked: bool = False,
        features: Mapping[str, Iterable[str]] | None = None,
    ) -> bytes:
        """The crate's bytes."""
        wanted = {feature: list(names) for feature, names in (features or {}).items()}
        body = pack(name, version, wishes, wanted)
        line: dict[str, object] = {
            "name": name,
            "vers": version,
            "deps": [wish.line for wish in wishes],
            "cksum": hashlib.sha256(body).hexdigest(),
            "features": wanted,
            "yanked": yanked,
        }
        self.packages.setdefault(name, []).append(line | ({"pubtime": pubtime} if pubtime else {}))
        self.crates[f"/api/v1/crates/{name}/{version}/download"] = CRATE, body
        return body

    @property
    def files(self) -> Files:
        config = {"dl": self.dl.replace("{url}", self.url), "api": self.url}
        found: Files = {"/index/config.json": (JSON, json.dumps(config).encode())}
        for name, lines in self.packages.items():
            body = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
            found[f"/index/{place_of(name)}"] = TEXT, body.encode()
        return found | self.crates


def place_of(name: str) -> str:
    """Where an index has a crate."""
    low = name.lower()
    if len(low) < 3:
        return f"{len(low)}/{low}"
    return f"3/{low[0]}/{low}" if len(low) == 3 else f"{low[:2]}/{low[2:4]}/{low}"


def pack(name: str, version: str, wishes: Iterable[Wish], features: Mapping[str, list[str]]) -> bytes:
    """The .crate of a library; the same bytes each time."""
    tables = "".join(wish.manifest for wish in wishes)
    listed = "".join(f"{feature} = {json.dumps(names)}\n" for feature, names in features.items())
    manifest = f'[package]\nname = "{name}"\nversion = "{version}"\nedition = "2021"\n{tables}\n[features]\n{listed}'
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for path, text in (("Cargo.toml", manifest), ("src/lib.rs", f'pub const VERSION: &str = "{version}";\n')):
            entry = tarfile.TarInfo(f"{name}-{version}/{path}")
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    return gzip.compress(packed.getvalue(), mtime=0)


def cargo_registry(url: str) -> Files:
    """By path from the root:

    - `hello` 1.0.0 and 1.1.0; needs `Capital`, the optional `extra` (feature `more`), `a` on Windows, `tool` to build
      and `tester` to be tested
    - `Capital` 0.3.1; needs `dash-ed` as `dashed`
    - `dash-ed` 1.0.0-rc.1, 1.0.0+build.5
    - `extra` 1.0.0, `tool` 1.0.0, `tester` 1.0.0, `a` 1.0.0, `old` 0.1.0 (no date), 0.2.0 (yanked)
    """
    made = Crates(url)
    wishes = (
        Wish(name="Capital", req="^0.3"),
        Wish(name="extra", optional=True),
        Wish(name="a", target="cfg(windows)"),
        Wish(name="tool", kind="build"),
        Wish(name="tester", kind="dev"),
    )
    for version in ("1.0.0", "1.1.0"):
        made.publish("hello", version, *wishes, features={"more": ["dep:extra"]})
    made.publish("Capital", "0.3.1", Wish(name="dashed", package="dash-ed"))
    made.publish("dash-ed", "1.0.0-rc.1")
    made.publish("dash-ed", "1.0.0+build.5")
    for name in ("extra", "tool", "tester", "a"):
        made.publish(name, "1.0.0")
    made.publish("old", "0.1.0", pubtime=None)
    made.publish("old", "0.2.0", yanked=True)
    return made.files


def dated_cargo(url: str, packages: Mapping[str, Mapping[str, str]]) -> Files:
    """Crates, their versions, and when the registry took them."""
    made = Crates(url)
    for name, versions in packages.items():
        for version, date in versions.items():
            made.publish(name, version, pubtime=date)
    return made.files
