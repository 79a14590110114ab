import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaError, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from hookline.runtime.broker_jars import kafka_folder
from hookline.runtime.broker_process import EmbeddedKafka
from hookline.schemas.errors import ConfigError, NotYet

pytestmark = pytest.mark.kafka

_PARENT = """
import os, pathlib, sys, time
from hookline.runtime.broker_process import EmbeddedKafka
data_dir, cache_dir = map(pathlib.Path, sys.argv[1:])
broker = EmbeddedKafka(data_dir=data_dir, cache_dir=cache_dir, env=os.environ, say=lambda text: None)
broker.start()
print(broker.pid, flush=True)
time.sleep(600)
"""

Brokers = Callable[..., EmbeddedKafka]


@pytest.fixture
def brokers(tmp_path: Path, cache_dir: Path, bootstrap: str) -> Iterator[Brokers]:
    """Makes brokers on one data folder, and ends them; the session's broker has fetched the jars."""
    made: list[EmbeddedKafka] = []

    def make(**changes: object) -> EmbeddedKafka:
        arguments = {"data_dir": tmp_path / "kafka", "cache_dir": cache_dir, "env": os.environ, "say": print} | changes
        made.append(EmbeddedKafka(**arguments))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for broker in made:
        broker.kill()


def test_what_is_produced_is_consumed_by_a_group(bootstrap: str, prefix: str) -> None:
    _create(bootstrap, f"{prefix}letters")
    _produce(bootstrap, f"{prefix}letters", b"a", b"b", b"c")
    assert _consume(bootstrap, f"{prefix}letters", 3, group=f"{prefix}readers") == [b"a", b"b", b"c"]


def test_a_topic_that_nobody_made_is_not_there(bootstrap: str, prefix: str) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "allow.auto.create.topics": True, "log_level": 0})
    asked = producer.list_topics(f"{prefix}mistyped", timeout=10).topics[f"{prefix}mistyped"]
    assert asked.error is not None
    assert asked.error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART
    assert f"{prefix}mistyped" not in producer.list_topics(timeout=10).topics


def test_a_killed_broker_comes_back_with_its_address_and_data(brokers: Brokers) -> None:
    broker = brokers()
    broker.start()
    address, pid = broker.bootstrap_servers, broker.pid
    assert pid is not None
    _create(address, "letters")
    _produce(address, "letters", b"a", b"b")
    os.kill(pid, signal.SIGKILL)
    _until(lambda: not broker.running)

    broker.start()
    assert (broker.bootstrap_servers, broker.pid == pid) == (address, False)
    _produce(address, "letters", b"c")
    assert _consume(address, "letters", 3, group="readers") == [b"a", b"b", b"c"]


def test_a_stopped_broker_is_found_as_it_was_by_the_next_run(brokers: Brokers) -> None:
    first, second = brokers(), brokers()
    first.start()
    _create(first.bootstrap_servers, "letters")
    _produce(first.bootstrap_servers, "letters", b"a")
    first.stop()
    first.stop()
    assert (first.running, first.pid) == (False, None)

    second.start()
    second.start()
    assert second.bootstrap_servers == first.bootstrap_servers
    assert _consume(second.bootstrap_servers, "letters", 1, group="readers") == [b"a"]
    second.erase()
    assert (second.running, _data_dir(second).exists()) == (False, False)


def test_a_data_folder_has_one_broker_at_a_time(brokers: Brokers) -> None:
    first, second = brokers(), brokers(earlier_run_s=0.1)
    first.start()
    with pytest.raises(NotYet, match=r"lock is held by another run's broker; waited 0 s"):
        second.start()
    assert first.running


def test_a_port_in_use_is_named(brokers: Brokers) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as occupied:
        port = occupied.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port {port} on 127.0.0.1 is in use by another program"):
            brokers(port=port).start()


def test_a_port_that_was_taken_since_the_last_run_is_replaced(brokers: Brokers, tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as occupied:
        port = occupied.getsockname()[1]
        (tmp_path / "kafka").mkdir()
        (tmp_path / "kafka" / "ports.json").write_text(f'{{"client": {port}, "controller": {port}}}')
        broker = brokers()
        broker.start()
    assert broker.bootstrap_servers != f"127.0.0.1:{port}"


def test_a_broken_class_archive_stops_no_start(brokers: Brokers, cache_dir: Path, tmp_path: Path) -> None:
    kept = kafka_folder(tmp_path / "cache")
    kept.mkdir(parents=True)
    (kept / "libs").symlink_to(kafka_folder(cache_dir) / "libs")
    trained = brokers(cache_dir=tmp_path / "cache")
    trained.start()
    trained.stop()
    (archive,) = kept.glob("*.jsa")
    archive.write_bytes(archive.read_bytes()[:1_000_000] + b"\0" * 1_000_000)

    trained.start()
    assert (trained.running, archive.exists()) == (True, False)


def test_kafkas_own_reason_is_shown_when_it_does_not_start(brokers: Brokers) -> None:
    broker = brokers()
    broker.start()
    broker.stop()
    (_data_dir(broker) / "data" / "meta.properties").write_text("version=1\ncluster.id=other\nnode.id=7\n")
    with pytest.raises(ConfigError, match=r"(?s)ended while it started; the end of its logs in .*node.id"):
        broker.start()


def test_the_broker_ends_with_the_process_that_started_it(cache_dir: Path, tmp_path: Path, bootstrap: str) -> None:
    program = [sys.executable, "-c", _PARENT, str(tmp_path / "kafka"), str(cache_dir)]
    with subprocess.Popen(program, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert Path(f"/proc/{pid}/cmdline").exists()
        parent.kill()
    _until(lambda: _ended(pid))


def _data_dir(broker: EmbeddedKafka) -> Path:
    return broker._data_dir


def _create(bootstrap: str, topic: str) -> None:
    client = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    client.create_topics([NewTopic(topic, 1)])[topic].result(20)


def _produce(bootstrap: str, topic: str, *values: bytes) -> None:
    failures: list[KafkaError] = []
    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all", "log_level": 0})
    for value in values:
        producer.produce(topic, value, on_delivery=lambda error, _: failures.append(error) if error else None)
    assert (producer.flush(30), failures) == (0, [])


def _consume(bootstrap: str, topic: str, count: int, *, group: str) -> list[bytes | None]:
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": group, "auto.offset.reset": "earliest", "log_level": 0}
    )
    consumer.subscribe([topic])
    try:
        return [message.value() for message in consumer.consume(count, timeout=30)]
    finally:
        consumer.close()


def _until(condition: Callable[[], object], *, deadline_s: float = 30) -> None:
    end_s = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end_s, f"not within {deadline_s} s"
        time.sleep(0.02)


def _ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"
    except FileNotFoundError:
        return True
