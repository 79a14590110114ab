from dataclasses import replace
from itertools import permutations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookline.core.matching import SubscriptionIndex, complaint_about_events, patterns_of, wants
from hookline.schemas.records import SealedSecret, Subscription, SubscriptionStatus

EVENT_TYPES = ("order.created", "order.completed", "user.created")


def subscription(
    subscription_id: str = "wh_1", *events: str, account_id: str = "acct_1", created_at_ms: int = 0
) -> Subscription:
    return Subscription(
        subscription_id=subscription_id,
        account_id=account_id,
        version=1,
        url="https://example.com/hook",
        events=events or ("order.created",),
        description=None,
        status=SubscriptionStatus.ACTIVE,
        secret=SealedSecret(key_id="k", nonce=b"", ciphertext=b""),
        created_at_ms=created_at_ms,
        updated_at_ms=created_at_ms,
    )


def index_of(*subscriptions: Subscription) -> SubscriptionIndex:
    index = SubscriptionIndex()
    for each in subscriptions:
        index.put(each)
    return index


def matched(index: SubscriptionIndex, event_type: str, account_id: str = "acct_1") -> list[str]:
    return [each.subscription_id for each in index.matching(account_id, event_type)]


@pytest.mark.parametrize(
    ("pattern", "event_type", "is_wanted"),
    [
        ("order.created", "order.created", True),
        ("order.created", "order.completed", False),
        ("order.*", "order.created", True),
        ("order.*", "orders.created", False),
        ("order.*", "order", False),
        ("*", "order.created", True),
        ("order.item.*", "order.item.added", True),
        ("order.*", "order.item.added", True),
        ("order", "order.created", False),
    ],
)
def test_a_pattern_matches_the_types_it_names(pattern: str, event_type: str, is_wanted: bool) -> None:
    assert matched(index_of(subscription("wh_1", pattern)), event_type) == ["wh_1"] * is_wanted


def test_a_subscription_that_wants_an_event_in_several_ways_matches_once() -> None:
    index = index_of(subscription("wh_1", "order.created", "order.*", "*"))
    assert matched(index, "order.created") == ["wh_1"]


def test_nothing_crosses_accounts() -> None:
    index = index_of(subscription("wh_1", "*"), subscription("wh_2", "*", account_id="acct_2"))
    assert matched(index, "order.created", "acct_1") == ["wh_1"]
    assert matched(index, "order.created", "acct_3") == []
    assert [each.subscription_id for each in index.subscriptions_of("acct_2")] == ["wh_2"]


def test_a_paused_subscription_matches_nothing_but_is_still_listed() -> None:
    paused = replace(subscription("wh_1"), status=SubscriptionStatus.PAUSED)
    index = index_of(paused)
    assert matched(index, "order.created") == []
    assert index.subscriptions_of("acct_1") == [paused]


def test_a_replaced_subscription_matches_by_its_new_events_only() -> None:
    index = index_of(subscription("wh_1", "order.created"), subscription("wh_1", "user.created"))
    assert matched(index, "order.created") == []
    assert matched(index, "user.created") == ["wh_1"]
    assert len(index) == 1


def test_a_resumed_subscription_matches_again() -> None:
    active = subscription("wh_1")
    index = index_of(active, replace(active, status=SubscriptionStatus.PAUSED), active)
    assert matched(index, "order.created") == ["wh_1"]


def test_a_withheld_subscription_matches_nothing_until_it_is_put_again() -> None:
    held = subscription("wh_1", "order.*", "order.created")
    index = index_of(held, subscription("wh_2"))
    for _ in range(2):
        index.withhold("wh_1")
        assert matched(index, "order.created") == ["wh_2"]
    assert index.subscription("wh_1") == held
    index.put(held)
    assert sorted(matched(index, "order.created")) == ["wh_1", "wh_2"]


def test_a_withheld_subscription_that_is_removed_leaves_nothing_behind() -> None:
    index = index_of(subscription("wh_1"))
    index.withhold("wh_1")
    index.withhold("wh_unknown")
    index.remove("wh_1")
    assert (index._by_id, index._by_account, index._by_uid, index._active) == ({}, {}, {}, {})


def test_a_removed_subscription_leaves_nothing_behind() -> None:
    index = index_of(replace(subscription("wh_1", "order.*", "order.*"), uid="mine"))
    index.remove("wh_1")
    index.remove("wh_1")
    assert matched(index, "order.created") == []
    assert index.subscription("wh_1") is None
    assert index.subscriptions_of("acct_1") == []
    assert (index._by_id, index._by_account, index._by_uid, index._active) == ({}, {}, {}, {})


def test_subscriptions_are_listed_in_order_of_creation() -> None:
    index = index_of(subscription("wh_a", created_at_ms=2), subscription("wh_b", created_at_ms=1))
    assert [each.subscription_id for each in index.subscriptions_of("acct_1")] == ["wh_b", "wh_a"]


def test_all_subscriptions_are_there_whatever_their_account_or_status() -> None:
    paused = replace(subscription("wh_1"), status=SubscriptionStatus.PAUSED)
    other, held = subscription("wh_2", account_id="acct_2"), subscription("wh_3")
    index = index_of(paused, other, held)
    index.withhold("wh_3")
    assert {each.subscription_id: each for each in index.subscriptions()} == {
        "wh_1": paused,
        "wh_2": other,
        "wh_3": held,
    }
    assert index_of().subscriptions() == ()


def named(subscription_id: str, uid: str | None, *, account_id: str = "acct_1", at_ms: int = 0) -> Subscription:
    return replace(subscription(subscription_id, account_id=account_id), uid=uid, updated_at_ms=at_ms)


def test_a_subscription_is_found_by_its_accounts_uid() -> None:
    ours, theirs = named("wh_1", "mine"), named("wh_2", "mine", account_id="acct_2")
    index = index_of(ours, theirs, named("wh_3", None))
    assert index.subscription_by_uid("acct_1", "mine") == ours
    assert index.subscription_by_uid("acct_2", "mine") == theirs
    assert index.subscription_by_uid("acct_3", "mine") is None
    assert index.subscription_by_uid("acct_1", "Mine") is None
    assert index.subscription_by_uid("acct_1", "wh_3") is None


def test_a_withheld_or_paused_subscription_is_found_by_its_uid() -> None:
    paused = replace(named("wh_1", "mine"), status=SubscriptionStatus.PAUSED)
    index = index_of(paused)
    index.withhold("wh_1")
    assert index.subscription_by_uid("acct_1", "mine") == paused


def test_a_uid_that_was_changed_or_taken_away_finds_nothing() -> None:
    index = index_of(named("wh_1", "mine"), named("wh_1", "other"))
    assert index.subscription_by_uid("acct_1", "mine") is None
    assert index.subscription_by_uid("acct_1", "other") == named("wh_1", "other")
    index.put(named("wh_1", None))
    assert index.subscription_by_uid("acct_1", "other") is None
    assert index._by_uid == {}


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_a_uid_that_moved_finds_the_new_bearer_whatever_comes_first(order: tuple[int, ...]) -> None:
    index = index_of(named("wh_2", "mine", at_ms=1))
    steps = (named("wh_2", None, at_ms=2), named("wh_1", "mine", at_ms=3), named("wh_3", "other", at_ms=4))
    for each in order:
        index.put(steps[each])
    assert index.subscription_by_uid("acct_1", "mine") == steps[1]


def test_while_two_bear_a_uid_the_last_that_was_changed_is_found_and_the_other_once_that_is_gone() -> None:
    older, newer = named("wh_2", "mine", at_ms=1), named("wh_1", "mine", at_ms=2)
    index = index_of(newer, older)
    index.put(newer)
    index.put(older)  # as when its endpoint is judged
    assert index.subscription_by_uid("acct_1", "mine") == newer
    index.remove("wh_1")
    assert index.subscription_by_uid("acct_1", "mine") == older
    index.remove("wh_2")
    assert index.subscription_by_uid("acct_1", "mine") is None


changes = st.builds(
    named,
    st.sampled_from(["wh_1", "wh_2", "wh_3"]),
    st.sampled_from([None, "a", "b"]),
    account_id=st.sampled_from(["acct_1", "acct_2"]),
    at_ms=st.integers(0, 3),
)


@given(st.lists(changes | st.sampled_from(["wh_1", "wh_2", "wh_3"])))
def test_after_any_changes_a_uid_finds_the_last_changed_of_those_that_bear_it(steps: list[Subscription | str]) -> None:
    index = SubscriptionIndex()
    for step in steps:
        {str: index.remove, Subscription: index.put}[type(step)](step)  # type: ignore[operator]
    for account_id, uid in product(["acct_1", "acct_2"], ["a", "b"]):
        bearing = [each for each in index.subscriptions() if (each.account_id, each.uid) == (account_id, uid)]
        wanted = max(bearing, key=lambda each: (each.updated_at_ms, each.subscription_id), default=None)
        assert index.subscription_by_uid(account_id, uid) == wanted


def test_the_patterns_of_a_type_go_from_the_type_to_everything() -> None:
    assert list(patterns_of("a.b.c")) == ["a.b.c", "a.b.*", "a.*", "*"]


@pytest.mark.parametrize(
    ("events", "said"),
    [
        ([], "must name at least one event type of: order.created, order.completed, user.created"),
        (["order.created", "order.lost"], "has 'order.lost', which is no event type"),
        (["orders.*"], "has 'orders.*', which fits no event type; there are: order.created"),
        (["order.created.*"], "fits no event type"),
        (["or*"], "fits no event type"),
        (["*.created"], "is no event type"),
        (["*", "*"], "names an event type twice"),
        (["Order.created"], "has 'Order.created'"),
        (["\u00fc\n"], r"has '\xfc\n'"),
        (["user.created", "user.created"], "names an event type twice"),
    ],
)
def test_a_list_of_events_that_is_wrong_is_complained_about(events: list[str], said: str) -> None:
    assert said in (complaint_about_events(events, EVENT_TYPES) or "")


@pytest.mark.parametrize(
    "events", [["user.created", "order.created"], ["order.*", "user.created"], ["*"], ["*", "order.*"]]
)
def test_a_list_of_known_events_and_patterns_is_right(events: list[str]) -> None:
    assert complaint_about_events(events, EVENT_TYPES) is None


@pytest.mark.parametrize(
    ("events", "wanted"),
    [(("*",), True), (("order.*",), True), (("order.created",), True), (("user.*", "order.completed"), False)],
)
def test_a_webhook_wants_an_event_type_by_any_of_its_patterns(events: tuple[str, ...], wanted: bool) -> None:
    assert wants(events, "order.created") is wanted
