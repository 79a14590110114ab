"""Which addresses may be called: public ones, and loopback where the operator says so."""

import ipaddress

# Not global by their registries, or reachable only inside a cloud, but `is_global` of some Python versions lets them through.
_REFUSED = tuple(
    ipaddress.ip_network(text)
    for text in (
        "192.0.0.0/24",
        "192.88.99.0/24",
        "168.63.129.16/32",
        "224.0.0.0/3",
        "2001::/23",
        "2001:db8::/32",
        "2002::/16",
        "3fff::/20",
    )
)
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")  # nothing outside is public: RFC 4291, 2.4


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
    if isinstance(ip, ipaddress.IPv6Address) and (ip not in _GLOBAL_UNICAST or ip.scope_id is not None):
        return False
    return ip.is_global and not any(ip in network for network in _REFUSED)
