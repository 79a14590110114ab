"""Blocks of addresses. Made by `python infra/iana/generate.py` from the tables there; do not edit."""

# Never public.
IPV4_SPECIAL = (
    "0.0.0.0/8",  # This network
    "10.0.0.0/8",  # Private-Use
    "100.64.0.0/10",  # Shared Address Space (carrier-grade NAT)
    "127.0.0.0/8",  # Loopback
    "169.254.0.0/16",  # Link Local
    "172.16.0.0/12",  # Private-Use
    "192.0.0.0/24",  # IETF Protocol Assignments
    "192.0.2.0/24",  # Documentation (TEST-NET-1)
    "192.31.196.0/24",  # AS112-v4
    "192.52.193.0/24",  # AMT
    "192.88.99.0/24",  # Deprecated (6to4 Relay Anycast)
    "192.168.0.0/16",  # Private-Use
    "192.175.48.0/24",  # Direct Delegation AS112 Service
    "198.18.0.0/15",  # Benchmarking
    "198.51.100.0/24",  # Documentation (TEST-NET-2)
    "203.0.113.0/24",  # Documentation (TEST-NET-3)
    "224.0.0.0/4",  # Multicast (registry of multicast addresses)
    "240.0.0.0/4",  # Reserved and Limited Broadcast
)

# Never public, though inside what is allocated or may be.
IPV6_SPECIAL = (
    "2001::/23",  # IETF Protocol Assignments (Teredo and AMT and AS112 and ORCHID among them)
    "2001:db8::/32",  # Documentation
    "2002::/16",  # 6to4
    "2620:4f:8000::/48",  # Direct Delegation AS112 Service
    "3fff::/20",  # Documentation
)

# Nothing else of IPv6 is public.
IPV6_ALLOCATED = (
    "2001:200::/23",  # APNIC
    "2001:400::/23",  # ARIN
    "2001:600::/23",  # RIPE NCC
    "2001:800::/22",  # RIPE NCC
    "2001:c00::/23",  # APNIC
    "2001:e00::/23",  # APNIC
    "2001:1200::/23",  # LACNIC
    "2001:1400::/22",  # RIPE NCC
    "2001:1800::/23",  # ARIN
    "2001:1a00::/23",  # RIPE NCC
    "2001:1c00::/22",  # RIPE NCC
    "2001:2000::/19",  # RIPE NCC
    "2001:4000::/23",  # RIPE NCC
    "2001:4200::/23",  # AFRINIC
    "2001:4400::/23",  # APNIC
    "2001:4600::/23",  # RIPE NCC
    "2001:4800::/23",  # ARIN
    "2001:4a00::/23",  # RIPE NCC
    "2001:4c00::/23",  # RIPE NCC
    "2001:5000::/20",  # RIPE NCC
    "2001:8000::/19",  # APNIC
    "2001:a000::/20",  # APNIC
    "2001:b000::/20",  # APNIC
    "2003::/18",  # RIPE NCC
    "2400::/12",  # APNIC
    "2410::/12",  # APNIC
    "2600::/12",  # ARIN
    "2610::/23",  # ARIN
    "2620::/23",  # ARIN
    "2630::/12",  # ARIN
    "2800::/12",  # LACNIC
    "2a00::/12",  # RIPE NCC
    "2a10::/12",  # RIPE NCC
    "2c00::/12",  # AFRINIC
)

# What answers here hands out a cloud's credentials: refused whatever an operator allows.
METADATA = (
    "169.254.169.254/32",  # Instance metadata (AWS and Azure and Google Cloud and most others)
    "169.254.170.2/32",  # AWS ECS task metadata
    "169.254.170.23/32",  # AWS EKS pod identity
    "168.63.129.16/32",  # Azure wire server: a public address that only exists inside Azure
    "100.100.100.200/32",  # Alibaba Cloud metadata
    "192.0.0.192/32",  # Oracle Cloud metadata
    "fd00:ec2::254/128",  # AWS metadata over IPv6
    "fd00:ec2::23/128",  # AWS EKS pod identity over IPv6
    "fd20:ce::254/128",  # Google Cloud metadata over IPv6
)
