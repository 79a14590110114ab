"""What happens to events when the broker dies under a publisher and comes back. It has a broker of its own to kill."""

import io
import os
import queue
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition

from hookline.producers import Event, NotYet, Publisher
from hookline.producers.demo import Demo, run_demo
from hookline.producers.ingest import Complaint, ExitStatus, ingest
from hookline.runtime.admin import Size, TopicAdmin
from hookline.runtime.broker_process import EmbeddedKafka
from hookline.runtime.catalogue import load_catalogue
from hookline.runtime.clock import SystemClock
from hookline.schemas.codec import Codec
from hookline.schemas.topics import Topics

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory, cache_dir: Path) -> Iterator[EmbeddedKafka]:
    folder = tmp_path_factory.mktemp("outage")
    made = EmbeddedKafka(data_dir=folder / "kafka", cache_dir=cache_dir, env=os.environ, say=print)
    yield made
    made.kill()  # its data goes with the folder


@pytest.fixture
def topics(prefix: str) -> Topics:
    return Topics(prefix)


@pytest.fixture
def broker(node: EmbeddedKafka, topics: Topics) -> EmbeddedKafka:
    """It is there whatever the test before did to it, and has this test's topics."""
    node.start()
    names = topics.all_events()
    specified = [topic for topic in topics.specifications() if topic.name in names]
    TopicAdmin(node.bootstrap_servers, size=Size.EMBEDDED).apply(specified)
    return node


def stored(broker: EmbeddedKafka, topics: Topics) -> list[Event]:
    """Every event in the event topics."""
    codec = Codec(load_catalogue())
    consumer = Consumer({"bootstrap.servers": broker.bootstrap_servers, "group.id": "reads-all"})
    try:
        places = [TopicPartition(name, number, 0) for name in topics.all_events() for number in range(4)]
        left = sum(consumer.get_watermark_offsets(place, timeout=30)[1] for place in places)
        consumer.assign(places)
        return [codec.decode_event(_value(consumer)) for _ in range(left)]
    finally:
        consumer.close()


def _value(consumer: Consumer) -> bytes | None:
    message = consumer.poll(30)
    assert message is not None
    assert message.error() is None
    value = message.value()
    return value if isinstance(value, bytes) else None


def test_the_demo_waits_for_a_broker_that_died_and_goes_on(broker: EmbeddedKafka, topics: Topics) -> None:
    said: queue.Queue[str] = queue.Queue()
    stop = threading.Event()
    demo = Demo(account_id="acct_1", rate=200, seed=1)
    with (
        Publisher(bootstrap_servers=broker.bootstrap_servers, topic_prefix=topics.prefix, timeout_s=2) as publisher,
        ThreadPoolExecutor(1) as thread,
    ):
        running = thread.submit(run_demo, demo, publisher, clock=SystemClock(), stop=stop, say=said.put)
        try:
            broker.kill()
            assert said.get(timeout=60).startswith("waiting for the broker")
            broker.start()
            assert said.get(timeout=60) == "the broker is back"
        finally:
            stop.set()
        acknowledged = running.result(60)
    assert acknowledged > 0
    assert len({event.event_id for event in stored(broker, topics)}) >= acknowledged


def test_a_short_outage_is_waited_out_and_nothing_is_lost_or_twice(broker: EmbeddedKafka, topics: Topics) -> None:
    lines = b"".join(
        b'{"id":"evt_%d","event":"user.deleted","timestamp":"2023-06-20T14:20:00Z","data":'
        b'{"id":"user_%d","username":"x","deleted_at":"2023-06-20T14:20:00Z"}}\n' % (number, number)
        for number in range(5_000)
    )
    complaints: list[Complaint] = []
    with Publisher(bootstrap_servers=broker.bootstrap_servers, topic_prefix=topics.prefix, timeout_s=60) as publisher:
        broker.kill()
        with ThreadPoolExecutor(1) as thread:
            running = thread.submit(
                ingest, io.BytesIO(lines), publisher, account_id="acct_1", complain=complaints.append
            )
            broker.start()
            report = running.result(120)
    assert (report.published, report.exit_status, complaints) == (5_000, ExitStatus.ALL_PUBLISHED, [])
    assert sorted(event.event_id for event in stored(broker, topics)) == sorted(
        f"evt_{number}" for number in range(5_000)
    )


def test_lines_that_a_dead_broker_did_not_take_are_told_one_by_one(broker: EmbeddedKafka, topics: Topics) -> None:
    line = (
        b'{"event":"user.deleted","timestamp":"2023-06-20T14:20:00Z","data":'
        b'{"id":"user_1","username":"x","deleted_at":"2023-06-20T14:20:00Z"}}\n'
    )
    complaints: list[Complaint] = []
    with Publisher(bootstrap_servers=broker.bootstrap_servers, topic_prefix=topics.prefix, timeout_s=1) as publisher:
        broker.kill()
        report = ingest(io.BytesIO(line * 3), publisher, account_id="acct_1", complain=complaints.append)
    assert [complaint.line for complaint in complaints] == [1, 2, 3]
    assert (report.unpublished, report.exit_status) == (3, ExitStatus.BROKER_AWAY)


def test_a_publisher_works_again_once_the_broker_is_back(broker: EmbeddedKafka, topics: Topics) -> None:
    event = Event(
        event_id="evt_1",
        account_id="acct_1",
        type="user.deleted",
        occurred_at=(at := load_catalogue().event_type("user.deleted").sample_data["deleted_at"]),  # type: ignore[arg-type]
        data={"id": "user_1", "username": "x", "deleted_at": at},
    )
    with Publisher(bootstrap_servers=broker.bootstrap_servers, topic_prefix=topics.prefix, timeout_s=2) as publisher:
        publisher.publish(event)
        broker.kill()
        with pytest.raises(NotYet, match=r"events\.user"):
            publisher.publish(event)
        broker.start()
        assert _published_again(publisher, event)


def _published_again(publisher: Publisher, event: Event) -> bool:
    for _ in range(30):
        try:
            return publisher.publish(event).event_id == event.event_id
        except NotYet:
            continue  # each try takes up to the publisher's own timeout
    return False
