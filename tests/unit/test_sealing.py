from dataclasses import dataclass, replace
from itertools import permutations

import pytest

from hookline.core.sealing import Purpose, seal, unseal
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


def test_a_secret_that_was_sealed_before_there_were_other_purposes_opens() -> None:
    ciphertext = bytes.fromhex("ffd4b8ef9192e2ed400d13aecd52ae4974b34f097733d2b29dcaedafc651")
    assert opened(SealedSecret(key_id="new", nonce=NONCE, ciphertext=ciphertext)) == SECRET


@pytest.mark.parametrize("purpose", Purpose)
def test_what_is_sealed_for_a_purpose_opens_for_it(purpose: Purpose) -> None:
    ids = {"account_id": "acct_1", "subscription_id": "wh_1"}
    assert unseal(seal("x", key=NEW, nonce=NONCE, purpose=purpose, **ids), keys=[NEW], purpose=purpose, **ids) == "x"


@pytest.mark.parametrize(("sealed_for", "opened_for"), list(permutations(Purpose, 2)))
def test_what_is_sealed_for_one_purpose_opens_for_no_other(sealed_for: Purpose, opened_for: Purpose) -> None:
    ids = {"account_id": "acct_1", "subscription_id": "wh_1"}
    record = seal("x", key=NEW, nonce=NONCE, purpose=sealed_for, **ids)
    with pytest.raises(ContractError, match=f"wh_1: its {opened_for.noun} does not open"):
        unseal(record, keys=[NEW], purpose=opened_for, **ids)


def test_what_is_sealed_for_another_purpose_is_as_bound_to_its_owner() -> None:
    record = seal("x", key=NEW, nonce=NONCE, account_id="acct_1", subscription_id="wh_1", purpose=Purpose.URL)
    for account_id, subscription_id in (("acct_2", "wh_1"), ("acct_1", "wh_2")):
        with pytest.raises(ContractError):
            unseal(record, keys=[NEW], account_id=account_id, subscription_id=subscription_id, purpose=Purpose.URL)
