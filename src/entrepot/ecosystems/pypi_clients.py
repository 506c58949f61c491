"""The package managers that speak to a Python index: how to point them at us, and where they point today."""

from configparser import Error, RawConfigParser
from urllib.parse import urlsplit, urlunsplit

import msgspec
from msgspec import toml

from entrepot.contracts.ecosystem import Client, FoundAt, Lockfile
from entrepot.ecosystems.pypi_locks import read_pdm, read_poetry, read_pylock, read_uv
from entrepot.ecosystems.pypi_requirements import read_requirements


class _Index(msgspec.Struct):
    url: str = ""
    name: str = ""
    default: bool = False
    priority: str = ""


class _Uv(msgspec.Struct, rename="kebab"):
    index: list[_Index] = []
    index_url: str = ""


class _Sources(msgspec.Struct):
    source: list[_Index] = []


class _Tools(msgspec.Struct, kw_only=True):
    uv: _Uv = msgspec.field(default_factory=_Uv)
    poetry: _Sources = msgspec.field(default_factory=_Sources)
    pdm: _Sources = msgspec.field(default_factory=_Sources)


class _Pyproject(msgspec.Struct):
    tool: _Tools = msgspec.field(default_factory=_Tools)


class _PdmConfig(msgspec.Struct):
    pypi: _Index = msgspec.field(default_factory=_Index)


def find_in_pip_conf(text: str) -> str | None:
    """`index-url` of `[install]`, which pip prefers for what it installs, or of `[global]`."""
    parser = RawConfigParser(strict=False, allow_no_value=True)
    try:
        parser.read_string(text)
    except Error:
        return None
    for section in ("install", "global"):
        for key in ("index-url", "index_url"):
            if url := parser.get(section, key, fallback=None):
                return _plain(url)
    return None


def find_in_uv_toml(text: str) -> str | None:
    """The index with `default = true`, or the older `index-url`; other indexes are only additions."""
    try:
        return _default_of_uv(toml.decode(text, type=_Uv))
    except msgspec.DecodeError:
        return None


def find_in_pyproject_for_uv(text: str) -> str | None:
    return _default_of_uv(_tools(text).uv)


def find_in_pyproject_for_poetry(text: str) -> str | None:
    """The source that stands in for the public index: priority `primary` (and `default` before Poetry 1.8)."""
    sources = _tools(text).poetry.source
    return next((_plain(one.url) for one in sources if one.url and one.priority in ("", "primary", "default")), None)


def find_in_pyproject_for_pdm(text: str) -> str | None:
    """A source named `pypi` replaces the public index."""
    return next((_plain(one.url) for one in _tools(text).pdm.source if one.url and one.name == "pypi"), None)


def find_in_pdm_toml(text: str) -> str | None:
    try:
        return _plain(toml.decode(text, type=_PdmConfig).pypi.url)
    except msgspec.DecodeError:
        return None


def _tools(text: str) -> _Tools:
    try:
        return toml.decode(text, type=_Pyproject).tool
    except msgspec.DecodeError:
        return _Tools()


def _default_of_uv(config: _Uv) -> str | None:
    return next((_plain(index.url) for index in config.index if index.default), _plain(config.index_url))


def _plain(url: str) -> str | None:
    """The URL without credentials; None where it is none, or holds a variable that only its client can fill in."""
    try:
        parts = urlsplit(url.strip().strip("\"'"))
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname or "$" in url:
        return None
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


PIP = Client(
    name="pip",
    command="pip",
    mute_agent="pip/",
    # PIP_EXTRA_INDEX_URL is left alone: a further index is a person's own choice. `doctor` and the docs speak of it.
    variables={"PIP_INDEX_URL": "{url}/simple/"},
    asks=(("pip", "config", "get", "install.index-url"), ("pip", "config", "get", "global.index-url")),
    found_at=tuple(
        FoundAt(path=path, read=find_in_pip_conf)
        for path in (
            "$PIP_CONFIG_FILE",
            "$VIRTUAL_ENV/pip.conf",
            "$XDG_CONFIG_HOME/pip/pip.conf",
            "~/.config/pip/pip.conf",
            "~/Library/Application Support/pip/pip.conf",
            "~/.pip/pip.conf",
            "/etc/xdg/pip/pip.conf",
            "/etc/pip.conf",
        )
    ),
    further=("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS"),
    setup="pip config set global.index-url {url}/simple/",
)

UV = Client(
    name="uv",
    command="uv",
    # UV_INDEX_URL is what uv read before 0.4.23.
    variables={"UV_DEFAULT_INDEX": "{url}/simple/", "UV_INDEX_URL": "{url}/simple/"},
    found_at=(
        FoundAt(path="uv.toml", read=find_in_uv_toml),
        FoundAt(path="pyproject.toml", read=find_in_pyproject_for_uv),
        FoundAt(path="$XDG_CONFIG_HOME/uv/uv.toml", read=find_in_uv_toml),
        FoundAt(path="~/.config/uv/uv.toml", read=find_in_uv_toml),
        FoundAt(path="/etc/uv/uv.toml", read=find_in_uv_toml),
    ),
    further=("UV_INDEX", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS"),
    setup='# ~/.config/uv/uv.toml\n[[index]]\nurl = "{url}/simple/"\ndefault = true',
)

POETRY = Client(
    name="poetry",
    command="poetry",
    # Poetry itself has neither variable nor user-wide setting for this; poetry-plugin-pypi-mirror reads this one.
    variables={"POETRY_PYPI_MIRROR_URL": "{url}/simple/"},
    found_at=(FoundAt(path="pyproject.toml", read=find_in_pyproject_for_poetry),),
    setup="poetry source add --priority=primary entrepot {url}/simple/",
)

PDM = Client(
    name="pdm",
    command="pdm",
    variables={"PDM_PYPI_URL": "{url}/simple/"},
    asks=(("pdm", "config", "pypi.url"),),
    found_at=(
        FoundAt(path="pdm.toml", read=find_in_pdm_toml),
        FoundAt(path="pyproject.toml", read=find_in_pyproject_for_pdm),
        FoundAt(path="$XDG_CONFIG_HOME/pdm/config.toml", read=find_in_pdm_toml),
        FoundAt(path="~/.config/pdm/config.toml", read=find_in_pdm_toml),
    ),
    setup="pdm config pypi.url {url}/simple/",
)

CLIENTS = (PIP, UV, POETRY, PDM)

LOCKFILES = (
    Lockfile(
        name="uv.lock",
        remedy="uv.lock records the index and each file's URL: run `uv lock` without Entrepot before it is shared",
        read=read_uv,
    ),
    Lockfile(
        name="pylock*.toml",
        remedy="a pylock file may record each file's URL: lock again without Entrepot before it is shared",
        read=read_pylock,
    ),
    Lockfile(
        name="poetry.lock",
        remedy="poetry.lock records the source that pyproject.toml names: remove it there and run `poetry lock`",
        read=read_poetry,
    ),
    Lockfile(
        name="pdm.lock",
        remedy="pdm.lock records URLs only with the strategy `static_urls`: run `pdm lock --strategy no_static_urls`",
        read=read_pdm,
    ),
    Lockfile(
        name="*requirements*.txt",
        remedy="pip-compile writes --index-url lines: run it with --no-emit-index-url",
        read=read_requirements,
    ),
)
