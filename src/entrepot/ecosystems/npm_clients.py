"""How npm, pnpm, yarn and bun are pointed at us, and how to find where they point today.

Every variable was tried against npm 11, pnpm 10 and 12, yarn 1 and 4, bun 1.4: it wins over the files of the project
and of the user, so a command runs through us whatever is configured.
"""

import re
import tomllib
from urllib.parse import urlsplit, urlunsplit

from entrepot.contracts.ecosystem import Client, FoundAt, Lockfile
from entrepot.ecosystems.npm_locks_npm import read_package_lock
from entrepot.ecosystems.npm_locks_pnpm import read_pnpm_lock
from entrepot.ecosystems.npm_locks_yarn import read_yarn_lock

_SETTING = re.compile(r"""["']?registry["']?\s*=\s*(.*)\Z""")
_YARNRC = re.compile(r"""(?m)^["']?registry["']?[ \t]+["']?([^\s"']+)""")
_YARNRC_YML = re.compile(r"""(?m)^npmRegistryServer:[ \t]*["']?([^\s"'#]+)""")


def read_npmrc(text: str) -> str | None:
    """The default registry of an `.npmrc`; the last one counts, a `[section]` ends the settings."""
    found = None
    for line in map(str.strip, text.splitlines()):
        if line.startswith("["):
            break
        match = _SETTING.match(line)
        if match:
            found = re.split(r"\s[;#]", match[1])[0].strip().strip("\"'")
    return address_of(found)


def read_yarnrc(text: str) -> str | None:
    """The registry of yarn 1's `.yarnrc`."""
    return _last_address(_YARNRC, text)


def read_yarnrc_yml(text: str) -> str | None:
    """The registry of yarn 2 and later; a plain top-level scalar is the only way that yarn itself writes it."""
    return _last_address(_YARNRC_YML, text)


def read_bunfig(text: str) -> str | None:
    """The registry of a `bunfig.toml`: a string, or a table with `url`."""
    try:
        registry = tomllib.loads(text).get("install", {}).get("registry")
    except (tomllib.TOMLDecodeError, AttributeError):
        return None
    return address_of(registry.get("url") if isinstance(registry, dict) else registry)


def address_of(text: object) -> str | None:
    """An http(s) address without the credentials in it; None for anything else, also for one made from variables."""
    if not isinstance(text, str) or "$" in text:
        return None
    try:
        parts = urlsplit(text)
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return None
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _last_address(pattern: re.Pattern[str], text: str) -> str | None:
    found = pattern.findall(text)
    return address_of(found[-1]) if found else None


_NPMRC = (FoundAt(path=".npmrc", read=read_npmrc), FoundAt(path="~/.npmrc", read=read_npmrc))

CLIENTS = (
    Client(
        name="npm",
        command="npm",
        variables={
            "npm_config_registry": "{url}/",
            # Without this npm records the address of every tarball, which would be ours.
            "npm_config_omit_lockfile_registry_resolved": "true",
        },
        asks=(("npm", "config", "get", "registry"),),
        found_at=_NPMRC,
        setup="npm config set registry {url}/\nnpm config set omit-lockfile-registry-resolved true",
    ),
    Client(
        name="pnpm",
        command="pnpm",
        # pnpm 11 and later read only their own prefix; pnpm 10 and earlier read npm's.
        variables={"pnpm_config_registry": "{url}/", "npm_config_registry": "{url}/"},
        asks=(("pnpm", "config", "get", "registry"),),
        found_at=_NPMRC,
        setup="pnpm config set registry {url}/",
    ),
    Client(
        name="yarn",
        command="yarn",
        mute_agent="got (",
        # Yarn 4 takes plain http only for hosts that are named.
        variables={"YARN_NPM_REGISTRY_SERVER": "{url}", "YARN_UNSAFE_HTTP_WHITELIST": "{host}"},
        asks=(("yarn", "config", "get", "npmRegistryServer"),),
        found_at=(
            FoundAt(path=".yarnrc.yml", read=read_yarnrc_yml),
            FoundAt(path="~/.yarnrc.yml", read=read_yarnrc_yml),
        ),
        setup=(
            "yarn config set --home npmRegistryServer {url}\n"
            "yarn config set --home unsafeHttpWhitelist --json '[\"{host}\"]'"
        ),
    ),
    Client(
        name="yarn 1",
        command="yarn",
        variables={"npm_config_registry": "{url}/"},
        asks=(("yarn", "config", "get", "registry"),),
        found_at=(FoundAt(path=".yarnrc", read=read_yarnrc), FoundAt(path="~/.yarnrc", read=read_yarnrc), *_NPMRC),
        setup="yarn config set registry {url}/",
    ),
    Client(
        name="bun",
        command="bun",
        variables={"BUN_CONFIG_REGISTRY": "{url}/"},
        found_at=(
            FoundAt(path="bunfig.toml", read=read_bunfig),
            FoundAt(path="~/.bunfig.toml", read=read_bunfig),
            *_NPMRC,
        ),
        setup="printf '[install]\\nregistry = \"{url}/\"\\n' >> ~/.bunfig.toml",
    ),
)

_NPM_REMEDY = (
    "npm recorded where it got each tarball. Run `npm install` once more with "
    "npm_config_omit_lockfile_registry_resolved=true: the lines go, the integrity of every file stays."
)

LOCKFILES = (
    Lockfile(name="package-lock.json", remedy=_NPM_REMEDY, read=read_package_lock),
    Lockfile(name="npm-shrinkwrap.json", remedy=_NPM_REMEDY, read=read_package_lock),
    Lockfile(
        name="pnpm-lock.yaml",
        remedy="pnpm names tarballs only where they are at unusual addresses. Remove `tarball: …` from those lines: "
        "integrity stays, and pnpm asks its registry.",
        read=read_pnpm_lock,
    ),
    Lockfile(
        name="yarn.lock",
        remedy="Yarn 1 records where it got each tarball: `sed -i '/^  resolved /d' yarn.lock` removes the lines, "
        "integrity stays, and yarn asks its registry. Yarn 4 does not name us.",
        read=read_yarn_lock,
    ),
    Lockfile(
        name="bun.lock",
        remedy="bun records where it got each tarball. Replace our addresses by empty strings: integrity stays, and "
        "bun asks the registry that is configured.",
    ),
)
