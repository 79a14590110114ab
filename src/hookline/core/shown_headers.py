"""Headers as they are put on record: texts `Name: value`, in which nothing can be read that is secret.

Of a request all are kept that are sent, or would have been had there been a connection, also those that the HTTP client adds
(Host, Accept, User-Agent, Accept-Encoding, Content-Length; Authorization for a user in the URL). Signatures are shortened: enough to compare them with what arrived, and
too little to use. The customer's own values are masked, as they are wherever else they are shown.

Of an answer the beginning is kept, with the request's secrets masked as in its body, and cookies masked whole.
"""

from collections.abc import Mapping, Sequence

from hookline.core.masking import MASK
from hookline.core.redaction import BEGINNING_BYTES_MAX, redacted

ANSWER_HEADERS_MAX = 50
ANSWER_HEADERS_BYTES_MAX = 2 * 1024
_PLAIN = ("webhook-id", "webhook-timestamp", "X-Webhook-Event", "X-Webhook-Attempt")
_SIGNATURES = ("webhook-signature", "X-Webhook-Signature", "X-Webhook-Signature-Next")
_SHOWN_CHARACTERS = 8  # of a signature, behind its scheme
_COOKIE = b"set-cookie"
_MASKED = MASK.encode()
_BREAKS = bytes.maketrans(b"\r\n", b"  ")  # within a value they would look like one more header
# No text in a database may hold a NUL. Undone only in the end: before that it could hide a secret.
_PRINTABLE = bytes(32 if (each < 32 and each not in b"\t\n") or each == 127 else each for each in range(256))


def shown_ours(headers: Mapping[str, str]) -> tuple[str, ...]:
    """Those of a request's headers that are different each time."""
    shown = [f"{name}: {headers[name]}" for name in _PLAIN]
    shown += [f"{name}: {_shortened(headers[name])}" for name in _SIGNATURES if name in headers]
    return tuple(shown)


def shown_answers(raw_headers: Sequence[tuple[bytes, bytes]], secrets: Sequence[bytes]) -> tuple[str, ...]:
    """An answer's headers, as many as there is room for; `secrets` as `redacted` wants them."""
    # What is cut off of a secret is masked only where `redacted` cuts it off, so that comes first and the shorter cut after it.
    whole = redacted(_joined(raw_headers), secrets)[:ANSWER_HEADERS_BYTES_MAX]
    # A byte for a byte, since the bound is one in bytes.
    text = whole.translate(_PRINTABLE).decode(errors="replace").replace("\ufffd", "?")
    return tuple([line for line in text.split("\n") if ": " in line])


def _joined(raw_headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    """A line for each, the beginning of them all; all in one go if nothing about them is unusual, as with most answers."""
    joined = b"\n".join([b": ".join(pair) for pair in raw_headers[:ANSWER_HEADERS_MAX]])
    if joined.count(b"\n") == len(raw_headers) - 1 and b"\r" not in joined and _COOKIE not in joined.lower():
        return joined[:BEGINNING_BYTES_MAX]
    return b"\n".join(map(_line, raw_headers[:ANSWER_HEADERS_MAX]))[:BEGINNING_BYTES_MAX]


def _line(header: tuple[bytes, bytes]) -> bytes:
    name, value = header
    return b": ".join((name, _MASKED if name.lower().startswith(_COOKIE) else value)).translate(_BREAKS)


def _shortened(signatures: str) -> str:
    """Each signature's scheme, and how the rest of it begins: `v1,K5oZfzN9…`, `sha256=5d41402a…`."""
    return " ".join(map(_beginning, signatures.split(" ")))


def _beginning(signature: str) -> str:
    scheme, mark, rest = signature.partition("," if "," in signature else "=")
    return f"{scheme}{mark}{rest[:_SHOWN_CHARACTERS]}…"
