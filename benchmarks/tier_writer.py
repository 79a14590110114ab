"""Writes deliveries to a tier's topic at a steady rate, and says when the broker appended each: a process of its own.

Its input is one JSON object: how many, at which rate, the subscriptions that they are for in turn (id and account). It answers with
the name of a file of delivery ids and append times.
"""

import json
import sys
import tempfile
import time
from dataclasses import replace
from functools import partial
from typing import Any

from confluent_kafka import KafkaError, Message, Producer

from fakes.configuration import delivery, subscription
from fakes.road import CODEC
from hookline.schemas.records import Place

_PACE_S = 0.004
_BODY = b'{"event":"user.created","data":{"id":"user_1"}}' + b" " * 150


def waiting(wish: dict[str, Any]) -> list[tuple[str, bytes]]:
    """Deliveries whose first attempt has failed."""
    to = [
        replace(subscription("", account_id=account), subscription_id=name) for name, account in wish["subscriptions"]
    ]
    made = [delivery(to[number % len(to)], _BODY) for number in range(wish["count"])]
    origin = Place(partition=0, offset=0)
    return [(each.delivery_id, CODEC.encode(replace(each, attempt=2, origin=origin))) for each in made]


def write_all(producer: Producer, topic: str, records: list[tuple[str, bytes]], rate: float) -> dict[str, int]:
    """The append time of each."""
    appended: dict[str, int] = {}

    def note(name: str, error: KafkaError | None, message: Message) -> None:
        assert error is None, error
        appended[name] = message.timestamp()[1]

    started_s = time.monotonic()
    for number, (name, value) in enumerate(records):
        # A few at a time, or this process takes a core from those measured.
        if started_s + number / rate > time.monotonic():
            producer.poll(0)
            time.sleep(_PACE_S)
        producer.produce(topic, value, on_delivery=partial(note, name))
    assert producer.flush(30) == 0
    return appended


def main(bootstrap_servers: str, topic: str) -> None:
    producer = Producer(
        {"bootstrap.servers": bootstrap_servers, "acks": "all", "linger.ms": 5, "compression.type": "lz4"}
    )
    for line in sys.stdin:
        wish = json.loads(line)
        appended = write_all(producer, topic, waiting(wish), float(wish["rate"]))
        with tempfile.NamedTemporaryFile("w", prefix="appended-", suffix=".json", delete=False) as file:
            json.dump(appended, file)
        sys.stdout.write(f"{file.name}\n")
        sys.stdout.flush()


main(sys.argv[1], sys.argv[2])
