"""Replay processes for tests, what they find on the topics, and what they leave there."""

import asyncio
import signal
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, replace

import aiohttp
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from fakes.kafka import read, write
from fakes.road import CODEC, free_port, sample
from fakes.role_process import role_process
from hookline.core.ids import attempt_id, delivery_id
from hookline.runtime import draw
from hookline.runtime.clock import SystemClock
from hookline.runtime.history import open_history
from hookline.runtime.settings import Settings
from hookline.schemas.records import (
    Attempt,
    Delivery,
    Event,
    Job,
    JobKind,
    JobState,
    JobWish,
    Outcome,
    Place,
    Subscription,
    Wanted,
    wish_key,
)

NOW_MS = SystemClock().now_ms()
HOUR_MS = 3_600_000
_READY_S = 60.0
_LOOK_S = 0.05
_KEEP_UP_S = 0.02
_STOP_S = 30.0


@dataclass(slots=True)
class Replayer:
    """One `hookline replay` process."""

    process: asyncio.subprocess.Process
    health_url: str
    log: Callable[[], str]

    async def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        await self.process.wait()

    async def stop(self) -> int:
        self.process.terminate()
        return await asyncio.wait_for(self.process.wait(), _STOP_S)

    async def metric(self, sample_name: str) -> float:
        """The sum of a metric's samples."""
        async with aiohttp.ClientSession() as session, session.get(f"{self.health_url}/metrics") as page:
            lines = (await page.text()).splitlines()
        return sum(
            float(line.rpartition(" ")[2]) for line in lines if line.partition("{")[0].partition(" ")[0] == sample_name
        )


@asynccontextmanager
async def replayer(settings: Settings, *, awaits_ready: bool = True) -> AsyncIterator[Replayer]:
    """A replay process that is ready; killed at the block's end if it is still there. What it says is in `replay.log`."""
    port, path = free_port(), settings.data_dir / "replay.log"
    settings.data_dir.mkdir(exist_ok=True)
    async with role_process(settings, path, "replay", port=port) as process:
        running = Replayer(process, f"http://127.0.0.1:{port}", lambda: path.read_text(encoding="utf-8")[-4_000:])
        if awaits_ready:
            await _until_ready(running)
        yield running


async def _until_ready(running: Replayer) -> None:
    async with asyncio.timeout(_READY_S), aiohttp.ClientSession() as session:
        while True:
            assert running.process.returncode is None, running.log()
            with suppress(aiohttp.ClientError):
                async with session.get(f"{running.health_url}/readyz") as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(_LOOK_S)


# -- before a job -------------------------------------------------------------------------------------------------------


def events(count: int, event_type: str = "order.created", *, account_id: str = "acct_test") -> list[Event]:
    """New events."""
    return [sample(event_type, account_id=account_id) for _ in range(count)]


def publish(settings: Settings, published: Iterable[Event | bytes], *, at_ms: int, key: bytes | None = None) -> None:
    """Put events, or bytes that are none, into the log (of the topic `events.order` if they are bytes), a millisecond apart."""
    topics = settings.topics()
    producer = Producer({"bootstrap.servers": settings.bootstrap_servers, "partitioner": "murmur2_random"})
    for number, each in enumerate(published):
        event_type, value = (each.type, CODEC.encode_event(each)) if isinstance(each, Event) else ("order", each)
        topic = topics.events(event_type)
        producer.produce(topic, value, key or str(number).encode(), timestamp=at_ms + number)
        producer.poll(0)
    assert producer.flush(60) == 0


def configure(settings: Settings, *subscriptions: Subscription) -> None:
    """Have these subscriptions."""
    records = [(each.subscription_id.encode(), CODEC.encode(each)) for each in subscriptions]
    write(settings.bootstrap_servers, settings.topics().subscriptions, records)


def unsubscribe(settings: Settings, subscription: Subscription) -> None:
    """Delete a subscription."""
    write(settings.bootstrap_servers, settings.topics().subscriptions, [(subscription.subscription_id.encode(), None)])


def commit_all(settings: Settings) -> None:
    """Say for fan-out and dispatchers that they have all there is, as they do when nothing is on its way."""
    topics = settings.topics()
    commit_ends(settings, "fanout", *topics.all_events())
    commit_ends(settings, "dispatchers", topics.deliveries)
    commit_ends(settings, "dispatchers.replays", topics.replays)


def commit_ends(settings: Settings, role: str, *topics: str) -> None:
    """Commit the ends of these topics for a role's group."""
    with _member(settings, role) as consumer:
        _commit(consumer, topics)


@contextmanager
def _member(settings: Settings, role: str) -> Iterator[Consumer]:
    group = settings.group(role)
    named = {"bootstrap.servers": settings.bootstrap_servers, "group.id": group, "enable.auto.commit": False}
    consumer = Consumer(named)
    try:
        yield consumer
    finally:
        consumer.close()


def _commit(consumer: Consumer, topics: Iterable[str]) -> None:
    ends = [
        TopicPartition(topic, number, _end(consumer, TopicPartition(topic, number)))
        for topic in topics
        for number in consumer.list_topics(topic, timeout=15).topics[topic].partitions
    ]
    consumer.commit(offsets=ends, asynchronous=False)


def _end(consumer: Consumer, partition: TopicPartition) -> int:
    deadline = time.monotonic() + 15
    while True:
        try:
            return int(consumer.get_watermark_offsets(partition, timeout=15)[1])
        except KafkaException:  # a topic that was just made may have no leader yet
            assert time.monotonic() < deadline, f"{partition.topic} has no leader"
            time.sleep(0.02)


@asynccontextmanager
async def dispatchers_that_keep_up(settings: Settings) -> AsyncIterator[None]:
    """In the place of dispatchers: all deliveries of jobs are committed as soon as they are there."""

    over = threading.Event()

    def keep_up() -> None:
        with _member(settings, "dispatchers.replays") as consumer:
            while not over.wait(_KEEP_UP_S):
                with suppress(KafkaException):
                    _commit(consumer, [settings.topics().replays])

    keeping = asyncio.ensure_future(asyncio.to_thread(keep_up))
    try:
        yield
    finally:
        over.set()
        await keeping


def outcome(
    event: Event,
    to: Subscription,
    kind: Outcome = Outcome.SUCCEEDED,
    *,
    at_ms: int,
    run: int = 0,
    attempt: int = 1,
    next_ms: int | None = None,
    origin: Place | None = None,
) -> Attempt:
    """What is on record of an event's delivery."""
    its_id = delivery_id(event.account_id, event.event_id, to.subscription_id)
    is_request = kind in {Outcome.SUCCEEDED, Outcome.FAILED}
    return Attempt(
        attempt_id=attempt_id(its_id, run, attempt, at_ms),
        delivery_id=its_id,
        account_id=event.account_id,
        subscription_id=to.subscription_id,
        event_id=event.event_id,
        event_type=event.type,
        run=run,
        attempt=attempt,
        is_test=False,
        outcome=kind,
        started_at_ms=at_ms,
        duration_ms=20 if is_request else 0,
        response_code=(200 if kind is Outcome.SUCCEEDED else 500) if is_request else None,
        response_body=b"",
        error=None if kind is Outcome.SUCCEEDED else "status",
        detail=None,
        next_attempt_at_ms=next_ms,
        origin=origin or Place(partition=0, offset=0),
    )


async def on_record(settings: Settings, *attempts: Attempt) -> None:
    """Put outcomes into the history store."""
    async with open_history(settings) as store:
        await store.ingest(attempts, {})


# -- jobs ---------------------------------------------------------------------------------------------------------------


def job_for(to: Subscription, kind: JobKind = JobKind.REPLAY, **changes: object) -> Job:
    """A job as the API writes it."""
    made = Job(
        job_id=draw.job_id(),
        account_id=to.account_id,
        subscription_id=to.subscription_id,
        kind=kind,
        state=JobState.WAITING,
        run=NOW_MS,
        since_ms=0,
        until_ms=NOW_MS + 24 * HOUR_MS,
        events=(),
        everything=False,
        rate=1_000,
        created_at_ms=to.created_at_ms,
        at_ms=NOW_MS,
    )
    return replace(made, **changes)  # type: ignore[arg-type]  # the tests name real fields


def ask(settings: Settings, *jobs: Job) -> None:
    """Ask for jobs."""
    records = [(each.job_id.encode(), CODEC.encode(each)) for each in jobs]
    write(settings.bootstrap_servers, settings.topics().jobs, records)


def wish(settings: Settings, job: Job, wanted: Wanted = Wanted.RUN, *, rate: int | None = None) -> None:
    """Wish something of a job."""
    record = JobWish(job_id=job.job_id, account_id=job.account_id, wanted=wanted, rate=rate, at_ms=NOW_MS)
    write(settings.bootstrap_servers, settings.topics().jobs, [(wish_key(job.job_id), CODEC.encode(record))])


def records_of(settings: Settings, job: Job) -> Sequence[Job]:
    """All that was written about a job, the oldest first."""
    lying = read(settings.bootstrap_servers, settings.topics().jobs)
    return [CODEC.decode(each.value, Job) for each in lying if each.key == job.job_id.encode() and each.value]


async def until_job(settings: Settings, job: Job, condition: Callable[[Job], bool], *, timeout_s: float = 60.0) -> Job:
    """The job's last record, once it is as wanted."""
    last: Job | None = None
    try:
        async with asyncio.timeout(timeout_s):
            while True:
                found = await asyncio.to_thread(records_of, settings, job)
                last = found[-1] if found else None
                if last is not None and condition(last):
                    return last
                await asyncio.sleep(_LOOK_S)
    except TimeoutError as error:
        raise AssertionError(f"{last}\n{_said(settings)}") from error


async def until_over(settings: Settings, job: Job, *, timeout_s: float = 60.0) -> Job:
    """The job's last record, once it has ended."""
    return await until_job(settings, job, lambda each: each.finished_at_ms is not None, timeout_s=timeout_s)


def sent(settings: Settings, *, job: Job | None = None) -> list[Delivery]:
    """What lies on `webhooks.replays`, partition by partition."""
    lying = read(settings.bootstrap_servers, settings.topics().replays)
    found = [CODEC.decode(each.value, Delivery) for each in lying]
    return found if job is None else [each for each in found if each.job_id == job.job_id]


def event_ids(found: Iterable[Event | Delivery]) -> list[str]:
    return [each.event_id for each in found]


def _said(settings: Settings) -> str:
    path = settings.data_dir / "replay.log"
    return path.read_text(encoding="utf-8")[-4_000:] if path.exists() else ""
