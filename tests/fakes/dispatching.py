"""The real worker and the real sender on the memory broker, where writes can be made to fail and partitions be lost."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry

from fakes.configuration import short_settings
from hookline.core.offsets import read_bitmap
from hookline.dispatchers.assembly import Parts, build_forwarder, build_worker
from hookline.runtime.catalogue import load_catalogue
from hookline.runtime.clock import SystemClock
from hookline.runtime.log import KafkaRecord, TopicPartition
from hookline.runtime.memory import MemoryBroker, MemoryReader, MemoryWriter
from hookline.runtime.metrics import Metrics, reading
from hookline.runtime.outbound_session import open_session
from hookline.runtime.settings import Settings
from hookline.runtime.tasks import Tasks
from hookline.runtime.view import View
from hookline.schemas.codec import Codec
from hookline.schemas.records import Account, Attempt, Delivery, Job, JobWish, Record, Subscription, wish_key
from hookline.schemas.topics import Topics

CODEC = Codec(load_catalogue())
SETTINGS = short_settings("memory", "t.", commit_interval_ms=10)
TOPICS = SETTINGS.topics()


@dataclass(slots=True)
class Failures:
    """How often a write to each topic still fails; and every topic asked for, in order."""

    left: Counter[str] = field(default_factory=Counter)
    asked: list[str] = field(default_factory=list)

    def fails(self, topic: str) -> bool:
        self.asked.append(topic)
        self.left[topic] -= 1
        return self.left[topic] >= 0


class Dispatching:
    def __init__(
        self, broker: MemoryBroker, reader: MemoryReader, view: View, failures: Failures, metrics: Metrics
    ) -> None:
        self.metrics = metrics
        self.broker = broker
        self.reader = reader
        self.view = view
        self.failures = failures

    def configure(self, *subscriptions: Subscription) -> None:
        """The view learns of them, at offsets from 0 on."""
        self.view.received(
            [
                KafkaRecord(TOPICS.subscriptions, 0, number, 0, each.subscription_id.encode(), CODEC.encode(each))
                for number, each in enumerate(subscriptions)
            ]
        )

    def enroll(self, *accounts: Account) -> None:
        """The view learns of them."""
        self.view.received(
            [
                KafkaRecord(TOPICS.accounts, 0, number, 0, each.account_id.encode(), CODEC.encode(each))
                for number, each in enumerate(accounts)
            ]
        )

    def forget(self, subscription: Subscription) -> None:
        """The view learns that it was deleted."""
        key = subscription.subscription_id.encode()
        self.view.received([KafkaRecord(TOPICS.subscriptions, 0, self.view.applied, 0, key, None)])

    def ask(self, *records: Job | JobWish) -> None:
        """The view learns of these jobs and wishes."""
        self.view.received(
            [
                KafkaRecord(TOPICS.jobs, 0, number, 0, _key_of(each), CODEC.encode(each))
                for number, each in enumerate(records)
            ]
        )

    def deliver(self, *deliveries: Delivery, lane: str = TOPICS.deliveries) -> None:
        for each in deliveries:
            self.broker.append(lane, each.subscription_id.encode(), CODEC.encode(each))

    def replay(self, *deliveries: Delivery) -> None:
        self.deliver(*deliveries, lane=TOPICS.replays)

    def attempts(self) -> Sequence[Attempt]:
        return [CODEC.decode(record.value, Attempt) for record in self.broker.records(TOPICS.attempts)]

    def retries(self) -> Sequence[Delivery]:
        return [
            CODEC.decode(record.value, Delivery)
            for record in self.broker.records(TOPICS.retry(SETTINGS.retry_tiers[0]))
        ]

    def parked(self) -> Sequence[Delivery]:
        """What was postponed, as often as it was."""
        topics = [TOPICS.postponed(tier) for tier in TOPICS.postponed_tiers_ms]
        return [CODEC.decode(record.value, Delivery) for topic in topics for record in self.broker.records(topic)]

    def parked_count(self) -> int:
        return sum(len(self.broker.records(TOPICS.postponed(tier))) for tier in TOPICS.postponed_tiers_ms)

    def judgements(self) -> Sequence[Record]:
        """What was judged of endpoints, in order."""
        return [CODEC.decode_any(record.value) for record in self.broker.records(TOPICS.endpoint_state)]

    def committed(self, lane: str = TOPICS.deliveries) -> int:
        found = self.broker.committed("dispatchers", TopicPartition(lane, 0))
        return 0 if found is None else found.offset

    def gauge(self, name: str, lane: str = "fresh") -> float:
        """A metric of one lane, now."""
        return reading(self.metrics.registry, name, {"lane": lane})

    def done_beyond(self) -> Collection[int]:
        """What the last commit says is done although an earlier record is open."""
        found = self.broker.committed("dispatchers", TopicPartition(TOPICS.deliveries, 0))
        return () if found is None else read_bitmap(found.offset, found.metadata)


def _key_of(record: Job | JobWish) -> bytes:
    return record.job_id.encode() if isinstance(record, Job) else wish_key(record.job_id)


def waiting_topics(topics: Topics = TOPICS) -> Sequence[str]:
    """Every tier's topic."""
    retries = [topics.retry(tier) for tier in topics.retry_tiers_ms]
    return [*retries, *(topics.postponed(tier) for tier in topics.postponed_tiers_ms)]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.005)


@asynccontextmanager
async def dispatching(
    settings: Settings = SETTINGS, *, forwarding: bool = False, bytes_max: Mapping[str, int] | None = None
) -> AsyncIterator[Dispatching]:
    """One worker on one partition of each lane; what waits on a tier comes back only when `forwarding`."""
    clock, metrics, failures = SystemClock(), Metrics(CollectorRegistry()), Failures()
    broker, topics = MemoryBroker(clock), settings.topics()
    for topic in topics.specifications():
        broker.create(topic.name)
    failed: list[BaseException] = []
    async with AsyncExitStack() as stack:
        tasks = Tasks(on_fatal=failed.append)
        opening = open_session(
            reach=settings.reach(), timeout_s=settings.request_timeout_s, dns_servers=settings.dns_servers
        )
        session = await stack.enter_async_context(opening)
        stack.push_async_callback(tasks.cancel)
        view = View(topics=topics, codec=CODEC, metrics=metrics)
        writer = MemoryWriter(broker, fails=failures.fails, bytes_max=bytes_max)
        parts = Parts(
            settings=settings,
            topics=topics,
            codec=CODEC,
            view=view,
            session=session,
            writer=writer,
            clock=clock,
            metrics=metrics,
            tasks=tasks,
        )
        worker, forwarder = build_worker(parts), build_forwarder(parts)
        lanes = (topics.deliveries, topics.redeliveries, topics.replays)
        reader = MemoryReader(broker, group="dispatchers", topics=lanes, handler=worker)
        tiers = MemoryReader(broker, group="forwarders", topics=waiting_topics(topics), handler=forwarder)
        worker.read_by(reader)
        forwarder.read_by(tiers)
        for work in (worker.commit_forever(), worker.tick_forever(), forwarder.commit_forever()):
            tasks.spawn(work)
        if forwarding:
            tasks.spawn(forwarder.forward_forever())
            tiers.start()
        MemoryReader(broker, group="view", topics=(topics.endpoint_state,), handler=view).start()
        reader.start()
        yield Dispatching(broker, reader, view, failures, metrics)
    assert not failed
