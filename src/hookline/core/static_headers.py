"""Static headers: what a subscription adds to every request of its own.

A customer must not be able to speak for us, to the connection, or to what lies between. So refused are the names that we
set, those that belong to the connection (RFC 9110, 7.6.1), and those by which proxies tell an application who called it:
with them our requests could look as if they came from inside the receiver's network.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence

from hookline.schemas.errors import ContractError

HEADERS_MAX = 20
NAME_CHARACTERS_MAX = 100
VALUE_BYTES_MAX = 4 * 1024
VALUES_BYTES_MAX = 16 * 1024  # of all together: most servers take heads of 16 KiB to 32 KiB
THE_WHOLE = ""
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2
_VALUE = re.compile(r"(?:[!-~](?:[ \t!-~]*[!-~])?)?")
_OURS = "is set by Hookline, or kept away by it"
_CONNECTION = "belongs to the connection and not to the request"
_PROXIES = "tells who sent a request, which is not for a webhook to say"
# `proxy` becomes the variable HTTP_PROXY in CGI programs, which then send their own requests there (CVE-2016-5385).
_REFUSED: Mapping[str, str] = (
    dict.fromkeys(["accept-encoding", "cookie", "cookie2", "date", "expect", "host", "set-cookie", "user-agent"], _OURS)
    | dict.fromkeys(
        ["connection", "http2-settings", "keep-alive", "proxy", "te", "trailer", "transfer-encoding", "upgrade"],
        _CONNECTION,
    )
    | dict.fromkeys(
        ["cf-connecting-ip", "forwarded", "true-client-ip", "via", "x-client-ip", "x-cluster-client-ip", "x-real-ip"],
        _PROXIES,
    )
)
_REFUSED_PREFIXES: Mapping[str, str] = {
    "content-": _OURS,
    "webhook-": _OURS,
    "x-webhook-": _OURS,
    "proxy-": _CONNECTION,
    "x-forwarded-": _PROXIES,
}


def complaints_about_headers(headers: Mapping[str, str]) -> Sequence[tuple[str, str]]:
    """What is wrong with each header, as its name and a sentence; `THE_WHOLE` for the name if it is about all of them.

    No value is in a sentence, nor a name that is no name: somebody may have written a whole line there.
    """
    if len(headers) > HEADERS_MAX:
        return [(THE_WHOLE, f"are {len(headers)}; at most {HEADERS_MAX} are allowed")]
    found, seen = list[tuple[str, str]](), set[str]()
    for number, (name, value) in enumerate(headers.items(), start=1):
        complaint = _about_form(name)
        if complaint is not None:
            found.append((THE_WHOLE, f"have a name, number {number}, that {complaint}"))
            continue
        twice = "is there twice: upper and lower case make no difference" if name.lower() in seen else None
        seen.add(name.lower())
        found += [(name, each) for each in (twice, _about_meaning(name), _about_value(value)) if each is not None]
    values_bytes = sum(map(len, headers.values()))
    if values_bytes > VALUES_BYTES_MAX:
        found.append(
            (THE_WHOLE, f"have {values_bytes} bytes of values together; at most {VALUES_BYTES_MAX} are allowed")
        )
    return found


def sendable(headers: Mapping[str, str]) -> Mapping[str, str]:
    """Those that nothing in them speaks against: a record may be older than a rule, or have been written by another hand."""
    return {name: value for name, value in _first_of_each(headers) if _is_sendable(name, value)}


def write_headers(headers: Mapping[str, str]) -> str:
    """The text that is sealed."""
    return json.dumps(dict(headers), separators=(",", ":"))


def read_headers(text: str) -> Mapping[str, str]:
    """The headers that `write_headers` wrote. ContractError, which says nothing of the text, if it is anything else."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, dict) and all(isinstance(value, str) for value in found.values()):
        return found
    raise ContractError("a set of static headers is no JSON object of texts")


def _first_of_each(headers: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    seen = set[str]()
    for name, value in list(headers.items())[:HEADERS_MAX]:
        if name.lower() not in seen:
            yield name, value
        seen.add(name.lower())


def _is_sendable(name: str, value: str) -> bool:
    return (_about_form(name) or _about_meaning(name) or _about_value(value)) is None


def _about_form(name: str) -> str | None:
    if len(name) > NAME_CHARACTERS_MAX:
        return f"has {len(name)} characters; at most {NAME_CHARACTERS_MAX} are allowed"
    return None if _TOKEN.fullmatch(name) else "is not of letters, digits and !#$%&'*+-.^_`|~"


def _about_meaning(name: str) -> str | None:
    # Many servers make one variable of content-length and content_length.
    plain = name.lower().replace("_", "-")
    for prefix, reason in _REFUSED_PREFIXES.items():
        if plain.startswith(prefix):
            return reason
    return _REFUSED.get(plain)


def _about_value(value: str) -> str | None:
    if len(value) > VALUE_BYTES_MAX:
        return f"has a value of {len(value)} bytes; at most {VALUE_BYTES_MAX} are allowed"
    if _VALUE.fullmatch(value) is None:
        return "may have only printable ASCII as value, with spaces and tabs inside but not at its ends"
    return None
