"""Which addresses and host names are public."""

import ipaddress
import socket
from ipaddress import IPv4Address, IPv6Address

Address = IPv4Address | IPv6Address

# Not global by the registries of IANA (RFC 6890, RFC 9637), which not every Python knows in full.
_PROTOCOL_ASSIGNMENTS = ipaddress.IPv4Network("192.0.0.0/24")
_DOCUMENTATION = ipaddress.IPv6Network("3fff::/20")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
# RFC 6761, 6762, 8375, and the name that ICANN keeps for private use.
_LOCAL_NAMES = (".localhost", ".local", ".internal", ".home.arpa")


class AddressPolicy:
    """The Internet's answer. Handed to the client, so that a test can have another one."""

    def is_public_address(self, address: str) -> bool:
        """Whether an address (without a port) is reachable for everybody."""
        return _is_public(ipaddress.ip_address(address.partition("%")[0]))

    def is_public_host(self, host: str) -> bool:
        """Whether a host may be asked as far as its spelling tells: for a name, what it resolves to decides."""
        literal = literal_address(host)
        if literal is not None:
            return self.is_public_address(str(literal))
        name = host.rstrip(".")
        return "." in name and not name.endswith(_LOCAL_NAMES)


def literal_address(host: str) -> Address | None:
    """The address that a host spells, also in the octal, hexadecimal and short forms that resolvers take; None for
    a name."""
    text = host.strip("[]").rstrip(".")
    try:
        return ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        pass
    try:
        return IPv4Address(socket.inet_aton(text))
    except OSError:
        return None


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv4Address):
        special = address.is_multicast or address.is_reserved or address in _PROTOCOL_ASSIGNMENTS
        return address.is_global and not special
    if address.ipv4_mapped is not None:
        return _is_public(address.ipv4_mapped)
    if address in _NAT64:
        return _is_public(IPv4Address(int(address) & 0xFFFFFFFF))
    # 6to4 and Teredo wrap an IPv4 address that we could be led to.
    special = address.sixtofour is not None or address.teredo is not None or address in _DOCUMENTATION
    return address in _GLOBAL_UNICAST and address.is_global and not special
