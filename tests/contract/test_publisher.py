import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from aiokafka.partitioner import murmur2
from confluent_kafka import Consumer, Message, TopicPartition

from hookline.producers import ConfigError, ContractError, Event, NotYet, Published, Publisher, new_event
from hookline.runtime.admin import Size, TopicAdmin
from hookline.runtime.catalogue import load_catalogue
from hookline.schemas.codec import Codec, sample_event
from hookline.schemas.topics import Topics

NOBODY = "127.0.0.1:1"  # a port that nothing listens on
AT = datetime(2023, 6, 20, 14, 20, tzinfo=UTC)
USER: dict[str, object] = {"id": "user_123", "username": "john_doe", "deleted_at": AT}
PARTITIONS = 4  # of an event topic, embedded


def user_deleted(**changes: object) -> Event:
    return new_event("user.deleted", account_id="acct_1", occurred_at=AT, data=USER | changes)


@pytest.fixture
def publisher(bootstrap: str, prefix: str) -> Iterator[Publisher]:
    names = Topics(prefix).all_events()
    specified = [topic for topic in Topics(prefix).specifications() if topic.name in names]
    TopicAdmin(bootstrap, size=Size.EMBEDDED).apply(specified)
    with Publisher(bootstrap_servers=bootstrap, topic_prefix=prefix) as publisher:
        yield publisher


def record(bootstrap: str, published: Published) -> Message:
    """The record at the place that the publisher said."""
    assert published.offset is not None
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "reads-one", "enable.auto.commit": False})
    try:
        consumer.assign([TopicPartition(published.topic, published.partition, published.offset)])
        found = consumer.poll(30)
        assert found is not None
        assert found.error() is None
        return found
    finally:
        consumer.close()


@pytest.mark.kafka
@pytest.mark.parametrize("name", sorted(load_catalogue().event_types))
def test_every_event_type_lies_where_the_answer_says(
    publisher: Publisher, bootstrap: str, prefix: str, name: str
) -> None:
    catalogue = publisher.catalogue
    event = sample_event(catalogue, name, event_id="evt_1", account_id="acct_1", occurred_at=AT)
    published = publisher.publish(event)
    found = record(bootstrap, published)
    assert (published.event_id, published.topic) == ("evt_1", f"{prefix}events.{name.partition('.')[0]}")
    assert found.key() == str(event.data["id"]).encode()
    assert Codec(catalogue).decode_event(found.value()) == event


@pytest.mark.kafka
def test_the_partition_is_the_one_that_java_and_faust_would_choose(publisher: Publisher) -> None:
    published = [publisher.submit(user_deleted(id=f"user_{number}")) for number in range(50)]
    chosen = [future.result(30).partition for future in published]
    assert chosen == [(murmur2(f"user_{number}".encode()) & 0x7FFFFFFF) % PARTITIONS for number in range(50)]


@pytest.mark.kafka
def test_many_threads_may_publish_at_once(publisher: Publisher) -> None:
    with ThreadPoolExecutor(8) as threads:
        published = list(threads.map(lambda _: publisher.publish(user_deleted()), range(400)))
    assert {each.offset for each in published} == set(range(400))  # one key: one partition, one history


@pytest.mark.kafka
def test_events_of_one_entity_stay_in_the_order_of_their_submission(publisher: Publisher) -> None:
    futures = [publisher.submit(user_deleted()) for _ in range(500)]
    publisher.flush()
    assert [future.result(0).offset for future in futures] == list(range(500))


@pytest.mark.kafka
def test_an_event_that_breaks_its_schema_is_refused_with_the_name_of_the_field(publisher: Publisher) -> None:
    order = sample_event(publisher.catalogue, "order.created", event_id="evt_1", account_id="a", occurred_at=AT)
    wrong = replace(order, data={**order.data, "total": Decimal("1.00001")})
    with pytest.raises(ContractError, match=r"order\.created: data\.total"):
        publisher.publish(wrong)
    publisher.flush()  # nothing was written, so nothing is open


@pytest.mark.kafka
def test_an_unknown_event_type_is_refused(publisher: Publisher) -> None:
    with pytest.raises(ContractError, match=r"user\.invented"):
        publisher.publish(replace(user_deleted(), type="user.invented"))


@pytest.mark.kafka
def test_an_event_whose_json_no_endpoint_would_get_is_refused(publisher: Publisher) -> None:
    room = 256 * 1024 - len(
        '{"event":"user.deleted","timestamp":"2023-06-20T14:20:00Z","data":'
        '{"id":"user_123","username":"","deleted_at":"2023-06-20T14:20:00Z"}}'
    )
    assert publisher.publish(user_deleted(username="x" * room)).offset is not None
    with pytest.raises(ContractError, match="262145 bytes of JSON; at most 262144"):
        publisher.submit(user_deleted(username="x" * (room + 1)))


@pytest.mark.kafka
def test_a_topic_that_is_not_there_is_the_operators_to_make(bootstrap: str, prefix: str) -> None:
    publisher = Publisher(bootstrap_servers=bootstrap, topic_prefix=prefix)
    with pytest.raises(ConfigError, match=r"events\.user: there is no such topic"):
        publisher.publish(user_deleted())
    publisher.close()


def test_a_broker_that_is_away_is_said_within_the_timeout() -> None:
    started_s = time.monotonic()
    with Publisher(bootstrap_servers=NOBODY, timeout_s=0.5) as publisher, pytest.raises(NotYet, match=r"events\.user"):
        publisher.publish(user_deleted())
    assert time.monotonic() - started_s < 30


def test_waiting_can_be_shorter_than_the_publishers_own() -> None:
    publisher = Publisher(bootstrap_servers=NOBODY)
    with pytest.raises(NotYet, match=r"no answer from the broker in 0.01 s"):
        publisher.publish(user_deleted(), timeout_s=0.01)
    with pytest.raises(NotYet, match="1 event"):
        publisher.close(timeout_s=0.01)


def test_a_full_queue_is_said_when_no_room_comes() -> None:
    publisher = Publisher(bootstrap_servers=NOBODY, timeout_s=0.3, queue_records_max=1)
    first = publisher.submit(user_deleted())
    with pytest.raises(NotYet):
        _submit(publisher, events=100)  # each takes the place of one that timed out, or finds none
    with pytest.raises(NotYet):
        publisher.close()
    assert isinstance(first.exception(0), NotYet)


def test_the_end_of_the_block_raises_for_what_nobody_asked_about() -> None:
    with pytest.raises(NotYet), Publisher(bootstrap_servers=NOBODY, timeout_s=0.2) as publisher:
        publisher.submit(user_deleted())


def test_the_end_of_the_block_does_not_hide_its_own_error() -> None:
    with pytest.raises(ContractError), Publisher(bootstrap_servers=NOBODY, timeout_s=0.2) as publisher:
        _submit_then_break(publisher)


def test_flush_tells_of_a_failure_once() -> None:
    with Publisher(bootstrap_servers=NOBODY, timeout_s=0.2) as publisher:
        publisher.submit(user_deleted())
        with pytest.raises(NotYet):
            publisher.flush()
        publisher.flush()


def test_what_is_given_up_at_the_end_fails_and_leaves_no_thread() -> None:
    threads = threading.active_count()
    publisher = Publisher(bootstrap_servers=NOBODY)
    future = publisher.submit(user_deleted())
    with pytest.raises(NotYet, match="1 event"):
        publisher.close(timeout_s=0)
    assert isinstance(future.exception(0), NotYet)
    assert threading.active_count() == threads


def test_nothing_can_be_published_after_the_end() -> None:
    publisher = Publisher(bootstrap_servers=NOBODY)
    publisher.close()
    with pytest.raises(RuntimeError, match="closed"):
        publisher.submit(user_deleted())


@pytest.mark.parametrize(
    ("wrong", "name"),
    [
        ({"bootstrap_servers": " "}, "bootstrap_servers"),
        ({"timeout_s": 0}, "timeout_s"),
        ({"queue_records_max": 0}, "queue_records_max"),
        ({"topic_prefix": "a b"}, "prefix"),
        ({"options": {"acks": "1"}}, "acks"),
        ({"options": {"no.such.option": "1"}}, "no.such.option"),
    ],
)
def test_a_wrong_setting_is_named(wrong: dict[str, object], name: str) -> None:
    with pytest.raises(ConfigError, match=name):
        Publisher(**{"bootstrap_servers": NOBODY} | wrong)  # type: ignore[arg-type]  # wrong on purpose


def _submit(publisher: Publisher, *, events: int) -> None:
    for _ in range(events):
        publisher.submit(user_deleted())


def _submit_then_break(publisher: Publisher) -> None:
    publisher.submit(user_deleted())
    publisher.submit(user_deleted(username=None))
