"""Links that let someone into the console for a while: what they allow is written in them, and signed.

`hll_<payload>.<signature>`, both in URL-safe base64. Nothing is kept of a link: it ends with its time, with the API key that
made it, or with the master key that signed it.
"""

import base64
import binascii
import hmac
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

_PREFIX = "hll_"
_CHARACTERS_MAX = 1_000
_PURPOSE = b"hookline console link 1"


class Key(Protocol):
    """A master key: 32 bytes, and its id."""

    @property
    def key_id(self) -> str: ...

    @property
    def key(self) -> bytes: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """Lets in whoever has it, into one account, until `expires_at_ms`. `made_by` is the id of the API key that made it."""

    account_id: str
    scopes: str
    expires_at_ms: int
    made_by: str


def write(link: Link, *, key: Key) -> str:
    """The link's token."""
    values = [key.key_id, link.account_id, link.scopes, link.expires_at_ms, link.made_by]
    payload = _encoded(json.dumps(values, separators=(",", ":")).encode())
    return f"{_PREFIX}{payload}.{_encoded(_signature(payload, key))}"


def is_link(text: str) -> bool:
    """Whether it wants to be a link's token; whether it is one, `read` says."""
    return text.startswith(_PREFIX)


def read(text: str, *, keys: Iterable[Key], now_ms: int) -> Link | None:
    """The link of a token; None if it was not signed with one of these keys, or its time is over."""
    payload, _, signature = text.removeprefix(_PREFIX).partition(".")
    if not is_link(text) or len(text) > _CHARACTERS_MAX or not text.isascii():
        return None
    signing = next((each for each in keys if hmac.compare_digest(signature, _encoded(_signature(payload, each)))), None)
    if signing is None:
        return None
    key_id, account_id, scopes, expires_at_ms, made_by = json.loads(_decoded(payload))
    if key_id != signing.key_id or now_ms >= expires_at_ms:
        return None
    return Link(account_id=account_id, scopes=scopes, expires_at_ms=expires_at_ms, made_by=made_by)


def _signature(payload: str, key: Key) -> bytes:
    # A key of its own for this purpose: the master key itself only ever seals.
    return hmac.digest(hmac.digest(key.key, _PURPOSE, "sha256"), payload.encode(), "sha256")


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:  # signed by us, so it was written by us
        raise AssertionError("a signed link that is no base64") from error
