import re

import pytest

from hookline.schemas.errors import ConfigError
from hookline.schemas.tiers import tier_ms, tier_name
from hookline.schemas.topics import Topics, waiting_ms


@pytest.mark.parametrize(
    ("name", "delay_ms"), [("250ms", 250), ("1s", 1_000), ("5m", 300_000), ("12h", 43_200_000), ("2d", 172_800_000)]
)
def test_a_tier_and_its_name_say_the_same(name: str, delay_ms: int) -> None:
    assert tier_ms(name) == delay_ms
    assert tier_name(delay_ms) == name


@pytest.mark.parametrize("name", ["", "5", "m", "0s", "-1s", "1.5h", "1 s", "5min", "1e3s"])
def test_what_is_no_tier_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="is not a number and one of"):
        tier_ms(name)


def test_the_topics_are_the_designs() -> None:
    names = [topic.name for topic in Topics().specifications()]
    assert "webhooks.retry.5m" in names
    assert "webhooks.postponed.10s" in names
    assert "webhooks.dead-letters" in names
    assert "events.payment" in names
    assert len(names) == len(set(names))


def test_a_prefix_is_on_every_topic() -> None:
    assert all(topic.name.startswith("t1.") for topic in Topics("t1.").specifications())


def test_an_event_type_goes_to_the_topic_of_its_first_word() -> None:
    assert Topics().events("order.created") == "events.order"


def test_what_waits_is_in_due_order_by_the_brokers_clock_and_outlives_its_wait() -> None:
    waiting = [topic for topic in Topics().specifications() if topic.append_time]
    assert len(waiting) == 11
    for topic in waiting:
        assert topic.config()["message.timestamp.type"] == "LogAppendTime"
        assert (topic.retention_ms or 0) > waiting_ms(topic.name)


def test_configuration_is_compacted_on_one_partition() -> None:
    compacted = [topic for topic in Topics().specifications() if topic.retention_ms is None]
    assert {topic.config()["cleanup.policy"] for topic in compacted} == {"compact"}
    assert {topic.partitions for topic in compacted} == {1}


@pytest.mark.parametrize("name", ["1s", "250ms", "12h", "3d"])
@pytest.mark.parametrize("kind", ["retry", "postponed"])
def test_the_pattern_finds_every_tier(kind: str, name: str) -> None:
    assert re.search(Topics("t.1.").waiting_pattern(), f"t.1.webhooks.{kind}.{name}")


@pytest.mark.parametrize(
    "topic",
    [
        "t.1.webhooks.retry.05m",
        "t.1.webhooks.retry.0s",
        "t.1.webhooks.retry.soon",
        "xt.1.webhooks.retry.1s",
        "txwebhooks.retry.1s",
    ],
)
def test_the_pattern_finds_nothing_else(topic: str) -> None:
    assert not re.search(Topics("t.1.").waiting_pattern(), topic)
