"""Where requests come in: whatever goes wrong with one becomes its answer, and each is booked."""

import logging
from collections.abc import Awaitable, Callable

from entrepot.errors import EntrepotError, InternalError, MethodRefused, TokenNeeded
from entrepot.web.door import Door
from entrepot.web.ledger import Ledger
from entrepot.web.tokens import CHALLENGE
from entrepot.web.visit import Visit

_log = logging.getLogger("entrepot")


async def attend(
    visit: Visit, ledger: Ledger, answer: Awaitable[None], refuse: Callable[[EntrepotError], Awaitable[None]]
) -> None:
    """`refuse` may raise: that breaks the transfer of an answer which has begun."""
    try:
        try:
            await answer
        except EntrepotError as error:
            await refuse(error)
        except Exception as error:  # noqa: BLE001 - the edge of a request
            # A defect of ours costs this request and nothing else.
            _log.exception("defect while serving %s", visit.scope["raw_path"])
            await refuse(InternalError(f"a defect of Entrepot: {type(error).__name__}"))
    finally:
        ledger.book(visit)


def own_address(door: Door, visit: Visit) -> str:
    """The URL under which this client reaches us. Raises what the door refuses."""
    peer = visit.scope["client"]
    return door.forwarded_base(visit.key[2], peer[0] if peer else "", visit.scope["headers"])


def told_fields(error: EntrepotError) -> tuple[tuple[str, str], ...]:
    """What HTTP wants to be told with a refusal (RFC 9110 §10.2.1, §10.2.3, §11.6.1)."""
    fields = [("retry-after", str(error.retry_after))] if error.retry_after is not None else []
    if isinstance(error, TokenNeeded):
        fields.append(CHALLENGE)
    if isinstance(error, MethodRefused):
        fields.append(("allow", error.allowed))
    return tuple(fields)
