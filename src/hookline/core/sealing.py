"""Sealing of signing secrets with AES-256-GCM, so that Kafka and its backups never hold one in clear.

A sealed secret opens only for the account and the subscription that it was sealed for.
"""

from collections.abc import Iterable
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hookline.schemas.errors import ConfigError, ContractError
from hookline.schemas.records import SealedSecret

_PURPOSE = b"hookline signing secret 1"


class Key(Protocol):
    """A master key: 32 bytes, and the id that travels in the record."""

    @property
    def key_id(self) -> str: ...

    @property
    def key(self) -> bytes: ...


def seal(secret: str, *, key: Key, nonce: bytes, account_id: str, subscription_id: str) -> SealedSecret:
    """Encrypt a secret for one subscription. `nonce`: 12 random bytes, never used twice with one key."""
    belongs_to = _associated_data(account_id, subscription_id)
    ciphertext = AESGCM(key.key).encrypt(nonce, secret.encode(), belongs_to)
    return SealedSecret(key_id=key.key_id, nonce=nonce, ciphertext=ciphertext)


def unseal(sealed: SealedSecret, *, keys: Iterable[Key], account_id: str, subscription_id: str) -> str:
    """The secret in clear.

    ConfigError if its key is none of `keys`; ContractError if the record was changed or belongs to another subscription.
    """
    key = next((each for each in keys if each.key_id == sealed.key_id), None)
    if key is None:
        raise ConfigError(
            f"{subscription_id}: its secret is sealed with the master key {sealed.key_id}, which is not set"
        )
    belongs_to = _associated_data(account_id, subscription_id)
    try:
        return AESGCM(key.key).decrypt(sealed.nonce, sealed.ciphertext, belongs_to).decode()
    except (InvalidTag, ValueError) as error:  # ValueError: a nonce of a length that GCM does not know, or no UTF-8
        raise ContractError(
            f"{subscription_id}: its secret does not open with the master key {sealed.key_id}"
        ) from error


def _associated_data(account_id: str, subscription_id: str) -> bytes:
    # Each part bears its length, so that ("ab", "c") and ("a", "bc") differ.
    parts = (_PURPOSE, account_id.encode(), subscription_id.encode())
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)
