"""nginx as a caching proxy, as Debian ships it, with its log unbuffered (its default) or buffered."""

from collections.abc import Mapping
from typing import ClassVar

from bench.contenders.base import Contender, Launch, Place, output_of
from bench.fixtures import Item
from bench.machine import need
from bench.nginx import preamble

_SERVER = """
    access_log {directory}/access.log combined{buffer};
    proxy_cache_path {directory}/cache keys_zone=packages:10m max_size=10g inactive=1d use_temp_path=off;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location = /alive {{ return 200 "alive"; }}
        location / {{
            proxy_pass {origin};
            proxy_cache packages;
            proxy_cache_valid 200 1d;
            add_header X-Cache-Status $upstream_cache_status;
        }}
    }}
}}
"""


class Nginx(Contender):
    name = "nginx proxy_cache"
    ecosystems: ClassVar[Mapping[str, str]] = {"pypi": "", "npm": "", "golang": ""}
    alive = "/alive"
    is_package_proxy = False
    buffer: ClassVar[str] = ""

    def install(self) -> str:
        return output_of([need("nginx"), "-v"])

    def url_of(self, base: str, item: Item) -> str:
        """Links lead past it to the origin; what it has is under the origin's path."""
        return base + item.path

    def prepare(self, place: Place) -> Launch:
        text = preamble(place.directory) + _SERVER.format(
            directory=place.directory, port=place.port, origin=place.origin, buffer=self.buffer
        )
        file = place.directory / "nginx.conf"
        file.write_text(text)
        return Launch(command=[need("nginx"), "-c", str(file)])


class NginxBuffered(Nginx):
    name = "nginx, log buffered"
    ecosystems: ClassVar[Mapping[str, str]] = {"pypi": ""}
    buffer = " buffer=64k flush=1s"
