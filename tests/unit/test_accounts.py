from dataclasses import replace

from hookline.core.accounts import Accounts, erased
from hookline.schemas.records import Account, ApiKey


def account(account_id: str, *, created_at_ms: int = 0) -> Account:
    return Account(account_id=account_id, name="Example", created_at_ms=created_at_ms)


def key(key_id: str, account_id: str = "acct_1", *, created_at_ms: int = 0) -> ApiKey:
    return ApiKey(key_id=key_id, account_id=account_id, secret_sha256=b"", created_at_ms=created_at_ms)


def holding(*records: Account | ApiKey) -> Accounts:
    held = Accounts()
    for each in records:
        held.put(each)
    return held


def key_ids(held: Accounts, account_id: str = "acct_1") -> list[str]:
    return [each.key_id for each in held.keys_of(account_id)]


def test_accounts_are_listed_in_order_of_creation() -> None:
    held = holding(account("b", created_at_ms=2), account("c", created_at_ms=1), account("a", created_at_ms=2))
    assert [each.account_id for each in held.accounts()] == ["c", "a", "b"]
    assert holding().accounts() == []


def test_keys_are_listed_by_account_in_order_of_creation() -> None:
    held = holding(
        key("k3", created_at_ms=2), key("k1", created_at_ms=2), key("k2", created_at_ms=1), key("k4", "acct_2")
    )
    assert key_ids(held) == ["k2", "k1", "k3"]
    assert key_ids(held, "acct_2") == ["k4"]
    assert key_ids(held, "acct_3") == []


def test_keys_of_no_account_are_listed_by_themselves() -> None:
    held = holding(key("k1", ""), key("k2"))
    assert key_ids(held, "") == ["k1"]


def test_a_record_replaces_the_one_with_its_id() -> None:
    held = holding(account("acct_1"), key("k1"))
    held.put(replace(account("acct_1"), name="Other"))
    held.put(replace(key("k1"), name="CI"))
    assert [each.name for each in held.accounts()] == ["Other"]
    assert [each.name for each in held.keys_of("acct_1")] == ["CI"]
    found = held.key("k1")
    assert found is not None
    assert found.name == "CI"


def test_a_key_that_went_to_another_account_is_the_former_ones_no_more() -> None:
    held = holding(key("k1"), key("k1", "acct_2"))
    assert (key_ids(held), key_ids(held, "acct_2")) == ([], ["k1"])


def test_keys_may_come_before_their_account_and_stay_behind_it() -> None:
    held = holding(key("k1"), account("acct_1"))
    held.remove("acct_1")
    assert held.account("acct_1") is None
    assert key_ids(held) == ["k1"]


def test_what_is_removed_leaves_nothing_behind() -> None:
    held = holding(account("acct_1"), key("k1"), key("k2"))
    for each in ("k1", "k1", "k2", "acct_1", "unknown"):
        held.remove(each)
    assert (held.account("acct_1"), held.key("k1"), key_ids(held)) == (None, None, [])
    assert (held._accounts, held._keys, held._keys_of) == ({}, {}, {})


def test_an_erased_account_is_none_and_its_keys_are_none_in_whatever_order_they_come() -> None:
    gone = erased("acct_1", account("acct_1", created_at_ms=4), now_ms=9)
    for held in (
        holding(account("acct_1"), key("k1"), key("k2", "acct_2"), gone),
        holding(gone, key("k2", "acct_2"), key("k1")),
    ):
        assert (held.account("acct_1"), held.accounts(), held.key("k1"), key_ids(held)) == (None, [], None, [])
        found = held.keys()
        assert [each.key_id for each in found] == ["k2"]
        assert (held.marker("acct_1"), held.markers(), held.marker("acct_2")) == (gone, [gone], None)


def test_a_marker_says_nothing_but_that_its_account_is_erased() -> None:
    before = replace(account("acct_1", created_at_ms=4), version=7, subscriptions_max=3)
    assert erased("acct_1", before, now_ms=9) == Account(
        account_id="acct_1", name="", created_at_ms=4, version=8, updated_at_ms=9, erased_at_ms=9
    )
    assert erased("acct_2", None, now_ms=9).erased_at_ms == 9
