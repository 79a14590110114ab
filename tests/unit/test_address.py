import ipaddress
import sys

import pytest

from fakes.cases import cases, kinds
from hookline.core.address import Reach, may_be_called, may_use_port
from hookline.core.endpoints import complaint_about_url
from hookline.runtime.settings import Settings

PUBLIC = Reach()
ALLOWED = ("10.0.0.0/8", "169.254.0.0/16", "100.64.0.0/10", "fd00::/8", "168.63.129.0/24")


def test_no_case_is_of_a_kind_that_no_test_reads() -> None:
    """`dns`, `redirect`, `proxy` and `self` are in tests/contract/test_guard.py, `header` in test_static_headers.py."""
    found = kinds()
    assert (len(found), set(found)) == (198, {"ip", "url", "dns", "redirect", "header", "proxy", "self"})


@pytest.mark.parametrize(("name", "address", "_resolved", "expected"), cases("ip"))
def test_an_address_is_judged_as_its_case_says(name: str, address: str, _resolved: str, expected: str) -> None:
    assert ("allow" if may_be_called(address, PUBLIC) else "deny") == expected, name


@pytest.mark.parametrize(("name", "url", "resolved", "expected"), cases("url"))
def test_a_url_is_judged_as_its_case_says(name: str, url: str, resolved: str, expected: str) -> None:
    is_right = complaint_about_url(url, PUBLIC) is None
    is_right = is_right and all(may_be_called(address, PUBLIC) for address in resolved.split(",") if address)
    assert ("allow" if is_right else "deny") == expected, name


@pytest.mark.parametrize(("name", "url", "_resolved", "_expected"), cases("dns"))
def test_a_name_is_judged_by_its_addresses_and_not_by_its_url(
    name: str, url: str, _resolved: str, _expected: str
) -> None:
    assert complaint_about_url(url.replace(".test/", ".example/"), PUBLIC) is None, name


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"])
def test_loopback_is_called_only_where_the_operator_says_so(address: str) -> None:
    assert may_be_called(address, Reach(loopback=True))
    assert not may_be_called(address, PUBLIC)
    assert not may_be_called(
        address, Reach(networks=(ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::/0")))
    )


@pytest.mark.parametrize(
    ("address", "may"),
    [
        ("10.1.2.3", True),
        ("::ffff:10.1.2.3", True),
        ("fd12::1", True),
        ("192.168.0.1", False),
        ("169.254.1.1", True),
        ("169.254.169.254", False),
        ("::ffff:169.254.169.254", False),
        ("169.254.170.2", False),
        ("100.100.100.200", False),
        ("168.63.129.16", False),
        ("fd00:ec2::254", False),
        ("1.1.1.1", True),
    ],
)
def test_an_operator_can_allow_networks_but_never_a_clouds_metadata(address: str, may: bool) -> None:
    reach = Settings.from_env({"HOOKLINE_ENDPOINT_NETWORKS": ", ".join(ALLOWED)}).reach()
    assert may_be_called(address, reach) is may


@pytest.mark.parametrize("address", ["nonsense", "", "1.2.3", "fe80::1%eth0", "2606:4700::1%1", "0x7f.1"])
def test_what_is_no_address_is_not_called(address: str) -> None:
    assert not may_be_called(address, Reach(loopback=True, networks=(ipaddress.ip_network("::/0"),)))


@pytest.mark.parametrize(
    ("port", "ports", "may"),
    [
        (443, (), True),
        (80, (), True),
        (65_535, (), True),
        (25, (), False),
        (6_667, (), False),
        (443, (443,), True),
        (8_443, (443,), False),
        (25, (25,), True),
    ],
)
def test_ports_of_other_protocols_are_not_called_or_only_those_that_are_allowed(
    port: int, ports: tuple[int, ...], may: bool
) -> None:
    assert may_use_port(port, Reach(ports=frozenset(ports))) is may


@pytest.mark.parametrize(
    ("api_host", "address", "port", "own"),
    [
        ("127.0.0.1", "127.0.0.1", 8_080, True),
        ("127.0.0.1", "127.0.0.1", 8_081, False),
        ("127.0.0.1", "127.0.0.2", 8_080, False),
        ("0.0.0.0", "127.0.0.2", 8_080, True),  # noqa: S104 - what an operator may write
        ("::", "::1", 8_080, True),
        ("localhost", "::ffff:127.0.0.1", 8_080, True),
        ("api.example.com", "127.0.0.1", 8_080, False),
    ],
)
def test_our_own_api_is_no_endpoint(api_host: str, address: str, port: int, own: bool) -> None:
    assert Settings(api_host=api_host, api_port=8_080).reach().is_own(address, port) is own


def test_these_tables_refuse_more_than_python_does() -> None:
    """Why not `ipaddress.is_global`: it differs by version, and lets through much of what must not be called."""
    refused = [address for _, address, _, expected in cases("ip") if expected == "deny"]
    assert any(ipaddress.ip_address(address).is_global for address in refused), sys.version
