"""How a consumer is set up, and the small translations between its client's types and ours."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import confluent_kafka
from confluent_kafka import Consumer, KafkaError, Message

from hookline.runtime.log import Commit, KafkaRecord, TopicPartition
from hookline.schemas.topics import RECORD_BYTES_MAX

CALL_S = 10.0  # one question to the broker
RECONNECT_MS = 1_000  # how long after a broker came back it is noticed at most; the default is 10 s
_GATHER_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderConfig:
    """What to read, and how. `group` None: every partition of `topics` from its start, in no group.

    A topic that begins with ^ is a pattern. `rewind_ms`: on assignment go back that far, for the memory of repeats.
    `hears_ends`: what was read counts to the end also where a transaction's marker, which is no record, takes the last offset.
    `gather_ms`: the broker answers a fetch when there is much to answer or this time is over, for readers in no hurry.
    """

    bootstrap_servers: str
    group: str | None
    topics: Sequence[str]
    instance_id: str = ""
    session_timeout_s: int = 10
    drain_s: float = 35.0
    batch_max: int = 500
    gather_ms: int = 0
    rewind_ms: int = 0
    hears_ends: bool = False


def record_of(message: Message) -> KafkaRecord:
    """A record as the broker keeps it."""
    return KafkaRecord(
        message.topic() or "",
        message.partition() or 0,
        message.offset() or 0,
        message.timestamp()[1],
        message.key(),
        message.value(),
    )


def is_fatal(error: KafkaError) -> bool:
    """Whether the client is broken for good. What a poll hands out says so by its code, and not by `fatal`."""
    return error.fatal() or error.code() == KafkaError._FATAL  # noqa: SLF001 - its public name


def is_outage(error: KafkaError) -> bool:
    """Whether it says that a broker is out of reach."""
    return error.code() in {KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN}  # noqa: SLF001 - their public names


def is_end(message: Message) -> bool:
    """Whether this is no record but the news that a partition's end was reached."""
    error = message.error()
    return error is not None and error.code() == KafkaError._PARTITION_EOF  # noqa: SLF001 - its public name


def is_out_of_range(message: Message) -> bool:
    """Whether this is no record but the news that the position, which `message.offset()` says, is none of the partition's."""
    error = message.error()
    return error is not None and error.code() in {
        KafkaError._AUTO_OFFSET_RESET,  # noqa: SLF001 - its public name
        KafkaError._LOG_TRUNCATION,  # noqa: SLF001
    }


def place_of(message: Message) -> TopicPartition:
    """The partition that a message is of, or is about."""
    return TopicPartition(message.topic() or "", message.partition() or 0)


def partition_of(place: confluent_kafka.TopicPartition) -> TopicPartition:
    """The partition that the client's value names."""
    return TopicPartition(place.topic, place.partition)


def bare(partition: TopicPartition) -> confluent_kafka.TopicPartition:
    """A partition, without an offset."""
    return confluent_kafka.TopicPartition(partition.topic, partition.partition)


def at(partition: TopicPartition, offset: int) -> confluent_kafka.TopicPartition:
    """A partition at an offset."""
    return confluent_kafka.TopicPartition(partition.topic, partition.partition, offset)


def offsets_of(commits: Mapping[TopicPartition, Commit]) -> list[confluent_kafka.TopicPartition]:
    """Commits, as the client takes them."""
    return [
        confluent_kafka.TopicPartition(tp.topic, tp.partition, commit.offset, metadata=commit.metadata)
        for tp, commit in commits.items()
    ]


def partitions_of(consumer: Consumer, topics: Sequence[str]) -> Sequence[TopicPartition]:
    """All partitions of these topics; TimeoutError while one of the topics does not exist."""
    known = consumer.list_topics(timeout=CALL_S).topics
    missing = [topic for topic in topics if topic not in known or known[topic].error is not None]
    if missing:
        raise TimeoutError(f"topic {missing[0]} does not exist yet; `hookline topics apply` makes it")
    return [TopicPartition(topic, number) for topic in topics for number in sorted(known[topic].partitions)]


def configuration_of(
    config: ReaderConfig,
    on_error: Callable[[KafkaError], None],
    on_commit: Callable[[KafkaError | None, object], None],
) -> dict[str, object]:
    """The client's settings."""
    membership: dict[str, object] = {"group.instance.id": config.instance_id} if config.instance_id else {}
    return membership | {
        "bootstrap.servers": config.bootstrap_servers,
        "group.id": config.group
        or "hookline.no-group",  # the client wants a name; without a subscription it joins none
        "session.timeout.ms": config.session_timeout_s * 1_000,
        "heartbeat.interval.ms": config.session_timeout_s * 1_000 // 3,
        "partition.assignment.strategy": "cooperative-sticky",
        "enable.auto.commit": False,
        "auto.offset.reset": "error",  # a position that is out of range is never passed over in silence
        "enable.partition.eof": config.group is None or config.hears_ends,
        "fetch.wait.max.ms": config.gather_ms or 100,
        "fetch.min.bytes": _GATHER_BYTES if config.gather_ms else 1,
        "fetch.queue.backoff.ms": 20,  # the default of 1 s makes gaps when the local queue is small
        "queued.min.messages": 5_000,
        "queued.max.messages.kbytes": 16 * 1024,  # read ahead, all partitions together
        "max.partition.fetch.bytes": 2 * RECORD_BYTES_MAX,
        "reconnect.backoff.max.ms": RECONNECT_MS,
        "topic.metadata.refresh.interval.ms": 10_000,  # how soon a new tier's topic is found
        "allow.auto.create.topics": False,
        "error_cb": on_error,
        "on_commit": on_commit,
        "log_level": 2,  # what matters comes to `error_cb`; a broker that is away would fill pages at 3
    }


def ungrouped(bootstrap_servers: str) -> dict[str, str | int | bool]:
    """The client's settings for a consumer that belongs to no group and is told where to read: what is gone is an error there."""
    return {
        "bootstrap.servers": bootstrap_servers,
        "group.id": "hookline.no-group",  # the client wants a name; without a subscription it joins none
        "enable.auto.commit": False,
        "auto.offset.reset": "error",
        "enable.partition.eof": True,
        "allow.auto.create.topics": False,
        "reconnect.backoff.max.ms": RECONNECT_MS,
        "log_level": 0,
    }
