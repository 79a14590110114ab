"""The live view: accounts, keys, subscriptions, and what was judged of endpoints, in whatever order they come."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry

from fakes.configuration import subscription
from fakes.judgements import disabling, health
from hookline.runtime.catalogue import load_catalogue
from hookline.runtime.log import KafkaRecord, TopicPartition
from hookline.runtime.metrics import Metrics
from hookline.runtime.view import View
from hookline.schemas.codec import Codec
from hookline.schemas.errors import NotYet
from hookline.schemas.records import Account, ApiKey, Disabling, EndpointHealth, Subscription, disabling_key
from hookline.schemas.topics import Topics

CODEC = Codec(load_catalogue())
TOPICS = Topics("v.")
STRAYS_MAX = 1_000
NEWER = b"\xc3\x01" + bytes(8) + b"newer"


class Followed:
    """A view, and the topics that a test writes to."""

    def __init__(self) -> None:
        self.view = View(topics=TOPICS, codec=CODEC, metrics=Metrics(CollectorRegistry()))
        self._ends = dict.fromkeys(self.view.followed(), 0)

    def configure(self, *subscriptions: Subscription) -> None:
        for each in subscriptions:
            self.write(TOPICS.subscriptions, each.subscription_id.encode(), CODEC.encode(each))

    def judge(self, *judgements: EndpointHealth | Disabling) -> None:
        for each in judgements:
            key = disabling_key(each.subscription_id) if isinstance(each, Disabling) else each.subscription_id.encode()
            self.write(TOPICS.endpoint_state, key, CODEC.encode(each))

    def admit(self, *records: Account | ApiKey) -> None:
        for each in records:
            key = each.account_id if isinstance(each, Account) else each.key_id
            self.write(TOPICS.accounts, key.encode(), CODEC.encode(each))

    def write(self, topic: str, key: bytes, value: bytes | None) -> None:
        self.view.received([KafkaRecord(topic, 0, self._ends[topic], 0, key, value)])
        self._ends[topic] += 1

    def end(self) -> None:
        """All topics have been read to their ends."""
        for topic, offset in self._ends.items():
            self.view.ended(TopicPartition(topic, 0), offset)

    def matched(self) -> Sequence[str]:
        return [each.subscription_id for each in self.view.matching("acct_test", "user.created")]


@pytest.fixture
def followed() -> Followed:
    return Followed()


@pytest.fixture
def hook() -> Subscription:
    return subscription("https://example.com")


def test_a_view_is_ready_when_all_its_topics_have_been_read(followed: Followed) -> None:
    for topic in (TOPICS.subscriptions, TOPICS.accounts, TOPICS.jobs):
        followed.view.ended(TopicPartition(topic, 0), 0)
    assert not followed.view.ready
    followed.view.ended(TopicPartition(TOPICS.endpoint_state, 0), 0)
    assert followed.view.ready


async def test_what_bears_no_record_counts_as_applied_once_reading_has_passed_it(followed: Followed) -> None:
    """A transaction's marker takes an offset; nobody is ready for having passed one."""
    for topic in followed.view.followed():
        followed.view.passed(TopicPartition(topic, 0), 2)
        await followed.view.wait_applied(topic, 1, timeout_s=0)
        with pytest.raises(NotYet):
            await followed.view.wait_applied(topic, 2, timeout_s=0)
    assert not followed.view.ready


def test_what_was_judged_last_is_what_the_view_says(followed: Followed, hook: Subscription) -> None:
    followed.configure(hook)
    assert (followed.view.health(hook.subscription_id), followed.view.disabling(hook.subscription_id)) == (None, None)
    followed.judge(health(hook), health(hook, opened=2), disabling(hook))
    assert followed.view.health(hook.subscription_id) == health(hook, opened=2)
    assert followed.view.disabling(hook.subscription_id) == disabling(hook)


def test_a_judgement_of_health_does_not_undo_a_disabling(followed: Followed, hook: Subscription) -> None:
    followed.configure(hook)
    followed.judge(disabling(hook), health(hook, opened=1))
    assert followed.view.disabling(hook.subscription_id) == disabling(hook)
    assert followed.matched() == []


def test_a_disabled_subscription_matches_nothing_but_is_there(followed: Followed, hook: Subscription) -> None:
    other = subscription("https://example.com")
    followed.configure(hook, other)
    followed.judge(disabling(hook))
    assert followed.matched() == [other.subscription_id]
    assert followed.view.subscription(hook.subscription_id) == hook
    assert hook in followed.view.subscriptions_of(hook.account_id)


def test_a_disabling_that_comes_before_its_subscription_holds(followed: Followed, hook: Subscription) -> None:
    followed.judge(disabling(hook), health(hook, opened=1))
    followed.configure(hook)
    assert followed.view.health(hook.subscription_id) == health(hook, opened=1)
    assert followed.matched() == []


def test_a_tombstone_takes_a_disabling_or_a_judgement_of_health_away(followed: Followed, hook: Subscription) -> None:
    followed.configure(hook)
    followed.judge(disabling(hook), health(hook, opened=1))
    followed.write(TOPICS.endpoint_state, disabling_key(hook.subscription_id), None)
    assert followed.view.disabling(hook.subscription_id) is None
    assert followed.matched() == [hook.subscription_id]
    followed.write(TOPICS.endpoint_state, hook.subscription_id.encode(), None)
    assert followed.view.health(hook.subscription_id) is None


def test_what_was_judged_of_an_older_version_counts_no_more_once_it_is_enabled_again(
    followed: Followed, hook: Subscription
) -> None:
    followed.configure(hook)
    followed.judge(disabling(hook), health(hook, opened=3))
    followed.configure(replace(hook, version=2, judged_from=2))
    assert followed.matched() == [hook.subscription_id]
    assert (followed.view.health(hook.subscription_id), followed.view.disabling(hook.subscription_id)) == (None, None)


def test_a_410_that_was_under_way_while_it_was_enabled_again_disables_nothing(
    followed: Followed, hook: Subscription
) -> None:
    enabled = replace(hook, version=2, judged_from=2)
    followed.configure(hook, enabled)
    followed.judge(disabling(hook), health(hook, opened=1))  # a dispatcher whose request left before the change
    assert followed.matched() == [hook.subscription_id]
    assert followed.view.disabling(hook.subscription_id) is None
    followed.judge(disabling(enabled))  # it is gone all the same
    assert followed.matched() == []


def test_a_410_that_was_under_way_while_only_the_description_changed_disables(
    followed: Followed, hook: Subscription
) -> None:
    followed.configure(hook, replace(hook, version=2, description="other"))
    followed.judge(disabling(hook))
    assert followed.view.disabling(hook.subscription_id) == disabling(hook)
    followed.configure(replace(hook, version=3, description="another"))
    assert followed.matched() == []


def test_a_judgement_that_cannot_be_read_holds_no_subscription_back(followed: Followed, hook: Subscription) -> None:
    followed.configure(hook)
    followed.write(TOPICS.endpoint_state, hook.subscription_id.encode(), NEWER)
    followed.write(TOPICS.endpoint_state, disabling_key(hook.subscription_id), b"no record")
    assert not followed.view.cannot_read(hook.subscription_id)
    assert followed.matched() == [hook.subscription_id]


def test_a_judgement_makes_no_unreadable_subscription_readable(followed: Followed, hook: Subscription) -> None:
    followed.write(TOPICS.subscriptions, hook.subscription_id.encode(), NEWER)
    followed.judge(health(hook))
    assert followed.view.cannot_read(hook.subscription_id)


def test_what_a_newer_release_wrote_is_named_until_it_can_be_read_or_is_gone(
    followed: Followed, hook: Subscription
) -> None:
    judged = disabling_key(hook.subscription_id)
    followed.configure(hook)
    for topic, key in (
        (TOPICS.subscriptions, hook.subscription_id.encode()),
        (TOPICS.subscriptions, b"wh_new"),
        (TOPICS.accounts, b"acct_1"),
        (TOPICS.endpoint_state, judged),
        (TOPICS.jobs, b"job_1"),
    ):
        followed.write(topic, key, NEWER)
    followed.write(TOPICS.accounts, b"damaged", b"no record")
    assert followed.view.newer_records() == sorted(["acct_1", hook.subscription_id, judged.decode(), "wh_new"])
    followed.configure(hook)
    followed.judge(disabling(hook))
    followed.write(TOPICS.subscriptions, b"wh_new", None)
    assert followed.view.newer_records() == ["acct_1"]


def test_a_deleted_subscription_leaves_no_judgement_behind(followed: Followed, hook: Subscription) -> None:
    followed.configure(hook)
    followed.judge(health(hook), disabling(hook))
    followed.write(TOPICS.subscriptions, hook.subscription_id.encode(), None)
    assert len(followed.view._judgements) == 0


def test_a_view_knows_where_retries_were_cancelled_last(followed: Followed, hook: Subscription) -> None:
    cancelled = replace(hook, cancelled_before_ms=5)
    found = []
    for each in (hook, cancelled, replace(cancelled, description="later"), replace(cancelled, cancelled_before_ms=6)):
        followed.configure(each)
        found.append(followed.view.retries_cancelled_at(hook.subscription_id))
    assert found == [-1, 1, 1, 3]


def test_a_view_that_found_only_a_later_change_knows_that_retries_were_cancelled_before_it(
    followed: Followed, hook: Subscription
) -> None:
    followed.configure(subscription("https://example.org"), replace(hook, cancelled_before_ms=5, description="later"))
    assert followed.view.retries_cancelled_at(hook.subscription_id) == 1


def test_a_webhook_made_anew_has_no_cancelled_retries(followed: Followed, hook: Subscription) -> None:
    followed.configure(replace(hook, cancelled_before_ms=5))
    followed.write(TOPICS.subscriptions, hook.subscription_id.encode(), None)
    followed.configure(hook)
    assert followed.view.retries_cancelled_at(hook.subscription_id) == -1


def test_judgements_of_subscriptions_that_never_come_are_bounded(followed: Followed, hook: Subscription) -> None:
    strays = [replace(hook, subscription_id=f"wh_{number}") for number in range(STRAYS_MAX + 500)]
    followed.judge(*(health(each) for each in strays))
    followed.configure(strays[0])
    followed.end()
    assert len(followed.view._judgements) == STRAYS_MAX + 1
    followed.judge(*(health(replace(each, subscription_id=f"{each.subscription_id}_late")) for each in strays))
    assert len(followed.view._judgements) == STRAYS_MAX + 1
    assert followed.view.health(strays[0].subscription_id) is not None


def account(account_id: str, created_at_ms: int = 0) -> Account:
    return Account(account_id=account_id, name="Example", created_at_ms=created_at_ms)


def api_key(key_id: str, account_id: str, created_at_ms: int = 0) -> ApiKey:
    return ApiKey(key_id=key_id, account_id=account_id, secret_sha256=b"", created_at_ms=created_at_ms)


def test_accounts_and_their_keys_are_listed_in_order_of_creation(followed: Followed) -> None:
    first, second, third = account("acct_b", 1), account("acct_a", 2), account("acct_c", 2)
    followed.admit(
        api_key("k2", "acct_a", 9), third, second, first, api_key("k1", "acct_a", 9), api_key("k3", "acct_b")
    )
    assert followed.view.accounts() == [first, second, third]
    assert [each.key_id for each in followed.view.keys_of("acct_a")] == ["k1", "k2"]
    assert [each.key_id for each in followed.view.keys_of("acct_b")] == ["k3"]
    assert followed.view.keys_of("acct_c") == []
    assert followed.view.account("acct_b") == first


def test_a_key_or_account_that_was_taken_away_is_not_listed(followed: Followed) -> None:
    followed.admit(account("acct_a"), api_key("k1", "acct_a"), api_key("k2", "acct_a"), account("acct_b"))
    for each in (b"k1", b"acct_b", b"acct_unknown"):
        followed.write(TOPICS.accounts, each, None)
    assert [each.account_id for each in followed.view.accounts()] == ["acct_a"]
    assert followed.view.keys_of("acct_a") == [api_key("k2", "acct_a")]
    assert (followed.view.api_key("k1"), followed.view.account("acct_b")) == (None, None)


def test_a_key_is_listed_as_its_last_record_says(followed: Followed) -> None:
    followed.admit(api_key("k1", "acct_a"), replace(api_key("k1", "acct_a"), name="CI", scopes="read"))
    assert followed.view.keys_of("acct_a") == [replace(api_key("k1", "acct_a"), name="CI", scopes="read")]


def test_a_subscription_is_found_by_its_uid_through_changes_and_its_end(followed: Followed, hook: Subscription) -> None:
    mine = replace(hook, uid="mine")
    followed.configure(mine)
    assert followed.view.subscription_by_uid(hook.account_id, "mine") == mine
    assert followed.view.subscription_by_uid("acct_other", "mine") is None
    followed.judge(disabling(mine))
    assert followed.view.subscription_by_uid(hook.account_id, "mine") == mine
    followed.configure(replace(mine, version=2, uid="other"))
    assert followed.view.subscription_by_uid(hook.account_id, "mine") is None
    followed.write(TOPICS.subscriptions, hook.subscription_id.encode(), None)
    assert followed.view.subscription_by_uid(hook.account_id, "other") is None


def test_all_subscriptions_are_listed_across_accounts(followed: Followed, hook: Subscription) -> None:
    other = subscription("https://example.com", account_id="acct_other")
    gone = subscription("https://example.com")
    followed.configure(hook, other, gone)
    followed.judge(disabling(hook))
    followed.write(TOPICS.subscriptions, gone.subscription_id.encode(), None)
    assert {each.subscription_id for each in followed.view.subscriptions()} == {
        hook.subscription_id,
        other.subscription_id,
    }


def test_the_judgements_that_count_are_listed_for_subscriptions_that_exist(
    followed: Followed, hook: Subscription
) -> None:
    other, gone, stray = (subscription("https://example.com", account_id="acct_other") for _ in range(3))
    followed.configure(hook, other, gone)
    followed.judge(health(hook, opened=1), disabling(other), health(other))
    followed.judge(health(gone), disabling(gone), health(stray), disabling(stray))
    followed.write(TOPICS.subscriptions, gone.subscription_id.encode(), None)
    healths = {each.subscription_id: each for each in followed.view.healths()}
    assert healths == {hook.subscription_id: health(hook, opened=1), other.subscription_id: health(other)}
    assert followed.view.disablings() == [disabling(other)]
    followed.configure(replace(other, version=2, judged_from=2))
    assert followed.view.healths() == [health(hook, opened=1)]
    assert followed.view.disablings() == []
