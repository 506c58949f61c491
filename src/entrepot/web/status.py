"""How the server is: /health, /ready, /metrics, what /openapi.json says of it, and a word for people who open the
address itself."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from entrepot import __version__
from entrepot.cache.counters import Counters
from entrepot.cache.repository import Repository
from entrepot.contracts.blobs import BlobStore
from entrepot.contracts.catalog import Catalog
from entrepot.errors import EntrepotError, MethodRefused, Refused
from entrepot.web.door import SAFE, SHIELD, Door
from entrepot.web.sending import Send
from entrepot.web.tokens import CHALLENGE, Principal, check_right, known

OUTCOMES = ("hits", "stale", "misses", "joined", "revalidated", "passed", "redirected", "refused", "absent", "errors")
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Status:
    def __init__(
        self,
        *,
        door: Door,
        catalog: Catalog,
        blobs: BlobStore,
        totals: Callable[[], Counters],
        repositories: Mapping[str, Repository],
        metrics_open: bool,
        openapi: Callable[[], bytes],
    ) -> None:
        """`openapi`: the document on the interface for programs, as JSON. There is nothing secret in it."""
        self._door, self._catalog, self._blobs, self._totals = door, catalog, blobs, totals
        self._repositories, self._metrics_open, self._openapi = repositories, metrics_open, openapi

    async def serve(
        self, scope: Mapping[str, Any], send: Send, host: bytes, principal: Principal | None = None
    ) -> None:
        """`principal`: who asks; None where no token is configured."""
        try:
            status, body, kind = await self._page(scope, host, principal)
        except EntrepotError as error:
            status, body, kind = error.status, f"{error}\n".encode(), "text/plain; charset=utf-8"
        headers = [
            (b"content-type", kind.encode()),
            (b"content-length", b"%d" % len(body)),
            (b"cache-control", b"no-store"),
            *SHIELD,
        ]
        if status == 405:
            headers.append((b"allow", b"GET, HEAD"))
        if status == 401:
            headers.append((CHALLENGE[0].encode(), CHALLENGE[1].encode()))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    async def _page(self, scope: Mapping[str, Any], host: bytes, principal: Principal | None) -> tuple[int, bytes, str]:
        base = self._door.base(host)
        text = "text/plain; charset=utf-8"
        if scope["method"] not in SAFE:
            raise MethodRefused(scope["method"])
        match scope["raw_path"]:
            case b"/health":
                return 200, b"ok\n", text
            case b"/ready":
                return await self._ready(text)
            case b"/metrics":
                if not self._metrics_open:
                    self._check_scraper(principal)
                return 200, await asyncio.to_thread(self.metrics), METRICS_TYPE
            case b"/openapi.json":
                return 200, await asyncio.to_thread(self._openapi), "application/json"
        return 200, self._welcome(base, principal).encode(), text

    def _check_scraper(self, principal: Principal | None) -> None:
        if principal is None:
            raise Refused("metrics are on the control socket (`entrepot stats`); metrics.open = true opens them")
        check_right(known(principal), "admin")

    async def _ready(self, text: str) -> tuple[int, bytes, str]:
        try:
            await asyncio.to_thread(self._blobs.probe)
            await asyncio.to_thread(self._catalog.probe)
        except EntrepotError as error:
            return 503, f"not ready: {error}\n".encode(), text
        return 200, b"ready\n", text

    def _welcome(self, base: str, principal: Principal | None) -> str:
        """With the repositories that whoever asks may read."""
        lines = [f"Entrepot {__version__}: a verified copy of every package", ""]
        for name, repository in self._repositories.items():
            if principal is None or name in principal.reads:
                lines.append(f"{base}/{name}/   {repository.ecosystem.title}")
        return "\n".join(lines) + "\n"

    def metrics(self) -> bytes:
        """In the Prometheus text format, summed over the workers."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Collector(self._totals(), self._catalog))
        return generate_latest(registry)


class _Collector:
    def __init__(self, counters: Counters, catalog: Catalog) -> None:
        self._counters, self._catalog = counters, catalog

    def collect(self) -> Iterable[Metric]:
        requests = CounterMetricFamily("entrepot_requests", "Requests by outcome", labels=("repository", "outcome"))
        for name, counts in self._counters.repositories.items():
            for outcome in OUTCOMES:
                requests.add_metric((name, outcome), getattr(counts, outcome))
        yield requests
        for field, text in (
            ("bytes_sent", "Body bytes sent to clients"),
            ("bytes_saved", "Body bytes sent without being fetched for that request"),
            ("upstream_requests", "Requests sent upstream"),
            ("upstream_bytes", "Body bytes received from upstream"),
            ("upstream_errors", "Upstream requests that got no answer"),
            ("mismatches", "Bodies whose digest was not the published or remembered one"),
            ("rendered", "Index renderings"),
        ):
            family = CounterMetricFamily(f"entrepot_{field}", text, labels=("repository",))
            for name, counts in self._counters.repositories.items():
                family.add_metric((name,), getattr(counts, field))
            yield family
        triggers = CounterMetricFamily(
            "entrepot_triggers", "Requests that could start a fill, by what became of it", labels=("result",)
        )
        for result, count in self._counters.triggers.items():
            triggers.add_metric((result,), count)
        yield triggers
        yield CounterMetricFamily(
            "entrepot_quarantined", "Stored files found changed", value=self._counters.quarantined
        )
        yield CounterMetricFamily("entrepot_evicted_bytes", "Bytes evicted", value=self._counters.evicted_bytes)
        entries, blobs, size = self._catalog.totals()
        yield GaugeMetricFamily("entrepot_stored_entries", "Entries", value=entries)
        yield GaugeMetricFamily("entrepot_stored_blobs", "Blobs", value=blobs)
        yield GaugeMetricFamily("entrepot_stored_bytes", "Bytes of blobs", value=size)
