"""Sealing anew under a new master key: everything opens with it alone, and nothing else has changed."""

from dataclasses import replace

import pytest

from fakes.configuration import MASTER_KEY, SECRET, sealed_for, subscription
from hookline.core.rewrapping import forgets, key_ids, rewrapped
from hookline.core.sealing import Purpose, seal, unseal
from hookline.runtime.draw import sealing_nonce
from hookline.runtime.settings import MasterKey
from hookline.schemas.errors import ConfigError, ContractError
from hookline.schemas.records import SealedSecret, Subscription

NEW = MasterKey("k2", bytes(range(1, 33)))
URL = "https://example.com/hook?token=canary"


def sealed(text: str, purpose: Purpose, of: Subscription) -> SealedSecret:
    return seal(
        text,
        key=MASTER_KEY,
        nonce=sealing_nonce(),
        account_id=of.account_id,
        subscription_id=of.subscription_id,
        purpose=purpose,
    )


def opened(value: SealedSecret | None, purpose: Purpose, of: Subscription, *keys: MasterKey) -> str:
    assert value is not None
    return unseal(value, keys=keys, account_id=of.account_id, subscription_id=of.subscription_id, purpose=purpose)


def full() -> Subscription:
    bare = subscription("https://example.com/hook?***")
    return replace(
        bare,
        next_secret=sealed("coming", Purpose.SECRET, bare),
        next_secret_from_ms=1,
        headers=sealed('{"X-Token":"canary"}', Purpose.HEADERS, bare),
        header_names=("X-Token",),
        sealed_url=sealed(URL, Purpose.URL, bare),
        asked=sealed("digest", Purpose.REQUEST, bare),
    )


def test_everything_that_is_sealed_opens_with_the_new_key_alone() -> None:
    before = full()
    after = rewrapped(before, keys=(NEW, MASTER_KEY), nonce=sealing_nonce)
    assert (sorted(key_ids(before)), sorted(key_ids(after))) == (["k1"], ["k2"])
    assert opened(after.secret, Purpose.SECRET, after, NEW) == SECRET
    assert opened(after.next_secret, Purpose.SECRET, after, NEW) == "coming"
    assert opened(after.headers, Purpose.HEADERS, after, NEW) == '{"X-Token":"canary"}'
    assert opened(after.sealed_url, Purpose.URL, after, NEW) == URL
    assert opened(after.asked, Purpose.REQUEST, after, NEW) == "digest"
    unsealed = {"secret", "next_secret", "headers", "sealed_url", "asked"}
    assert {name: getattr(before, name) for name in before.__dataclass_fields__ if name not in unsealed} == {
        name: getattr(after, name) for name in after.__dataclass_fields__ if name not in unsealed
    }


def test_every_sealed_field_of_a_subscription_is_rewrapped() -> None:
    """A field that is added to the record and forgotten here would be lost with the old key."""
    sealed_fields = {
        name
        for name, value in ((name, getattr(full(), name)) for name in full().__dataclass_fields__)
        if isinstance(value, SealedSecret)
    }
    hints = Subscription.__annotations__
    assert sealed_fields == {name for name, hint in hints.items() if "SealedSecret" in str(hint)}


def test_what_is_sealed_under_the_newest_key_stays_as_it_is() -> None:
    before = full()
    assert rewrapped(before, keys=(MASTER_KEY, NEW), nonce=sealing_nonce) is before


def test_a_url_with_a_query_that_an_older_release_left_in_clear_is_sealed() -> None:
    before = replace(subscription("https://example.com/a"), url=URL)
    after = rewrapped(before, keys=(MASTER_KEY,), nonce=sealing_nonce)
    assert after.url == "https://example.com/hook?***"
    assert opened(after.sealed_url, Purpose.URL, after, MASTER_KEY) == URL


def test_without_the_old_key_nothing_is_rewrapped() -> None:
    with pytest.raises(ConfigError, match="k1"):
        rewrapped(full(), keys=(NEW,), nonce=sealing_nonce)


@pytest.mark.parametrize("ring", [(NEW,), (NEW, MasterKey("k1", bytes(32)))], ids=["lost", "another has its id"])
def test_a_request_that_does_not_open_any_more_is_forgotten_and_the_rest_is_rewrapped(
    ring: tuple[MasterKey, ...],
) -> None:
    third, bare = MasterKey("k3", bytes(range(2, 34))), subscription("https://example.com/hook")
    given_anew = replace(
        bare,
        secret=sealed_for(bare, "new", Purpose.SECRET, key=NEW),
        asked=sealed_for(bare, "digest", Purpose.REQUEST),
    )
    after = rewrapped(given_anew, keys=(third, *ring), nonce=sealing_nonce)
    assert after.asked is None
    assert forgets(given_anew, after)
    assert key_ids(after) == {"k3"}
    assert opened(after.secret, Purpose.SECRET, after, third) == "new"


def test_a_request_that_opens_is_not_forgotten_and_none_is_neither() -> None:
    assert not forgets(full(), rewrapped(full(), keys=(NEW, MASTER_KEY), nonce=sealing_nonce))
    assert not forgets(replace(full(), asked=None), replace(full(), asked=None))


def test_a_record_that_was_moved_to_another_account_does_not_open() -> None:
    with pytest.raises(ContractError, match="does not open"):
        rewrapped(replace(full(), account_id="acct_other"), keys=(NEW, MASTER_KEY), nonce=sealing_nonce)
