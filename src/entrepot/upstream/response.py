"""aiohttp's response, and whether its server sent more than it said."""

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.http_exceptions import HttpProcessingError


class Response(aiohttp.ClientResponse):
    """Keeps hold of its connection's protocol, which aiohttp lets go at the end of the body."""

    _handler: ResponseHandler | None = None

    async def start(self, connection: Connection) -> aiohttp.ClientResponse:
        self._handler = connection.protocol
        return await super().start(connection)

    @property
    def overran(self) -> bool:
        """Whether something came behind the body that is no answer. To be asked at the body's end: later the
        connection may serve another request."""
        return self._handler is not None and isinstance(self._handler.exception(), HttpProcessingError)
