"""Which representation of an index page a client gets (PEP 691, RFC 9110 §12.5.1)."""

from urllib.parse import unquote

from entrepot.model.headers import split_list

JSON = "application/vnd.pypi.simple.v1+json"
HTML = "application/vnd.pypi.simple.v1+html"
TEXT = "text/html"

CONTENT_TYPES = {"json": JSON, "html": f"{TEXT}; charset=utf-8", "v1-html": HTML}
"""By form. `html` is for browsers and for clients older than PEP 691."""

ASK_JSON = f"{JSON}, {HTML};q=0.2, {TEXT};q=0.1"
ASK_HTML = f"{TEXT}, {HTML};q=0.9"

_FORM_OF = {
    JSON: "json",
    "application/vnd.pypi.simple.latest+json": "json",
    HTML: "v1-html",
    "application/vnd.pypi.simple.latest+html": "v1-html",
    TEXT: "html",
}
# At equal quality: JSON, which alone has dates and sizes, before HTML; but a client that takes anything at all
# (a browser, curl) gets what a person can look at, as the public index does it.
_RANK = {"json": 2, "v1-html": 1, "html": 0}
_WILD_RANK = {"json": 0, "v1-html": 1, "html": 2}


def choose_form(accept: str, query: str) -> str | None:
    """The form for an Accept field, or for the `format` parameter, which wins; None: nothing is acceptable."""
    wanted = [value for name, _, value in (part.partition("=") for part in query.split("&")) if name == "format"]
    if wanted:
        return _FORM_OF.get(unquote(wanted[-1]).lower())
    ranges = [_parse_range(text) for text in split_list(accept or "*/*")]
    offers = [_offer(media_type, ranges) for media_type in _FORM_OF]
    quality, _, _, form = max(offers)
    return form if quality > 0 else None


def _offer(media_type: str, ranges: list[tuple[str, float]]) -> tuple[float, int, int, str]:
    """Quality by the most specific range that matches, how specific that one is, our preference, and the form."""
    form, main = _FORM_OF[media_type], media_type.partition("/")[0] + "/*"
    for specificity, wanted in ((2, media_type), (1, main), (0, "*/*")):
        qualities = [quality for name, quality in ranges if name == wanted]
        if qualities:
            return max(qualities), specificity, (_RANK if specificity else _WILD_RANK)[form], form
    return 0.0, 0, 0, form


def _parse_range(text: str) -> tuple[str, float]:
    name, *parameters = (part.strip().lower() for part in text.split(";"))
    quality = next((part[2:] for part in parameters if part.startswith("q=")), "1")
    try:
        # Anything but a number of 0 to 1, also NaN, counts as "not wanted".
        return name, float(quality) if 0 <= float(quality) <= 1 else 0.0
    except ValueError:
        return name, 0.0
