from dataclasses import dataclass, replace

import pytest

from hookline.core.sealing import seal, unseal
from hookline.schemas.errors import ConfigError, ContractError
from hookline.schemas.records import SealedSecret

SECRET = "whsec_c2VjcmV0"
NONCE = bytes(range(12))


@dataclass(frozen=True, slots=True)
class Key:
    key_id: str
    key: bytes


OLD, NEW = Key("old", b"o" * 32), Key("new", b"n" * 32)


def sealed(secret: str = SECRET, key: Key = NEW) -> SealedSecret:
    return seal(secret, key=key, nonce=NONCE, account_id="acct_1", subscription_id="wh_1")


def opened(record: SealedSecret, *keys: Key, account_id: str = "acct_1", subscription_id: str = "wh_1") -> str:
    return unseal(record, keys=keys or (NEW,), account_id=account_id, subscription_id=subscription_id)


@pytest.mark.parametrize("secret", ["x", SECRET, "schl\u00fcssel \U0001f511\n\0", "s" * 500])
def test_a_sealed_secret_opens_to_what_it_was(secret: str) -> None:
    assert opened(sealed(secret)) == secret


def test_a_sealed_secret_shows_nothing_of_the_secret() -> None:
    assert b"c2VjcmV0" not in sealed().ciphertext
    assert len(sealed().ciphertext) == len(SECRET) + 16


def test_the_right_key_of_a_ring_opens_it() -> None:
    assert opened(sealed(key=OLD), NEW, OLD) == SECRET


def test_a_secret_of_an_unknown_key_names_the_key_that_is_wanted() -> None:
    with pytest.raises(ConfigError, match="wh_1: its secret is sealed with the master key new, which is not set"):
        opened(sealed(), OLD)


@pytest.mark.parametrize(
    ("account_id", "subscription_id"),
    [("acct_2", "wh_1"), ("acct_1", "wh_2"), ("acct_1w", "h_1"), ("wh_1", "acct_1"), ("", "acct_1wh_1")],
)
def test_a_secret_moved_to_another_owner_does_not_open(account_id: str, subscription_id: str) -> None:
    with pytest.raises(ContractError, match="does not open"):
        opened(sealed(), account_id=account_id, subscription_id=subscription_id)


@pytest.mark.parametrize(
    "spoilt",
    [
        replace(sealed(), nonce=bytes(12)),
        replace(sealed(), nonce=b""),
        replace(sealed(), nonce=b"1"),
        replace(sealed(), ciphertext=b""),
        replace(sealed(), ciphertext=sealed().ciphertext[:-1]),
        replace(sealed(), ciphertext=b"\0" + sealed().ciphertext[1:]),
        replace(sealed(key=OLD), key_id="new"),
    ],
)
def test_a_record_that_was_changed_does_not_open_and_says_nothing_of_the_secret(spoilt: SealedSecret) -> None:
    with pytest.raises(ContractError, match="wh_1: its secret does not open with the master key new") as raised:
        opened(spoilt)
    assert "c2VjcmV0" not in str(raised.value)
