import pytest

from hookline.core.address import may_be_called

REFUSED = [
    "10.0.0.1",
    "172.16.0.1",
    "192.168.0.1",
    "100.64.0.1",
    "169.254.169.254",
    "0.0.0.1",
    "255.255.255.255",
    "224.0.0.1",
    "192.0.0.192",
    "192.0.2.1",
    "198.18.0.1",
    "203.0.113.6",
    "240.0.0.1",
    "::",
    "fe80::1",
    "fc00::1",
    "ff02::2",
    "2001:db8::1",
    "64:ff9b::a00:1",
    "2002:7f00:1::",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "nonsense",
    "1.2.3",
]


@pytest.mark.parametrize("address", REFUSED)
@pytest.mark.parametrize("loopback", [True, False])
def test_special_addresses_are_refused_always(address: str, loopback: bool) -> None:
    assert not may_be_called(address, loopback=loopback)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"])
def test_loopback_is_called_only_where_the_operator_says_so(address: str) -> None:
    assert may_be_called(address, loopback=True)
    assert not may_be_called(address, loopback=False)


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.216.34", "2606:4700:4700::1111"])
def test_public_addresses_may_be_called(address: str) -> None:
    assert may_be_called(address, loopback=False)
