"""The source system of a chaos run, a process of its own: publishes numbered events at a rate and keeps when each was acknowledged.

It is told what to do by lines, and answers each with one: `rate 1000`, `burst 5000` (as fast as it goes, beside the rate), and
`stop`, answered when everything published has its answer from Kafka.
"""

import json
import select
import sys
import time
from functools import partial
from pathlib import Path

from confluent_kafka import KafkaError, Message, Producer

from fakes.chaos_load import Templates
from fakes.chaos_sheets import sent_sheet
from hookline.schemas.topics import Topics

_TICK_S = 0.005
_ANSWER_S = 120  # longer than any fault keeps the broker away


class Publishing:
    """Publishes what is due."""

    def __init__(self, *, bootstrap: str, prefix: str, folder: Path, endpoints: int, events_max: int) -> None:
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "partitioner": "murmur2_random",
                "enable.idempotence": True,
                "compression.type": "lz4",
                "linger.ms": 5,
                "message.timeout.ms": _ANSWER_S * 1_000,
                "queue.buffering.max.messages": events_max,
                "log_level": 0,
            }
        )
        self._templates = Templates(Topics(prefix), endpoints=endpoints)
        self._sheet = sent_sheet(folder, endpoints=endpoints, events_max=events_max)
        self._endpoints = endpoints
        self._next, self._due, self._rate, self._at_s = 0, 0.0, 0.0, time.monotonic()

    def run(self) -> None:
        while True:
            self._publish_due()
            readable, _, _ = select.select([sys.stdin], [], [], _TICK_S)
            if not readable:
                continue
            words = sys.stdin.readline().split()
            self._obey(words)
            print("done", flush=True)
            if not words or words == ["stop"]:
                return

    def _obey(self, words: list[str]) -> None:
        self._publish_due()
        match words:
            case ["rate", rate]:
                self._rate = float(rate)
            case ["burst", count]:
                self._due += int(count)
            case _:
                self._producer.flush(_ANSWER_S)

    def _publish_due(self) -> None:
        now_s = time.monotonic()
        self._due += (now_s - self._at_s) * self._rate
        self._at_s = now_s
        while self._due >= 1:
            self._publish(self._next, now_s)
            self._next += 1
            self._due -= 1
        self._sheet["published"][0] = self._next
        self._producer.poll(0)

    def _publish(self, number: int, now_s: float) -> None:
        topic, key, value = self._templates.record(number)
        self._sheet.times("published_s")[number] = now_s
        self._producer.produce(topic, value, key, on_delivery=partial(self._answered, number))

    def _answered(self, number: int, error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            self._sheet["refused"][0] += 1
            return
        self._sheet.times("acked_s")[number] = time.monotonic()
        self._sheet["acked"][number % self._endpoints] += 1


def main() -> None:
    asked = json.loads(sys.argv[1])
    Publishing(**(asked | {"folder": Path(asked["folder"])})).run()


if __name__ == "__main__":
    main()
