"""When to try again, and when not before. Pure."""

from datetime import datetime

from entrepot.model.headers import Headers, parse_http_date

RETRIED = frozenset({500, 502, 503, 504})
_WAITS = frozenset({429, 503})


def retry_after(status: int, headers: Headers, now: datetime) -> float | None:
    """The seconds that upstream asks us to stay away (RFC 9110 §10.2.3); None if it does not."""
    text = headers.get("retry-after").strip()
    if status not in _WAITS or not text:
        return None
    if text.isascii() and text.isdigit():
        # More digits than any pause has are not worth converting.
        seconds = float(text[:9])
    else:
        moment = parse_http_date(text)
        seconds = (moment - now).total_seconds() if moment is not None else 0.0
    return seconds if seconds > 0 else None


def pause_before(retry: int, longest: float, chance: float) -> float:
    """Seconds before retry number 0, 1, …; `chance` between 0 and 1 spreads the callers."""
    return longest * 2.0**retry * (0.5 + chance / 2)
