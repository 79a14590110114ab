"""Signatures of webhooks: how they are made, and how a receiver checks them.

Two schemes go with every request. The contract's `X-Webhook-Signature` is over the body alone. The trio of Standard
Webhooks (https://www.standardwebhooks.com) is over id, time and body, so it also tells an old request from a new one.
"""

import base64
import hmac
from collections.abc import Mapping
from enum import StrEnum

_PREFIX = "whsec_"
_TIMESTAMP_DIGITS_MAX = 12  # seconds until the year 33658; anything longer is no time
_SIGNATURES_MAX = 16  # far more than the secrets that one endpoint ever has at a time
_TOLERANCE_S = 300  # Standard Webhooks, "Verifying webhook authenticity", and what its libraries use


class Signer:
    """Signs with one secret, whose keys it works out once. Immutable, so it can be kept and shared."""

    __slots__ = ("_standard_key", "_text_key")

    def __init__(self, secret: str) -> None:
        self._text_key = secret.encode()
        self._standard_key = standard_key(secret)

    def headers(self, *, delivery_id: str, timestamp_s: int, body: bytes) -> dict[str, str]:
        """The signature headers of one request, sent at `timestamp_s` (Unix seconds)."""
        return {
            "X-Webhook-Signature": self.contract_signature(body),
            "webhook-id": delivery_id,
            "webhook-timestamp": str(timestamp_s),
            "webhook-signature": self.standard_signature(
                signed_content(delivery_id=delivery_id, timestamp_s=timestamp_s, body=body)
            ),
        }

    def contract_signature(self, body: bytes) -> str:
        """The value of `X-Webhook-Signature`; its key is the secret's text, as in the contract's examples."""
        return f"sha256={hmac.digest(self._text_key, body, 'sha256').hex()}"

    def standard_signature(self, content: bytes) -> str:
        """The value of `webhook-signature` for `id.timestamp.body`."""
        digest = hmac.digest(self._standard_key, content, "sha256")
        return f"v1,{base64.b64encode(digest).decode()}"


def headers_of_two(
    current: Signer, coming: Signer, *, delivery_id: str, timestamp_s: int, body: bytes
) -> dict[str, str]:
    """The signature headers while a secret is being changed: receivers find the one they know, in either scheme.

    `X-Webhook-Signature` stays with the current secret, which is all that the contract's handlers look at.
    """
    headers = current.headers(delivery_id=delivery_id, timestamp_s=timestamp_s, body=body)
    standard = coming.standard_signature(signed_content(delivery_id=delivery_id, timestamp_s=timestamp_s, body=body))
    headers["X-Webhook-Signature-Next"] = coming.contract_signature(body)
    headers["webhook-signature"] = f"{headers['webhook-signature']} {standard}"
    return headers


def signed_content(*, delivery_id: str, timestamp_s: int, body: bytes) -> bytes:
    """What every entry of `webhook-signature` is over."""
    return f"{delivery_id}.{timestamp_s}.".encode() + body


def signature_headers(*, secret: str, delivery_id: str, timestamp_s: int, body: bytes) -> dict[str, str]:
    """The signature headers of one request; who signs often keeps a `Signer`."""
    return Signer(secret).headers(delivery_id=delivery_id, timestamp_s=timestamp_s, body=body)


def standard_key(secret: str) -> bytes:
    """The key of the Standard Webhooks trio: what the base64 of a `whsec_` secret says, of any other its bytes.

    What follows `whsec_` must be standard base64, and not empty; else the secret is plain text. Its padding may be missing:
    receivers' libraries take it so.
    """
    encoded = secret.removeprefix(_PREFIX)
    if encoded == secret:
        return secret.encode()
    padding = "" if encoded.endswith("=") else "=" * (-len(encoded) % 4)
    try:
        return base64.b64decode(encoded + padding, validate=True) or secret.encode()
    except ValueError:  # not base64, or not even ASCII
        return secret.encode()


class Authenticity(StrEnum):
    """What a receiver can say of a request."""

    VERIFIED = "verified"
    UNSIGNED = "a signature header is missing"
    FORGED = "a signature does not match the body"
    STALE = "webhook-timestamp is no time within five minutes of now"


def verify(*, secret: str, headers: Mapping[str, str], body: bytes, now_s: float) -> Authenticity:
    """Check both schemes as a receiver does; header names may be in any case. Nothing a sender writes raises."""
    given = {name.lower(): value for name, value in headers.items()}
    try:
        names = ("x-webhook-signature", "webhook-id", "webhook-timestamp", "webhook-signature")
        contract, delivery_id, timestamp, standard = (given[name] for name in names)
    except KeyError:
        return Authenticity.UNSIGNED
    signer = Signer(secret)
    content = _bytes(f"{delivery_id}.{timestamp}.") + body
    contracts = f"{contract} {given.get('x-webhook-signature-next', '')}"  # while a secret is being changed
    is_signed = _any_same(contracts, signer.contract_signature(body))
    if not (is_signed and _any_same(standard, signer.standard_signature(content))):
        return Authenticity.FORGED
    return Authenticity.VERIFIED if _is_recent(timestamp, now_s) else Authenticity.STALE


def _any_same(signatures: str, expected: str) -> bool:
    """Whether one of the signatures fits: while a secret is being changed there is one for each."""
    given = signatures.split(" ", maxsplit=_SIGNATURES_MAX)[:_SIGNATURES_MAX]
    return any(_same(signature, expected) for signature in given)


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(_bytes(given), _bytes(expected))


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogatepass")  # a header may hold any bytes, which servers hand over as surrogates


def _is_recent(timestamp: str, now_s: float) -> bool:
    is_number = timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= _TIMESTAMP_DIGITS_MAX
    return is_number and abs(now_s - int(timestamp)) <= _TOLERANCE_S
