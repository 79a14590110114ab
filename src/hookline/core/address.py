"""Which addresses may be called: public ones, and loopback where the operator says so."""

import ipaddress

# Not global by their registries, but `is_global` of some Python versions lets them through.
_REFUSED = tuple(
    ipaddress.ip_network(text)
    for text in ("192.0.0.0/24", "192.88.99.0/24", "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16")
)


def may_be_called(address: str, *, loopback: bool) -> bool:
    """Whether a request may go to this IP address; False for what is no address at all."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    if ip.is_loopback:
        return loopback
    in_refused = any(ip.version == network.version and ip in network for network in _REFUSED)
    return ip.is_global and not ip.is_multicast and not ip.is_reserved and not in_refused
