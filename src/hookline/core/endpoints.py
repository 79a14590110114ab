"""Which URLs a subscription may name. Looks at the text alone; what a name resolves to is judged when it is called."""

import ipaddress
import re
from contextlib import suppress
from urllib.parse import SplitResult, urlsplit

import idna

from hookline.core.address import Reach, may_be_called, may_use_port

URL_CHARACTERS_MAX = 2_048
_HOST_CHARACTERS_MAX = 253  # RFC 1035, without the final dot
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
# `urlsplit` of some Python versions lets anything stand after the bracket, and who sends cannot read such a URL.
_BRACKETED = re.compile(r"\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?")
_LOCAL_NAMES = ("localhost", "local", "internal", "home.arpa")  # RFC 6761, 6762, 9476 (draft), 8375


def complaint_about_url(url: str, reach: Reach) -> str | None:
    """What is wrong with an endpoint's URL, as a sentence without the URL; None if nothing is.

    Where this machine may be called, it may be as 127.0.0.1, [::1] or localhost. Where networks were allowed, names that
    only they know may stand in URLs as well.
    """
    complaint = _about_text(url)
    if complaint is not None:
        return complaint
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "is no URL: its host or port can't be read"
    return _about_parts(parts, port) or _about_host(parts, reach) or _about_port(parts, port, reach)


def _about_text(url: str) -> str | None:
    if len(url) > URL_CHARACTERS_MAX:
        return f"has {len(url)} characters; at most {URL_CHARACTERS_MAX} are allowed"
    if not url.isprintable() or any(each.isspace() for each in url):
        return "has a space or a control character; write it percent-encoded"
    if "\\" in url:
        return "has a backslash; write it percent-encoded"
    if "#" in url:
        return "must not have a fragment (#)"
    return None


def _about_parts(parts: SplitResult, port: int | None) -> str | None:
    if parts.scheme not in {"http", "https"}:
        return "must begin with https://"
    if not parts.hostname:
        return "has no host"
    if "@" in parts.netloc:
        return "must not have a user name or password"
    if set(parts.netloc) & set("[]") and _BRACKETED.fullmatch(parts.netloc) is None:
        return "is no URL: in brackets there must be an IPv6 address, and behind them nothing but a port"
    if port == 0 or parts.netloc.endswith(":"):
        return "must have a port from 1 to 65535, or none"
    return None


def _about_host(parts: SplitResult, reach: Reach) -> str | None:
    host = _ascii_host(parts.hostname or "")
    if host is None:
        return "has a host that is no valid name; write it in its ASCII form (xn--...)"
    is_address = _is_address(host, is_bracketed="[" in parts.netloc)
    if reach.loopback and (host == "localhost" or (is_address and _is_loopback(host))):
        return None
    if parts.scheme != "https" and not reach.plain_http:
        return "must begin with https://"
    if not is_address:
        return _about_name(host, reach)
    return None if may_be_called(host, reach) else "must have a public address as host"


def _about_port(parts: SplitResult, port: int | None, reach: Reach) -> str | None:
    number = port or (443 if parts.scheme == "https" else 80)
    if may_use_port(number, reach):
        return None
    if reach.ports:
        return f"must not have port {number}; allowed are {', '.join(map(str, sorted(reach.ports)))}"
    return f"must not have port {number}, which is another protocol's"


def _ascii_host(host: str) -> str | None:
    """The host as DNS knows it; None if there is no one way to write it so."""
    if host.isascii():
        return host
    try:
        encoded = idna.encode(host).decode()
        # Where the two editions of IDNA differ (as for ß), two clients would call two different hosts.
        return encoded if encoded == host.encode("idna").decode() else None
    except ValueError:  # idna.IDNAError and UnicodeError both are
        return None


def _stands_for_text(name: str) -> bool:
    """Whether its labels in ASCII form (xn--...), read as who sends will read them, stand for anything."""
    with suppress(UnicodeError):  # idna.IDNAError is one
        idna.decode(name.encode())
        return True
    with suppress(UnicodeError):  # IDNA 2003
        name.encode().decode("idna")
        return True
    return False


def _is_address(host: str, *, is_bracketed: bool) -> bool:
    try:
        ipaddress.IPv6Address(host) if is_bracketed else ipaddress.IPv4Address(host)
    except ValueError:
        return False
    return True


def _is_loopback(address: str) -> bool:
    return may_be_called(address, Reach(loopback=True)) and not may_be_called(address, Reach())


def _about_name(host: str, reach: Reach) -> str | None:
    name = host.removesuffix(".")
    labels = name.split(".")
    is_one = len(name) <= _HOST_CHARACTERS_MAX and all(_LABEL.fullmatch(label) for label in labels)
    if not is_one or not _stands_for_text(name):
        return "has a host that is no valid name"
    if _NUMBER.fullmatch(labels[-1]):
        # Resolvers read 127.1, 0x7f.1 and 2130706433 as addresses, each in its own way.
        return "has an address as host that is not written as four decimal numbers or as [IPv6]"
    if labels[-1] == "localhost":
        return "must have a public host name"
    is_local = len(labels) == 1 or any(f".{name}".endswith(f".{local}") for local in _LOCAL_NAMES)
    return "must have a public host name" if is_local and not reach.networks else None
