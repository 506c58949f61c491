"""What Go's own settings say about proxies and checksum databases. Pure: the caller brings the text."""

import json
import re
from urllib.parse import urlsplit

_SCHEME = re.compile(r"https?://")
_LINE = re.compile(r"(?:set )?(?P<name>[A-Z_0-9]+)=(?P<value>.*)\Z")


def read_go_env(text: str) -> dict[str, str]:
    """The settings in `$GOROOT/go.env`, in the user's `go/env`, or in what `go env` or `go env -json` prints."""
    if text.lstrip().startswith("{"):
        return _read_json(text)
    found = [_LINE.match(line.strip()) for line in text.splitlines()]
    return {line["name"]: _unquote(line["value"]) for line in found if line}


def _read_json(text: str) -> dict[str, str]:
    try:
        settings = json.loads(text)
    except ValueError:
        return {}
    return {name: value for name, value in settings.items() if isinstance(value, str)}


def _unquote(value: str) -> str:
    """`go env` quotes for a shell; its files do not."""
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"" else value


def proxies_of(goproxy: str) -> tuple[str, ...]:
    """The proxies of a GOPROXY list, in order, up to `direct` or `off`; credentials are left out.

    A name without a scheme means https, as for the go command; other schemes (`file:`) are none of ours.
    """
    found: list[str] = []
    for entry in (part.strip() for part in re.split(r"[,|]", goproxy)):
        if entry in ("direct", "off"):
            break
        url = entry if "://" in entry else f"https://{entry}"
        if "." in entry.partition("/")[0] or _SCHEME.match(entry):
            found.extend(_without_credentials(url))
    return tuple(found)


def _without_credentials(url: str) -> list[str]:
    try:
        parts = urlsplit(url)
    except ValueError:
        return []
    if not _SCHEME.match(url) or not parts.hostname:
        return []
    return [parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()]


def proxy_in(text: str) -> str | None:
    """The first proxy that a settings file or a printed GOPROXY names."""
    found = proxies_of(read_go_env(text).get("GOPROXY", ""))
    return found[0] if found else None


def database_name(gosumdb: str) -> str:
    """The checksum database's name in a GOSUMDB value (`name`, `name+hash+key`, each with or without a URL behind it);
    empty for `off`."""
    name = (gosumdb.split() or [""])[0].partition("+")[0]
    return "" if name == "off" else name
