"""Upstreams of several kinds behind one Fetcher: each is asked by the client of its kind."""

from collections.abc import Mapping

from entrepot.contracts.fetcher import Ask, Fetcher, UpstreamReply


class FetcherOfKinds:
    """Implements contracts.fetcher.Fetcher."""

    def __init__(self, clients: Mapping[str, Fetcher]) -> None:
        """The client of each upstream by the upstream's name; one client may have many."""
        self._clients = clients

    async def send(self, ask: Ask) -> UpstreamReply:
        return await self._clients[ask.upstream].send(ask)

    def base_url(self, upstream: str) -> str:
        return self._clients[upstream].base_url(upstream)

    def identity(self, upstream: str) -> str:
        return self._clients[upstream].identity(upstream)

    def owns(self, upstream: str, package: str) -> bool:
        return self._clients[upstream].owns(upstream, package)

    async def close(self) -> None:
        for client in dict.fromkeys(self._clients.values()):
            await client.close()
