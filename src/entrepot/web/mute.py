"""Clients that show nothing of a refusal but its status and address: they are told why in the address."""

from urllib.parse import quote

from entrepot.contracts.ecosystem import Ecosystem
from entrepot.errors import EntrepotError, PolicyError

_MARK = "refused="
# What may stand in a query as it is (RFC 3986 §3.4) and is no mark of ours; spaces become underscores.
_PLAIN = "()!*,;:@/?."


def telling_address(error: EntrepotError, ecosystem: Ecosystem, query: str, agent: str) -> str | None:
    """Where to send such a client, relative to what it asked for; None: it shows what we say, or was sent there
    already."""
    if not isinstance(error, PolicyError) or error.status != 403 or _MARK in query or not _is_mute(ecosystem, agent):
        return None
    words = quote(f"{error.reason} ({error.rule})".replace(" ", "_"), safe=_PLAIN)
    return f"?{query}&{_MARK}{words}" if query else f"?{_MARK}{words}"


def without_words(query: str) -> str:
    """The query that the ecosystem is to see."""
    if _MARK not in query:
        return query
    return "&".join(part for part in query.split("&") if not part.startswith(_MARK))


def _is_mute(ecosystem: Ecosystem, agent: str) -> bool:
    return any(client.mute_agent and agent.startswith(client.mute_agent) for client in ecosystem.clients)
