"""SIGKILL of the dispatcher exactly between two of its writes: nothing is lost, and at most one request is made twice.

The dispatcher reaches Kafka through a proxy that sees each write come by. At the one that a row names, the process is
killed: before the broker has it, or after the broker's answer. Then it is started again.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import confluent_kafka
import pytest
import pytest_asyncio
from aiohttp import web

from fakes.cluster import broker_behind
from fakes.configuration import delivery, short_settings, subscription
from fakes.endpoint import Answer, endpoint
from fakes.kafka import read, write
from fakes.proxy import Api, Gate, KafkaProxy, When, kafka_proxy
from fakes.road import CODEC, Road, road
from hookline.runtime.broker_node import HOST, free_port
from hookline.runtime.history import open_history
from hookline.runtime.settings import Settings
from hookline.schemas.records import Attempt, DeadLetter, Outcome
from hookline.schemas.topics import Topics

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(120), pytest.mark.asyncio(loop_scope="module")]
TIER_MS = 1_000  # longer than the 200 ms between commits: the first attempt is committed before the second is made
BEFORE, AFTER = When.BEFORE_IT_IS_PASSED_ON, When.AFTER_THE_BROKER_ANSWERED
WAIT_S = 30.0


@dataclass(frozen=True, slots=True)
class Write:
    """A write that a row can name, by its topic or its group."""

    api: Api
    name: Callable[[Settings, Topics], str]


RETRY = Write(Api.PRODUCE, lambda _, topics: topics.retry(TIER_MS))
LETTER = Write(Api.PRODUCE, lambda _, topics: topics.dead_letters)
ATTEMPT = Write(Api.PRODUCE, lambda _, topics: topics.attempts)
COMMIT = Write(
    Api.OFFSET_COMMIT, lambda settings, _: settings.group("dispatchers")
)  # or the second lane's, longer name
REDELIVERY = Write(Api.PRODUCE, lambda _, topics: topics.redeliveries)
TIER_COMMIT = Write(Api.OFFSET_COMMIT, lambda settings, _: settings.group("forwarders"))

SUCCEEDS, FAILS_ONCE, FAILS = (200,), (503, 200), (503, 503)  # what the endpoint answers to each attempt


@dataclass(frozen=True, slots=True)
class Row:
    """The kill's place: at the first such write after the request of attempt `during`."""

    answers: tuple[int, ...]
    write: Write
    when: When
    during: int = 1
    repeats_max: int = 1


# "After" one write and "before" the next are one gap, which is named by the write that did not happen.
ROWS = {
    "failed, before the retry": Row(FAILS_ONCE, RETRY, BEFORE),
    "failed, after the retry, its answer lost": Row(FAILS_ONCE, RETRY, AFTER),
    "failed, before the attempt": Row(FAILS_ONCE, ATTEMPT, BEFORE),
    "failed, before the commit": Row(FAILS_ONCE, COMMIT, BEFORE),
    "failed, after the commit": Row(FAILS_ONCE, COMMIT, AFTER, repeats_max=0),
    "succeeded, before the attempt": Row(SUCCEEDS, ATTEMPT, BEFORE),
    "succeeded, before the commit": Row(SUCCEEDS, COMMIT, BEFORE),
    "succeeded, after the commit": Row(SUCCEEDS, COMMIT, AFTER, repeats_max=0),
    "exhausted, before the dead letter": Row(FAILS, LETTER, BEFORE, during=2),
    "exhausted, before the attempt": Row(FAILS, ATTEMPT, BEFORE, during=2),
    "exhausted, before the commit": Row(FAILS, COMMIT, BEFORE, during=2),
    "due again, before the redelivery": Row(FAILS_ONCE, REDELIVERY, BEFORE, repeats_max=0),
    "due again, after the redelivery, its answer lost": Row(FAILS_ONCE, REDELIVERY, AFTER),
    "due again, before the commit": Row(FAILS_ONCE, TIER_COMMIT, BEFORE),
}


@dataclass(slots=True)
class Killed:
    """A dispatcher that is killed at a gate and started again. `own` is the broker's address past the proxy."""

    road: Road
    proxy: KafkaProxy
    own: str
    topics: Topics
    configured: int = 0
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    async def deliver(self, url: str) -> str:
        """One new delivery to a subscription of its own; returns its id."""
        to = subscription(url)
        await asyncio.to_thread(write, self.own, self.topics.subscriptions, [_record(to.subscription_id, to)])
        self.configured += 1
        made = delivery(to, config_offset=self.configured)
        await asyncio.to_thread(write, self.own, self.topics.deliveries, [_record(to.subscription_id, made)])
        return made.delivery_id

    def kill_at(self, row: Row) -> None:
        """SIGKILL it when the row's write comes by."""
        process = self.road.roles["dispatcher"].process
        gate = Gate(row.write.api, row.write.name(self.road.settings, self.topics), row.when)

        def kill() -> None:
            process.send_signal(signal.SIGKILL)
            self.gone.set()

        self.proxy.close_at(gate, kill)

    async def start_again(self) -> None:
        async with asyncio.timeout(WAIT_S):
            await self.gone.wait()
        self.gone.clear()
        await self.road.kill("dispatcher")
        self.proxy.open()
        await self.road.start("dispatcher")

    async def settled(self) -> None:
        """Return once nothing waits: everything on the lanes and the tiers is done and committed."""
        async with asyncio.timeout(WAIT_S):
            while await asyncio.to_thread(self._lag):
                await asyncio.sleep(0.05)

    def _lag(self) -> int:
        topics = self.topics
        return (
            self._lag_of("dispatchers", topics.deliveries)
            + self._lag_of("dispatchers.second", topics.redeliveries)
            + self._lag_of("dispatchers.replays", topics.replays)
            + self._lag_of("forwarders", topics.retry(TIER_MS))
        )

    def _lag_of(self, role: str, topic: str) -> int:
        group = self.road.settings.group(role)
        reader = confluent_kafka.Consumer({"bootstrap.servers": self.own, "group.id": group})
        try:
            return _lag(reader, topic)
        finally:
            reader.close()

    def attempts(self, delivery_id: str) -> list[Attempt]:
        """What is on record of a delivery, in order."""
        found = [CODEC.decode(record.value, Attempt) for record in read(self.own, self.topics.attempts)]
        return sorted((each for each in found if each.delivery_id == delivery_id), key=lambda each: each.started_at_ms)

    def letters(self, delivery_id: str) -> list[DeadLetter]:
        found = [CODEC.decode(record.value, DeadLetter) for record in read(self.own, self.topics.dead_letters)]
        return [each for each in found if each.delivery_id == delivery_id]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def killed(tmp_path_factory: pytest.TempPathFactory, cache_dir: Path) -> AsyncIterator[Killed]:
    folder = tmp_path_factory.mktemp("gaps")
    port = free_port(str(folder))
    settings = short_settings(f"{HOST}:{port}", "gaps.", retry_tiers=(TIER_MS,))
    async with (
        broker_behind(port, folder / "kafka", cache_dir) as door,
        kafka_proxy(port, door=door.port) as proxy,
        road(settings, folder, roles=("dispatcher",)) as running,
    ):
        yield Killed(running, proxy, door.bootstrap_servers, settings.topics())


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS.keys())
async def test_a_kill_between_two_writes_loses_nothing(killed: Killed, row: Row, tmp_path: Path) -> None:
    def answers(attempt: int, _number: int) -> int:
        return row.answers[attempt - 1]

    requests, made, letters = await killed_at(row, killed, answers)
    wanted = set(range(1, len(row.answers) + 1))
    assert set(requests) == {each.attempt for each in made} == wanted
    assert len(requests) <= len(wanted) + row.repeats_max
    assert_ends_as_it_must(row, made, letters)
    assert await state_of(made, tmp_path) == ("succeeded" if row.answers[-1] == 200 else "exhausted")


async def test_an_endpoint_that_recovers_while_the_dispatcher_is_away_gets_one_request_too_many(killed: Killed) -> None:
    def answers(_attempt: int, number: int) -> int:
        return 503 if number == 0 else 200

    requests, made, letters = await killed_at(Row(FAILS_ONCE, ATTEMPT, BEFORE), killed, answers)
    assert sorted(requests) == [1, 1, 2]  # the retry was on its way already
    assert [each.outcome for each in made] == [Outcome.SUCCEEDED, Outcome.SUCCEEDED]
    assert not letters


async def killed_at(
    row: Row, killed: Killed, answers: Callable[[int, int], int]
) -> tuple[list[int], list[Attempt], list[DeadLetter]]:
    """The numbers of the requested attempts, what is on record, and the dead letters, once nothing waits any more."""
    async with endpoint(answering(row, killed, answers)) as (url, seen):
        delivery_id = await killed.deliver(url)
        await killed.start_again()
        await killed.settled()
        requests = [int(each.headers["X-Webhook-Attempt"]) for each in seen]
        assert {each.headers["webhook-id"] for each in seen} == {delivery_id}
        assert len({each.body for each in seen}) == 1
    made, letters = killed.attempts(delivery_id), killed.letters(delivery_id)
    print(f"requests {requests}, attempts on record {[each.attempt for each in made]}, dead letters {len(letters)}")
    assert len({each.attempt_id for each in made}) == len(made) <= len(requests)
    return requests, made, letters


def assert_ends_as_it_must(row: Row, made: Sequence[Attempt], letters: Sequence[DeadLetter]) -> None:
    by_number = {each.attempt: each for each in made}
    outcomes = [Outcome.SUCCEEDED if status == 200 else Outcome.FAILED for status in row.answers]
    assert [by_number[number].outcome for number in sorted(by_number)] == outcomes
    assert bool(letters) is (row.answers is FAILS)
    assert {each.attempts for each in letters} <= {len(row.answers)}


async def state_of(made: Sequence[Attempt], folder: Path) -> str:
    """What the history says of a delivery with these attempts; it may not depend on their order."""
    (first, *_) = made
    async with open_history(Settings(data_dir=folder)) as store:
        await store.ingest(made, {})
        (shown,) = await store.deliveries(account_id=first.account_id, subscription_id=first.subscription_id, limit=10)
    return shown.state


def answering(row: Row, killed: Killed, answers: Callable[[int, int], int]) -> Answer:
    """The endpoint: sets the gate at the first request of the attempt that the row means."""
    seen: list[int] = []

    async def step(request: web.Request) -> web.StreamResponse:
        attempt = int(request.headers["X-Webhook-Attempt"])
        if attempt == row.during and attempt not in seen:
            killed.kill_at(row)
        seen.append(attempt)
        return web.Response(status=answers(attempt, len(seen) - 1))

    return step


def _record(key: str, value: object) -> tuple[bytes, bytes]:
    return key.encode(), CODEC.encode(value)  # type: ignore[arg-type]  # a subscription or a delivery


def _lag(reader: confluent_kafka.Consumer, topic: str) -> int:
    numbers = reader.list_topics(topic, timeout=WAIT_S).topics[topic].partitions
    committed = reader.committed([confluent_kafka.TopicPartition(topic, number) for number in numbers], timeout=WAIT_S)
    return sum(reader.get_watermark_offsets(each, timeout=WAIT_S)[1] - max(0, each.offset) for each in committed)
