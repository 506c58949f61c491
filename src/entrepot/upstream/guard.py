"""Which origins and addresses may be contacted at all."""

import errno
import ipaddress
import socket
from collections.abc import Iterable
from fnmatch import fnmatchcase

from aiohappyeyeballs import AddrInfoType

from entrepot.errors import EgressRefused
from entrepot.upstream.address import AddressPolicy, literal_address
from entrepot.upstream.settings import UpstreamSettings
from entrepot.upstream.target import Origin, Target


class AddressRefused(OSError):
    """A name resolved to an address that may not be contacted. An OSError, so that another address is tried."""

    def __init__(self) -> None:
        super().__init__(errno.EACCES, "resolves to an address that is not public")


class Guard:
    """Configured origins are allowed at whatever address they have; all others are https and public."""

    def __init__(
        self,
        policy: AddressPolicy,
        named: Iterable[Origin],
        own_addresses: Iterable[tuple[str, int]],
        allow_private: Iterable[str],
    ) -> None:
        self._policy = policy
        self._named = frozenset(named)
        self._own = frozenset((_canonical(host), port) for host, port in own_addresses)
        self._allow_private = frozenset(host.lower() for host in allow_private)
        self._homes: dict[str, frozenset[str]] = {}

    def check_led(self, target: Target, upstream: UpstreamSettings) -> bool:
        """Judge a URL that an index or a redirect named; whether its addresses must be public.

        Raises EgressRefused.
        """
        self.check_own(target)
        if target.origin in self._named:
            return False
        scheme, host, _ = target.origin
        if scheme != "https":
            raise EgressRefused(f"{target.name}: led there by upstream {upstream.name}, but not by https")
        if not _is_declared(target, upstream):
            raise EgressRefused(f"{target.name}: not among the download_hosts of upstream {upstream.name}")
        if host in self._allow_private:
            return False
        if not self._policy.is_public_host(host):
            raise EgressRefused(f"{target.name}: not a public host, and not named by the configuration")
        return True

    def set_homes(self, host: str, addresses: Iterable[str]) -> None:
        """The addresses that a configured host has now: contact with them is allowed already. Loopback is never
        one, because there every port is another server."""
        far = (address for address in addresses if not ipaddress.ip_address(address.partition("%")[0]).is_loopback)
        self._homes[host] = frozenset(far)

    def _is_home(self, address: str) -> bool:
        return any(address in homes for homes in self._homes.values())

    def check_own(self, target: Target) -> None:
        _, host, port = target.origin
        if self._is_own(host, port):
            raise EgressRefused(f"{target.name}: this is Entrepot itself; an upstream must be another server")

    def open_socket(self, info: AddrInfoType) -> socket.socket:
        """A socket for an address of an origin that the configuration names, or of its proxy."""
        if self._is_own(info[4][0], info[4][1]):
            raise AddressRefused
        return socket.socket(family=info[0], type=info[1], proto=info[2])

    def public_socket(self, info: AddrInfoType) -> socket.socket:
        """A socket for an address that must be public, or a configured upstream's own: the one that is really
        connected to."""
        if not (self._policy.is_public_address(info[4][0]) or self._is_home(info[4][0])):
            raise AddressRefused
        return self.open_socket(info)

    def _is_own(self, host: str, port: int) -> bool:
        here = _canonical(host)
        literal = literal_address(here)
        if literal is None:
            return (here, port) in self._own
        if literal.is_unspecified:
            return any(port == own for _, own in self._own)
        anywhere = literal.is_loopback and not self._own.isdisjoint({("0.0.0.0", port), ("::", port)})
        return anywhere or (here, port) in self._own


def _canonical(host: str) -> str:
    if host.lower().rstrip(".") == "localhost":
        return "127.0.0.1"
    literal = literal_address(host)
    if isinstance(literal, ipaddress.IPv6Address) and literal.ipv4_mapped is not None:
        literal = literal.ipv4_mapped
    return str(literal) if literal is not None else host.lower()


def _is_declared(target: Target, upstream: UpstreamSettings) -> bool:
    if upstream.download_hosts == "index":
        return True
    host = target.origin[1] if target.origin[2] == 443 else target.name
    return any(fnmatchcase(host, pattern.lower()) for pattern in upstream.download_hosts)
