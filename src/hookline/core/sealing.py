"""Sealing of a subscription's secrets with AES-256-GCM, so that Kafka and its backups never hold one in clear.

What is sealed opens only for the purpose, the account and the subscription that it was sealed for.
"""

from collections.abc import Iterable
from enum import Enum
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hookline.schemas.errors import ConfigError, ContractError
from hookline.schemas.records import SealedSecret, Subscription


class Purpose(Enum):
    """What is sealed: the bytes that are bound into it, and its noun in messages. The bytes are in every record: they stay."""

    SECRET = b"hookline signing secret 1", "secret"
    HEADERS = b"hookline static headers 1", "set of static headers"
    URL = b"hookline endpoint url 1", "URL"
    REQUEST = b"hookline idempotent request 1", "digest of a request"

    def __init__(self, mark: bytes, noun: str) -> None:
        self.mark = mark
        self.noun = noun


class Key(Protocol):
    """A master key: 32 bytes, and the id that travels in the record."""

    @property
    def key_id(self) -> str: ...

    @property
    def key(self) -> bytes: ...


def seal(
    text: str,
    *,
    key: Key,
    nonce: bytes,
    account_id: str,
    subscription_id: str,
    purpose: Purpose = Purpose.SECRET,
) -> SealedSecret:
    """Encrypt a text for one subscription. `nonce`: 12 random bytes, never used twice with one key."""
    belongs_to = _associated_data(purpose, account_id, subscription_id)
    ciphertext = AESGCM(key.key).encrypt(nonce, text.encode(), belongs_to)
    return SealedSecret(key_id=key.key_id, nonce=nonce, ciphertext=ciphertext)


def unseal(
    sealed: SealedSecret,
    *,
    keys: Iterable[Key],
    account_id: str,
    subscription_id: str,
    purpose: Purpose = Purpose.SECRET,
) -> str:
    """The text in clear.

    ConfigError if its key is none of `keys`; ContractError if the record was changed, or belongs to another subscription
    or purpose.
    """
    key = next((each for each in keys if each.key_id == sealed.key_id), None)
    if key is None:
        raise ConfigError(
            f"{subscription_id}: its {purpose.noun} is sealed with the master key {sealed.key_id}, which is not set"
        )
    belongs_to = _associated_data(purpose, account_id, subscription_id)
    try:
        return AESGCM(key.key).decrypt(sealed.nonce, sealed.ciphertext, belongs_to).decode()
    except (InvalidTag, ValueError) as error:  # ValueError: a nonce of a length that GCM does not know, or no UTF-8
        raise ContractError(
            f"{subscription_id}: its {purpose.noun} does not open with the master key {sealed.key_id}"
        ) from error


def unseal_of(sealed: SealedSecret, subscription: Subscription, *, keys: Iterable[Key], purpose: Purpose) -> str:
    """The same of one of a subscription's own."""
    return unseal(
        sealed,
        keys=keys,
        account_id=subscription.account_id,
        subscription_id=subscription.subscription_id,
        purpose=purpose,
    )


def _associated_data(purpose: Purpose, account_id: str, subscription_id: str) -> bytes:
    # Each part bears its length, so that ("ab", "c") and ("a", "bc") differ.
    parts = (purpose.mark, account_id.encode(), subscription_id.encode())
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)
