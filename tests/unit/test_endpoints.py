from ipaddress import ip_network

import pytest
from yarl import URL

from hookline.core.address import Reach
from hookline.core.endpoints import URL_CHARACTERS_MAX, complaint_about_url


@pytest.mark.parametrize(
    "url",
    [
        "https://your-app.com/webhooks/handler",
        "HTTPS://Your-App.com",
        "https://example.com:65535/path?a=1&b=%20",
        "https://example.com./",
        "https://123.example/",
        "https://127.0.0.1.example/",
        "https://my_tenant.example.com/",
        "https://8.8.8.8/",
        "https://[2606:4700:4700::1111]:8443/hook",
        "https://xn--bcher-kva.example/",
        "https://xn--fa-hia.de/",
        "https://xn--99d2j9j.com/",
        "https://xn--i-7iq.example/",
        "https://b\u00fccher.example/",
        "https://example.com/" + "a" * (URL_CHARACTERS_MAX - 20),
    ],
)
def test_a_public_https_url_is_right_and_the_http_client_reads_it_alike(url: str) -> None:
    assert complaint_about_url(url, Reach()) is None
    assert URL(url).scheme == "https"
    assert URL(url).host
    assert URL(url).user is None


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "https://"),
        ("example.com/hook", "https://"),
        ("http://example.com/", "https://"),
        ("ftp://example.com/", "https://"),
        ("javascript:alert(1)", "https://"),
        ("https://", "no host"),
        ("https:///path", "no host"),
        ("https://:443/", "no host"),
        ("https://user@example.com/", "user name"),
        ("https://user:pass@example.com/", "user name"),
        ("https://@example.com/", "user name"),
        ("https://example.com/#part", "fragment"),
        ("https://example.com/#", "fragment"),
        ("https://example.com:0/", "port"),
        ("https://example.com:/", "port"),
        ("https://example.com:65536/", "port"),
        ("https://example.com:8a/", "port"),
        ("https://example.com:+80/", "port"),
        ("https://[::1", "can't be read"),
        ("https://[127.0.0.1]/", "can't be read"),
        ("https://[2606:4700:4700::1111]foo/", "IPv6"),
        ("https://[2606:4700:4700::1111];/", "IPv6"),
        ("https://[2606:4700:4700::1111]\u0663/", "IPv6"),
        ("https://[2606:4700:4700::1111%25eth0]/", "IPv6"),
        ("https://[v1.x]/", "IPv6"),
        ("https://exa mple.com/", "space"),
        (" https://example.com/", "space"),
        ("https://example.com/\r\nX-Injected: 1", "control character"),
        ("https://example.com/\0", "control character"),
        ("https://example.com/\u2028", "control character"),
        ("https://exam\u200bple.com/", "control character"),
        ("https://example.com\\@127.0.0.1/", "backslash"),
        ("https://example.com/" + "a" * URL_CHARACTERS_MAX, "at most 2048"),
        ("https://" + "a." * 130 + "com/", "no valid name"),
        ("https://" + "a" * 64 + ".com/", "no valid name"),
        ("https://a..com/", "no valid name"),
        ("https://-a.com/", "no valid name"),
        ("https://example.com%00.evil.test/", "no valid name"),
        ("https://mi\u00dfile.com/", "no valid name"),
        ("https://\u24d4xample.com/", "no valid name"),
        ("https://xn--a\u00e4.com/", "no valid name"),
        ("https://xn--a.com/", "no valid name"),
        ("https://www.xn--99999999999.com/", "no valid name"),
        ("https://2130706433/", "four decimal numbers"),
        ("https://0x7f000001/", "four decimal numbers"),
        ("https://127.1/", "four decimal numbers"),
        ("https://0177.0.0.1/", "four decimal numbers"),
        ("https://1.1.1.1.1/", "four decimal numbers"),
        ("https://93.184.216.34./", "four decimal numbers"),
        ("https://redis/", "public host name"),
        ("https://LOCALHOST/", "public host name"),
        ("https://foo.localhost./", "public host name"),
        ("https://printer.local/", "public host name"),
        ("https://metadata.google.internal/", "public host name"),
        ("https://127.0.0.1/", "public address"),
        ("https://10.0.0.1/", "public address"),
        ("https://169.254.169.254/latest", "public address"),
        ("https://168.63.129.16/", "public address"),
        ("https://192.0.0.192/", "public address"),
        ("https://224.0.0.1/", "public address"),
        ("https://[::1]/", "public address"),
        ("https://[::]/", "public address"),
        ("https://[::ffff:127.0.0.1]/", "public address"),
        ("https://[64:ff9b::7f00:1]/", "public address"),
        ("https://[2002:7f00:1::]/", "public address"),
        ("https://[fe80::1%25eth0]/", "IPv6"),
        ("https://[feef::1]/", "public address"),
    ],
)
def test_any_other_url_is_complained_about(url: str, said: str) -> None:
    complaint = complaint_about_url(url, Reach())
    assert complaint is not None
    assert said in complaint


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9000/hook", "http://localhost:9000", "http://[::1]:9000/", "https://127.5.5.5/"]
)
def test_this_machine_may_be_called_where_the_operator_says_so(url: str) -> None:
    assert complaint_about_url(url, Reach(loopback=True)) is None
    assert complaint_about_url(url, Reach()) is not None


@pytest.mark.parametrize(
    "url", ["http://example.com/", "http://10.0.0.1/", "https://10.0.0.1/", "http://foo.localhost/"]
)
def test_nothing_else_may_be_called_for_that(url: str) -> None:
    assert complaint_about_url(url, Reach(loopback=True)) is not None


@pytest.mark.parametrize("reach", [Reach(), Reach(loopback=True), Reach(plain_http=True)])
def test_the_http_client_can_read_whatever_is_accepted(reach: Reach) -> None:
    heads = ("https://[2606:4700::1111]", "http://[::1]", "https://[::1", "http://localhost", "https://example.com")
    tails = ("", "foo", ";", ":443", ":", "]", "[", "%25eth0]", "\u00e9", ".", "@", "\uff10", "\u3002a", "/[", "?]")
    urls = [head + first + second for head in heads for first in tails for second in tails]
    accepted = [url for url in urls if complaint_about_url(url, reach) is None]
    assert accepted
    assert all(URL(url).host for url in accepted)


@pytest.mark.parametrize(
    ("url", "reach", "said"),
    [
        ("https://example.com:25/", Reach(), "port 25, which is another protocol's"),
        ("http://example.com:22/", Reach(plain_http=True), "port 22"),
        ("https://example.com:8443/", Reach(ports=frozenset((443, 80))), "port 8443; allowed are 80, 443"),
        ("http://example.com/", Reach(plain_http=True, ports=frozenset((443,))), "port 80"),
        ("https://10.0.0.1/", Reach(networks=(ip_network("10.0.0.0/24"),)), None),
        ("https://10.0.1.1/", Reach(networks=(ip_network("10.0.0.0/24"),)), "public address"),
        ("http://10.0.0.1/", Reach(networks=(ip_network("10.0.0.0/24"),)), "https://"),
        ("https://hooks.shop.svc.cluster.local/", Reach(networks=(ip_network("10.0.0.0/24"),)), None),
        ("https://hooks/", Reach(networks=(ip_network("10.0.0.0/24"),)), None),
        ("https://localhost/", Reach(networks=(ip_network("10.0.0.0/24"),)), "public host name"),
        ("http://example.com/", Reach(plain_http=True), None),
    ],
)
def test_what_an_operator_allows_or_forbids(url: str, reach: Reach, said: str | None) -> None:
    complaint = complaint_about_url(url, reach)
    assert complaint is said if said is None or complaint is None else said in complaint
