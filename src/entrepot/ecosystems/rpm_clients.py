"""The package managers of RPM distributions: how to point them at us, and where they point today."""

from configparser import Error, RawConfigParser
from urllib.parse import urlsplit, urlunsplit

from entrepot.contracts.ecosystem import Client, ConfigFile, FoundAt

CONFIG = "ENTREPOT_DNF_CONFIG"
"""Names the configuration that `entrepot run` writes: `dnf --config "$ENTREPOT_DNF_CONFIG" …`."""
_OFF = frozenset({"0", "no", "false", "off"})

_REPOSITORY = """[entrepot]
name=What Entrepot serves
baseurl={url}/
enabled=1
gpgcheck=1
"""
_CONFIGURATION = f"""[main]
reposdir=/dev/null

{_REPOSITORY}"""
_SETUP = """in /etc/yum.repos.d/NAME.repo, instead of metalink= and mirrorlist=:
baseurl={url}/PATH/"""


def read_repo(text: str) -> str | None:
    """The address of the first repository in a .repo file that is enabled, up to where it depends on the machine
    (`$releasever`); None where that is no address."""
    parser = RawConfigParser(strict=False, allow_no_value=True, interpolation=None)
    try:
        parser.read_string(text)
    except Error:
        return None
    for section in parser.sections():
        found = dict(parser.items(section))
        if (found.get("enabled") or "1").strip().lower() in _OFF:
            continue
        for word in (found.get("baseurl") or "").replace(",", " ").split():
            if (url := _plain(word)) is not None:
                return url
    return None


def _plain(url: str) -> str | None:
    """Without credentials, and to the last slash before the first variable."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not host or "$" in parts.netloc:
        return None
    fixed, variable, _ = parts.path.partition("$")
    path = fixed[: fixed.rfind("/") + 1] if variable else fixed
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], path or "/", "", ""))


_FOUND = FoundAt(path="/etc/yum.repos.d/*.repo", read=read_repo)


def _dnf(name: str) -> Client:
    # In files of repositories, `$ENTREPOT` is then our address.
    return Client(
        name=name,
        command=name,
        variables={"DNF_VAR_ENTREPOT": "{url}"},
        files=(ConfigFile(variable=CONFIG, name="dnf.conf", content=_CONFIGURATION),),
        found_at=(_FOUND,),
        mute_agent="libdnf",
        setup=_SETUP,
    )


CLIENTS = (
    _dnf("dnf"),
    _dnf("dnf5"),
    Client(name="microdnf", command="microdnf", found_at=(_FOUND,), mute_agent="libdnf", setup=_SETUP),
    Client(name="yum", command="yum", found_at=(_FOUND,), mute_agent="urlgrabber", setup=_SETUP),
    Client(
        name="zypper",
        command="zypper",
        found_at=(FoundAt(path="/etc/zypp/repos.d/*.repo", read=read_repo),),
        mute_agent="ZYpp",
        setup="zypper addrepo --refresh {url}/PATH/ entrepot",
    ),
)
