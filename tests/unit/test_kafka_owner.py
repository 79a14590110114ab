"""Wishes that a rebalance overtook: what the owner thread does with them, on a consumer that only writes down its calls."""

import itertools
from collections.abc import Callable, Mapping
from concurrent.futures import Future

import confluent_kafka
import pytest

from hookline.runtime.kafka_client import ReaderConfig
from hookline.runtime.kafka_commands import CommitAll, Pause, Resume
from hookline.runtime.kafka_owner import Owner
from hookline.runtime.kafka_positions import said
from hookline.runtime.log import Commit, TopicPartition

PARTITION = TopicPartition("t", 0)


class Calls:
    """Every method can be called and is written down."""

    def __init__(self) -> None:
        self.made: list[str] = []

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_args, **_named: self.made.append(name)


def owner(generation: int, assignment: int) -> Owner:
    config = ReaderConfig(bootstrap_servers="nowhere", group="g", topics=("t",))
    made = Owner(config, Calls(), itertools.count(10))  # type: ignore[arg-type]  # it answers to every name
    made._generation[PARTITION], made._assignment[PARTITION] = generation, assignment
    return made


def obeyed(command: Pause | Resume | CommitAll, *, generation: int = 3, assignment: int = 3) -> list[str]:
    consumer = Calls()
    owner(generation, assignment)._carry_out(consumer, command)  # type: ignore[arg-type]  # see Calls
    return consumer.made


@pytest.mark.parametrize(
    ("command", "calls"),
    [
        (Pause(PARTITION, 3), ["pause"]),
        (Resume(PARTITION, 7, before=3, generation=4), ["resume", "seek"]),
        (CommitAll({PARTITION: (3, Commit(5))}), ["commit"]),
    ],
)
def test_a_wish_about_the_present_assignment_is_carried_out(
    command: Pause | Resume | CommitAll, calls: list[str]
) -> None:
    assert obeyed(command) == calls


@pytest.mark.parametrize(
    "command",
    [
        Pause(PARTITION, 2),
        Resume(PARTITION, 7, before=2, generation=4),
        CommitAll({PARTITION: (2, Commit(5))}),
        Pause(TopicPartition("t", 1), 3),
        Resume(TopicPartition("t", 1), 7, before=3, generation=4),
        CommitAll({TopicPartition("t", 1): (3, Commit(5))}),
    ],
)
def test_a_wish_about_an_earlier_assignment_or_another_partition_is_nobodys(
    command: Pause | Resume | CommitAll,
) -> None:
    assert obeyed(command) == []


def test_a_commit_holds_through_a_pause_and_resume_of_the_same_assignment() -> None:
    assert obeyed(CommitAll({PARTITION: (3, Commit(5))}), generation=8, assignment=3) == ["commit"]


class Position(Calls):
    """A consumer that is somewhere, and the loop's side that is told so."""

    def __init__(self, *offsets: int) -> None:
        super().__init__()
        self._offsets = iter(offsets)
        self.told: list[int] = []

    def position(self, asked: list[confluent_kafka.TopicPartition]) -> list[confluent_kafka.TopicPartition]:
        return [confluent_kafka.TopicPartition(each.topic, each.partition, next(self._offsets)) for each in asked]

    def tell_passed(self, partition: TopicPartition, offset: int) -> None:
        assert partition == PARTITION
        self.told.append(offset)


@pytest.mark.parametrize(("group", "told"), [(None, [2, 4, 0]), ("g", [])])
def test_without_a_group_every_move_of_the_position_is_told_once(group: str | None, told: list[int]) -> None:
    config = ReaderConfig(bootstrap_servers="nowhere", group=group, topics=("t",))
    reading = Position(confluent_kafka.OFFSET_INVALID, 2, 2, 4, 0)
    made = Owner(config, reading, itertools.count(10))  # type: ignore[arg-type]  # see Calls
    made._generation[PARTITION] = 3
    for _ in range(5):
        made._tell_passed(reading)  # type: ignore[arg-type]
    assert reading.told == told


def test_a_question_for_the_starts_that_is_asked_again_is_withdrawn_first() -> None:
    asked: Future[Mapping[TopicPartition, int]] = Future()
    with pytest.raises(TimeoutError):
        said(asked, [PARTITION], within_s=0.01)
    assert asked.cancelled()
