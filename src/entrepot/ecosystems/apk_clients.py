"""apk: how to point it at us, and where it points today."""

import re
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from entrepot.contracts.ecosystem import Client, FoundAt

_REPOSITORY: Final = re.compile(r"(?P<base>/(?:.+/)?)(?:v[0-9]+\.[0-9]+|edge|latest-stable)/[^/]+/?\Z")


def base_in(text: str) -> str | None:
    """The mirror that /etc/apk/repositories names first, without branch and repository; None where it names none that
    is laid out as Alpine's are."""
    for line in text.splitlines():
        words = line.split()
        # A line may begin with a tag, and in apk 3 with the form of the index.
        if words and not words[0].startswith("#"):
            base = _base_of(words[-1])
            if base:
                return base
    return None


def _base_of(url: str) -> str | None:
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    found = _REPOSITORY.match(parts.path)
    if parts.scheme not in ("http", "https") or not parts.hostname or not found or "$" in url:
        return None
    base: str = found["base"]
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], base, "", ""))


APK: Final = Client(
    name="apk",
    command="apk",
    # apk itself reads no variable for this. Scripts do: apk -X "$APK_MIRROR/v3.20/main" …
    variables={"APK_MIRROR": "{url}"},
    found_at=(FoundAt(path="/etc/apk/repositories", read=base_in),),
    setup="sed -i 's#^https\\?://.*/\\([^/]*/[^/]*\\)$#{url}/\\1#' /etc/apk/repositories",
)
