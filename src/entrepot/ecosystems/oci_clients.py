"""How skopeo, podman, docker and containerd are pointed at us, and how to find where they point today."""

import tomllib

import msgspec

from entrepot.contracts.ecosystem import Client, ConfigFile, FoundAt


class _Docker(msgspec.Struct):
    mirrors: list[str] = msgspec.field(default=[], name="registry-mirrors")


class _Place(msgspec.Struct):
    location: str = ""
    insecure: bool = False

    @property
    def url(self) -> str:
        """A place with a path is asked below its host's /v2/: an address of ours, or of nobody."""
        plain = "/" not in self.location or self.insecure
        return f"{'http' if self.insecure else 'https'}://{self.location}" if self.location and plain else ""


class _Registry(_Place):
    prefix: str = ""
    mirror: list[_Place] = []


class _Registries(msgspec.Struct):
    registry: list[_Registry] = []


def read_daemon(text: str) -> str | None:
    """The first mirror of docker's `daemon.json`."""
    try:
        return next(iter(msgspec.json.decode(text, type=_Docker).mirrors), None)
    except msgspec.MsgspecError:
        return None


def read_registries(text: str) -> str | None:
    """Where the first registry of a `registries.conf` really is: its mirror, else what is put in its place
    (containers-registries.conf(5), version 2)."""
    try:
        tables = msgspec.convert(tomllib.loads(text), _Registries).registry
    except (tomllib.TOMLDecodeError, msgspec.ValidationError):
        return None
    for table in tables:
        moved = [table] if table.prefix and table.prefix != table.location else []
        found = next((place.url for place in (*table.mirror, *moved) if place.url), None)
        if found:
            return found
    return None


_REGISTRY = """\
[[registry]]
prefix = "{host}"
location = "{registry}"
insecure = {insecure}
"""
"""In place of the registry and not before it: what we refuse is not to be had behind our back."""
_CONF = (ConfigFile(variable="CONTAINERS_REGISTRIES_CONF", name="registries.conf", content="", per_host=_REGISTRY),)
_FOUND = (
    FoundAt(path="$CONTAINERS_REGISTRIES_CONF", read=read_registries),
    FoundAt(path="~/.config/containers/registries.conf", read=read_registries),
    FoundAt(path="/etc/containers/registries.conf", read=read_registries),
)
_IN_PLACE = """\
# in /etc/containers/registries.conf ({url} is the address), for each registry that it stands for:
[[registry]]
prefix = "registry.example"
location = "{registry}"
insecure = true"""

CLIENTS = (
    Client(name="skopeo", command="skopeo", files=_CONF, found_at=_FOUND, setup=_IN_PLACE),
    Client(name="podman", command="podman", files=_CONF, found_at=_FOUND, setup=_IN_PLACE),
    Client(
        name="docker",
        command="docker",
        found_at=(FoundAt(path="/etc/docker/daemon.json", read=read_daemon),),
        setup="# docker knows mirrors of the Docker Hub only, and no path: with `registry_mirror` in [server],\n"
        '# in /etc/docker/daemon.json: "registry-mirrors": ["http://SERVER:PORT"]\n'
        "# or name it: docker pull {registry}/NAME:TAG   (the same as {url})",
    ),
    Client(
        name="containerd",
        command="ctr",
        setup="# /etc/containerd/certs.d/registry.example/hosts.toml\n"
        'server = "{url}/v2"\n'
        '[host."{url}/v2"]\n'
        'capabilities = ["pull", "resolve"]\n'
        "override_path = true",
    ),
)
