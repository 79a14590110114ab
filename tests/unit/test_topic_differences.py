import pytest

from hookline.core.topic_differences import Difference, Partitions, as_shown, as_told, compared, is_harmful
from hookline.schemas.errors import ConfigError
from hookline.schemas.topics import Topic, Topics

DAY_MS = 86_400_000


def event_topic(days: int = 7) -> Topic:
    return next(iter(Topics(event_retention_days=days).specifications()))


def found_with(retention: str, topic: Topic) -> list[Difference]:
    return list(compared(topic, partitions=24, wanted=24, config={**topic.config(), "retention.ms": retention}))


def test_the_event_topics_keep_events_for_as_long_as_the_setting_says() -> None:
    by_name = {topic.name: topic for topic in Topics(event_retention_days=30).specifications()}
    assert by_name["events.order"].config()["retention.ms"] == str(30 * DAY_MS)
    assert by_name["webhooks.deliveries"].config()["retention.ms"] == str(7 * DAY_MS)


@pytest.mark.parametrize("retention", [str(30 * DAY_MS), "-1"])
def test_a_topic_that_keeps_records_for_longer_is_shown_and_left(retention: str) -> None:
    (difference,) = found_with(retention, event_topic())
    assert difference.left
    assert str(difference) == f"events.user: retention.ms is {retention}, wanted 604800000; `apply` leaves it"


@pytest.mark.parametrize(("retention", "days"), [(str(DAY_MS), 7), (str(7 * DAY_MS), 30)])
def test_a_topic_that_keeps_records_for_a_shorter_time_is_corrected(retention: str, days: int) -> None:
    (difference,) = found_with(retention, event_topic(days))
    assert not difference.left
    assert difference.wanted == str(days * DAY_MS)


def test_a_topic_as_specified_has_no_difference_and_more_partitions_are_none() -> None:
    topic = event_topic()
    assert not list(compared(topic, partitions=25, wanted=24, config=topic.config()))


def test_partitions_are_not_added_unless_that_is_said() -> None:
    few = list(compared(event_topic(), partitions=4, wanted=24, config=event_topic().config()))
    with pytest.raises(
        ConfigError, match=r"^events\.user: partitions is 4, wanted 24; growing moves keys .* --size of"
    ):
        as_told(few, Partitions.REFUSE)
    assert [each.left for each in as_told(few, Partitions.KEEP)] == [True]
    assert as_told(few, Partitions.GROW) == few


@pytest.mark.parametrize(("partitions", "left"), [(each, each is Partitions.KEEP) for each in Partitions])
def test_partitions_are_shown_as_left_where_they_are_to_be_kept(partitions: Partitions, *, left: bool) -> None:
    few = list(compared(event_topic(), partitions=4, wanted=24, config=event_topic().config()))
    assert [each.left for each in as_shown(few, partitions)] == [left]


@pytest.mark.parametrize("partitions", list(Partitions))
def test_whatever_is_said_of_partitions_the_rest_is_as_it_was(partitions: Partitions) -> None:
    others = [Difference("events.new", "partitions", None, "24"), *found_with(str(DAY_MS), event_topic())]
    assert as_told(others, partitions) == as_shown(others, partitions) == others


@pytest.mark.parametrize(
    ("what", "found", "harms"),
    [
        ("message.timestamp.type", "CreateTime", True),
        ("retention.ms", "299999", True),
        ("retention.ms", "300000", False),
        ("retention.ms", "-1", False),
        ("max.message.bytes", "1", False),
    ],
)
def test_a_tier_that_forgets_what_waits_or_takes_another_clock_is_harmful(
    what: str, found: str, *, harms: bool
) -> None:
    assert is_harmful(Difference("webhooks.retry.5m", what, found, "x")) is harms
