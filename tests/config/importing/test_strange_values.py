"""Whatever stands in somebody's configuration: it is translated to something that loads, or refused."""

import json

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from entrepot.config.importing.translate import System
from entrepot.errors import ConfigError
from tests.config.importing.conftest import Load, imported

WORDS = (
    "", "0", "x", "/", "a b", "-1", "3d", "1h2m", "1e9", "10GB", "://", "https://a.example/x", "https://[", "é",
    "http://u:p@b.example", "https://c.example/?q", "file:", "custom:", "off", "direct", "^a|b$", ".*", "(?!x)", "(",
    "\\Z", "bearer", "basic", "header", "npm", "rpm", "pypi", "goproxy", "local", "${TOKEN}", "sync", "offline",
)  # fmt: skip
SCALARS = (
    st.sampled_from(WORDS) | st.sampled_from([None, True, False, 0, 1, -1, 2**70, 0.0015, 1e300]) | st.text(max_size=4)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=2),
    max_leaves=4,
)
KEYS: dict[System, tuple[str, ...]] = {
    "artifactapi": (
        "base_url", "type", "package", "username", "password", "immutable_patterns", "mutable_patterns", "patterns",
        "blocklist", "check_mutable_updates", "cache.mutable_ttl", "cache.immutable_ttl",
    ),
    "git-pkgs": (
        "listen", "base_url", "access_log.path", "storage.max_size", "metadata_max_size", "cache_metadata",
        "metadata_ttl", "upstream.npm", "upstream.pypi", "upstream.go", "upstream.debian", "upstream.generic",
        "upstream.apk", "upstream.auth", "cooldown.default", "cooldown.ecosystems", "cooldown.packages",
    ),
    "athens": (
        "Port", "TLSCertFile", "ShutdownTimeout", "ValidatorHook", "NetworkMode", "PathPrefix", "GoBinaryEnvVars",
        "GoGetWorkers", "Timeout", "DownloadMode", "DownloadURL", "GlobalEndpoint", "SumDBs", "NoSumPatterns",
    ),
}  # fmt: skip


def nested(flat: dict[str, object]) -> dict[str, object]:
    table: dict[str, object] = {}
    for dotted, value in flat.items():
        outer, _, inner = dotted.rpartition(".")
        place = table.setdefault(outer, {}) if outer else table
        assert isinstance(place, dict)
        place[inner] = value
    return table


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_translation_loads_or_is_refused(data: st.DataObject, load: Load) -> None:
    system = data.draw(st.sampled_from(sorted(KEYS)))
    table = nested(data.draw(st.dictionaries(st.sampled_from(KEYS[system]), VALUES, max_size=5)))
    if system == "artifactapi":
        table = {"remotes": {"a": {"base_url": "https://a.example", **table}}}
    # JSON is YAML; Athens's own format is seen to by the samples.
    text = json.dumps(table) if system != "athens" else toml_of(table)
    try:
        found = imported(text, system)
    except ConfigError:
        return
    load(found)


def toml_of(table: dict[str, object]) -> str:
    plain = {key: value for key, value in table.items() if value is not None and not isinstance(value, dict)}
    return "".join(f"{key} = {json.dumps(value)}\n" for key, value in plain.items() if "null" not in json.dumps(value))
