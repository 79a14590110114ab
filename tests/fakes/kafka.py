"""Plain reading and writing of topics, for tests that look at what lies on them."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from hookline.runtime.admin import Size, TopicAdmin
from hookline.runtime.log import KafkaRecord
from hookline.schemas.topics import Topics

_READ_S = 60.0  # a broker that died would be waited for without end


def make_topics(bootstrap: str, topics: Topics, *, replicas: int = 1) -> None:
    """All topics of the prefix, in their embedded size."""
    TopicAdmin(bootstrap, size=Size.EMBEDDED, replication=replicas).apply(topics.specifications())


def change_topic(bootstrap: str, topic: str, name: str, value: str) -> None:
    """Set one of a topic's settings."""
    entry = ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    client = AdminClient({"bootstrap.servers": bootstrap})  # kept: its answers end with it
    for answer in client.incremental_alter_configs([resource]).values():
        answer.result(15)


def remove_topic(bootstrap: str, topic: str) -> None:
    """Delete a topic, and return when the broker has forgotten it."""
    client = AdminClient({"bootstrap.servers": bootstrap})
    for answer in client.delete_topics([topic]).values():
        answer.result(15)
    deadline = time.monotonic() + 15
    while topic in client.list_topics(timeout=15).topics:
        assert time.monotonic() < deadline, f"{topic} is still there"


def write(bootstrap: str, topic: str, records: Iterable[tuple[bytes | None, bytes | None]]) -> None:
    """Write (key, value) pairs and wait for the broker's yes."""
    producer = Producer(
        {"bootstrap.servers": bootstrap, "partitioner": "murmur2_random", "acks": "all", "linger.ms": 5}
    )
    for key, value in records:
        producer.produce(topic, value, key)
        producer.poll(0)
    assert producer.flush(30) == 0


def read(bootstrap: str, *topics: str) -> Sequence[KafkaRecord]:
    """Everything that lies on the topics now and is committed, partition by partition."""
    with _consumer(bootstrap) as consumer:
        return [record for topic in topics for record in _read(consumer, topic)]


def read_until(
    bootstrap: str, topic: str, enough: Callable[[Sequence[KafkaRecord]], bool], *, timeout_s: float = 60
) -> Sequence[KafkaRecord]:
    """What lies on a topic, once that is enough; AssertionError when the time is up."""
    deadline = time.monotonic() + timeout_s
    with _consumer(bootstrap) as consumer:
        partitions = consumer.list_topics(topic, timeout=15).topics[topic].partitions
        consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
        found: list[KafkaRecord] = []
        # What came by is asked first, for it costs little; then all that lies there: one record too many may be elsewhere.
        while not (enough(found) and enough(whole := read(bootstrap, topic))):
            found = _in_order([*found, *_next(consumer, topic, deadline)])
            assert time.monotonic() < deadline, f"{topic}: {len(found)} records are not what was waited for"
    return whole


@contextmanager
def _consumer(bootstrap: str) -> Iterator[Consumer]:
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "tests.no-group",
            "enable.auto.commit": False,  # else closing waits for the group's coordinator, and for ever if that is lost
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,  # a transaction's marker may be the last that takes an offset
            "fetch.wait.max.ms": 10,
        }
    )
    try:
        yield consumer
    finally:
        consumer.close()


def _read(consumer: Consumer, topic: str) -> list[KafkaRecord]:
    partitions = consumer.list_topics(topic, timeout=15).topics[topic].partitions
    wanted = {number for number in partitions if _holds_any(consumer, TopicPartition(topic, number))}
    consumer.assign([TopicPartition(topic, number, 0) for number in wanted])
    found: list[KafkaRecord] = []
    deadline = time.monotonic() + _READ_S
    while wanted:
        assert time.monotonic() < deadline, f"{topic}: the partitions {sorted(wanted)} were not read to their ends"
        messages = _polled(consumer, 0.2)
        found += [_record(topic, each) for each in messages if not _is_end(each)]
        wanted -= {each.partition() or 0 for each in messages if _is_end(each)}
    return found


def _next(consumer: Consumer, topic: str, deadline: float) -> list[KafkaRecord]:
    """The next records; none when the time is up."""
    while time.monotonic() < deadline:
        if found := [_record(topic, each) for each in _polled(consumer, 0.2) if not _is_end(each)]:
            return found
    return []


def _polled(consumer: Consumer, timeout_s: float) -> list[Message]:
    """What is there, as soon as there is something: `consume` alone would wait for as many as it may give, or for its time."""
    first = consumer.poll(timeout_s)
    return [] if first is None else [first, *consumer.consume(999, 0)]


def _in_order(records: Iterable[KafkaRecord]) -> list[KafkaRecord]:
    return sorted(records, key=lambda each: (each.partition, each.offset))


def _is_end(message: Message) -> bool:
    error = message.error()
    return error is not None and error.code() == KafkaError._PARTITION_EOF


def _record(topic: str, message: Message) -> KafkaRecord:
    assert message.error() is None, message.error()
    return KafkaRecord(
        topic,
        message.partition() or 0,
        message.offset() or 0,
        message.timestamp()[1],
        message.key(),
        message.value(),
    )


def _holds_any(consumer: Consumer, partition: TopicPartition) -> bool:
    deadline = time.monotonic() + 15
    while True:
        try:
            low, high = consumer.get_watermark_offsets(partition, timeout=15)
        except KafkaException:  # a topic that was just made may have no leader yet
            assert time.monotonic() < deadline, f"{partition.topic} has no leader"
            time.sleep(0.02)
        else:
            return high > low
