"""Which addresses and ports may be called: public ones, and what an operator adds. The tables are IANA's (`infra/iana/`)."""

import ipaddress
from dataclasses import dataclass

from hookline.core.address_blocks import IPV4_SPECIAL, IPV6_ALLOCATED, IPV6_SPECIAL, METADATA

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_IPV4_SPECIAL = tuple(ipaddress.IPv4Network(block) for block in IPV4_SPECIAL)
_IPV6_SPECIAL = tuple(ipaddress.IPv6Network(block) for block in IPV6_SPECIAL)
_IPV6_ALLOCATED = tuple(ipaddress.IPv6Network(block) for block in IPV6_ALLOCATED)
_METADATA = tuple(ipaddress.ip_network(block) for block in METADATA)
# Where other protocols listen: a request there could be read as one of theirs. The Fetch standard's "bad ports".
_OTHER_PROTOCOLS = frozenset(
    int(port)
    for port in [
        "1",
        "7",
        "9",
        "11",
        "13",
        "15",
        "17",
        "19",
        "20",
        "21",
        "22",
        "23",
        "25",
        "37",
        "42",
        "43",
        "53",
        "69",
        "77",
        "79",
        "87",
        "95",
        "101",
        "102",
        "103",
        "104",
        "109",
        "110",
        "111",
        "113",
        "115",
        "117",
        "119",
        "123",
        "135",
        "137",
        "139",
        "143",
        "161",
        "179",
        "389",
        "427",
        "465",
        "512",
        "513",
        "514",
        "515",
        "526",
        "530",
        "531",
        "532",
        "540",
        "548",
        "554",
        "556",
        "563",
        "587",
        "601",
        "636",
        "989",
        "990",
        "993",
        "995",
        "1719",
        "1720",
        "1723",
        "2049",
        "3659",
        "4045",
        "4190",
        "5060",
        "5061",
        "6000",
        "6566",
        "6665",
        "6666",
        "6667",
        "6668",
        "6669",
        "6679",
        "6697",
        "10080",
    ]
)


@dataclass(frozen=True, slots=True)
class Reach:
    """What endpoints may be beside https on public addresses.

    `loopback`: this machine too, by http or https. `networks`: ranges that the operator allows. `plain_http`: http
    everywhere. `ports`: only these; none means all but those of other protocols. `own`: where we listen ourselves.
    """

    loopback: bool = False
    networks: tuple[Network, ...] = ()
    plain_http: bool = False
    ports: frozenset[int] = frozenset()
    own: tuple[tuple[str, int], ...] = ()

    def is_own(self, address: str, port: int) -> bool:
        """Whether we would call ourselves there: our API must not take a customer's request for one of this machine's."""
        ip = _plain(ipaddress.ip_address(address))
        return any(port == at and _listens(ipaddress.ip_address(host), ip) for host, at in self.own)


def may_be_called(address: str, reach: Reach) -> bool:
    """Whether a request may go to this IP address; False for what is no address at all."""
    try:
        ip = _plain(ipaddress.ip_address(address))
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address) and ip.scope_id is not None:
        return False  # an interface of this machine
    if ip.is_loopback:
        return reach.loopback
    if any(ip in network for network in _METADATA):
        return False
    return _is_public(ip) or any(ip in network for network in reach.networks)


def may_use_port(port: int, reach: Reach) -> bool:
    """Whether a request may go to this port."""
    return port in reach.ports if reach.ports else port not in _OTHER_PROTOCOLS


def _is_public(ip: Address) -> bool:
    if isinstance(ip, ipaddress.IPv4Address):
        return not any(ip in block for block in _IPV4_SPECIAL)
    return any(ip in block for block in _IPV6_ALLOCATED) and not any(ip in block for block in _IPV6_SPECIAL)


def _listens(host: Address, ip: Address) -> bool:
    return ip == host or (host.is_unspecified and ip.is_loopback)


def _plain(ip: Address) -> Address:
    """An IPv4 address that is written as one of IPv6 is what it stands for: that is where the request would go."""
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return ip if mapped is None else mapped
