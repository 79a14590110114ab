"""The real dispatcher under every trouble: processes that come and go on one broker in memory, writes that fail or hang.

What must hold is checked by the broker itself (`fakes.watched_broker`), and at the end.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from aiohttp import ClientSession, web
from prometheus_client import CollectorRegistry

from fakes.clock import LeapingClock
from fakes.configuration import delivery, subscription
from fakes.dispatching import CODEC
from fakes.endpoint import Seen
from fakes.jobs import cancelled_job
from fakes.machines import Picks
from fakes.watched_broker import FORWARDED_TO, LANES, SETTINGS, TIERS, TOPICS, WatchedBroker
from hookline.dispatchers.assembly import Parts, build_forwarder, build_worker
from hookline.runtime.clock import Clock
from hookline.runtime.log import Handler, KafkaRecord, Position, TopicPartition, Written
from hookline.runtime.memory import MemoryBroker, MemoryReader
from hookline.runtime.metrics import Metrics
from hookline.runtime.tasks import Tasks
from hookline.runtime.view import View
from hookline.schemas.errors import NotYet, TooLarge
from hookline.schemas.records import Attempt, Delivery, Outcome, Subscription, SubscriptionStatus

ATTEMPTS_MAX = 1 + len(TOPICS.retry_tiers_ms)
PATHS = ("good", "slow", "bad", "flaky", "gone")
_SETTLED_S = 30
_LEAP_MS, _LEAPS_AFTER = (
    1_000,
    200,
)  # turns, once all troubles are over: an open breaker asks again after up to a minute
_LATE_S = 0.12  # later than most tiers


async def answer(request: web.Request) -> web.Response:
    """What an endpoint answers is in its path."""
    kind = request.path.strip("/")
    if kind == "slow":
        await asyncio.sleep(0.02)
    failed = kind == "bad" or (kind == "flaky" and request.headers["X-Webhook-Attempt"] == "1")
    return web.Response(status=410 if kind == "gone" else 500 if failed else 200)


@dataclass(slots=True)
class Troubles:
    """What happens to the next writes to a topic, in order; and topics that take nothing, for their limit is too low."""

    coming: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    too_low: set[str] = field(default_factory=set)


class TroubledWriter:
    """A `Writer` whose answer may be no, late, or lost after the record was taken."""

    def __init__(self, broker: MemoryBroker, troubles: Troubles) -> None:
        self._broker = broker
        self._troubles = troubles

    def write(self, topic: str, *, key: bytes | None, value: bytes | None) -> "asyncio.Future[Written]":
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Written] = loop.create_future()
        coming = self._troubles.coming[topic]
        trouble = coming.pop(0) if coming else "none"
        if topic in self._troubles.too_low:
            loop.call_soon(_end, future, TooLarge(topic))
        elif trouble == "refused":
            loop.call_soon(_end, future, NotYet(topic))
        else:
            written = self._broker.append(topic, key, value)
            loop.call_later(
                _LATE_S if trouble == "late" else 0, _end, future, NotYet(topic) if trouble == "lost" else written
            )
        return future


def _end(future: "asyncio.Future[Written]", end: Written | NotYet | TooLarge) -> None:
    if future.done():
        return
    if isinstance(end, Written):
        future.set_result(end)
    else:
        future.set_exception(end)


class _FromTheStart(MemoryReader):
    """Goes back to the beginning, for the memory of repeats."""

    def _position(self, partition: TopicPartition) -> Position:
        found = super()._position(partition)
        return replace(found, start=0) if partition.topic in LANES else found


class Process:
    """One dispatcher: a worker and a forwarder with their readers and tasks."""

    def __init__(
        self, broker: MemoryBroker, view: View, session: ClientSession, troubles: Troubles, clock: Clock
    ) -> None:
        self.failed: list[BaseException] = []
        self.tasks = Tasks(on_fatal=self.failed.append)
        parts = Parts(
            settings=SETTINGS,
            topics=TOPICS,
            codec=CODEC,
            view=view,
            session=session,
            writer=TroubledWriter(broker, troubles),
            clock=clock,
            metrics=Metrics(CollectorRegistry()),
            tasks=self.tasks,
        )
        worker, forwarder = build_worker(parts), build_forwarder(parts)
        self.readers = [
            self._reader(broker, "dispatchers", LANES, worker),
            self._reader(broker, "forwarders", TIERS, forwarder),
        ]
        worker.read_by(self.readers[0])
        forwarder.read_by(self.readers[1])
        for work in (worker.commit_forever(), worker.tick_forever()):
            self.tasks.spawn(work)
        for work in (forwarder.commit_forever(), forwarder.forward_forever()):
            self.tasks.spawn(work)

    def _reader(self, broker: MemoryBroker, group: str, topics: Sequence[str], handler: Handler) -> MemoryReader:
        return _FromTheStart(broker, group=group, topics=topics, handler=handler)

    def start(self) -> None:
        for reader in self.readers:
            reader.start()

    async def stop(self) -> None:
        for reader in self.readers:
            await reader.stop()
        await self.tasks.cancel()

    async def kill(self) -> None:
        for reader in self.readers:
            reader._reading = {}  # nothing more is read or committed
        await self.tasks.cancel()


class World:
    """One example: see `STEPS` for what can happen."""

    STEPS = (
        "deliver",
        "deliver",
        "deliver",
        "deliver_before_it_is_seen",
        "deliver_nonsense",
        "copy",
        "resend",
        "replay",
        "replay",
        "cancel_a_job",
        "pause",
        "resume",
        "delete",
        "trouble",
        "trouble",
        "hold_up_what_is_postponed_again",
        "lower_a_limit",
        "wait",
        "wait",
        "wait",
        "clean_stop",
        "lose",
        "kill",
    )

    def __init__(self, *, url: str, seen: Seen, session: ClientSession) -> None:
        self.clock = LeapingClock()
        self.broker = WatchedBroker(self.clock)
        self.view = View(topics=TOPICS, codec=CODEC, metrics=Metrics(CollectorRegistry()))
        self.seen = seen
        self.session = session
        self.troubles = Troubles()
        self.offset = 0
        self.subscriptions: list[Subscription] = []
        self.made: list[Delivery] = []
        self.nonsense = 0
        for path in PATHS:
            self.subscriptions.append(subscription(f"{url}/{path}"))
            self._configure(self.subscriptions[-1])
        MemoryReader(self.broker, group="view", topics=(TOPICS.endpoint_state,), handler=self.view).start()
        self.process = self._started()

    async def take(self, step: str, number: int) -> None:
        found = getattr(self, step)(Picks(number))
        if found is not None:
            await found

    # -- what can happen ----------------------------------------------------------------------------------------------

    def deliver(self, picks: Picks, *, ahead: int = 0) -> None:
        to = picks.one_of(self.subscriptions)
        self.made.append(delivery(to, config_offset=self.offset + ahead))
        self._append(TOPICS.deliveries, self.made[-1])

    def deliver_before_it_is_seen(self, picks: Picks) -> None:
        self.deliver(picks, ahead=1)

    def deliver_nonsense(self, picks: Picks) -> None:
        self.nonsense += 1
        self.broker.append(TOPICS.deliveries, b"k", b"nonsense")

    def copy(self, picks: Picks) -> None:
        if self.made:
            again = picks.one_of(self.made)
            self._append(TOPICS.deliveries if again.run == 0 else FORWARDED_TO[again.job_id is not None], again)

    def resend(self, picks: Picks) -> None:
        if self.made:
            self._make_again(picks, None)

    def replay(self, picks: Picks) -> None:
        if self.made:
            self._make_again(picks, f"job_{len(self.made)}")

    def cancel_a_job(self, picks: Picks) -> None:
        jobs = [each for each in self.made if each.job_id]
        if jobs:
            cancelled = picks.one_of(jobs)
            self.view.received([KafkaRecord(TOPICS.jobs, 0, 0, 0, b"", CODEC.encode(cancelled_job(cancelled)))])

    def pause(self, picks: Picks) -> None:
        self._change(picks, SubscriptionStatus.PAUSED)

    def resume(self, picks: Picks) -> None:
        self._change(picks, SubscriptionStatus.ACTIVE)

    def delete(self, picks: Picks) -> None:
        if picks.below(3) == 0:
            gone = picks.one_of(self.subscriptions)
            self._view_reads(gone.subscription_id, None)

    def trouble(self, picks: Picks) -> None:
        topic = picks.one_of((TOPICS.attempts, *TIERS, *FORWARDED_TO, TOPICS.dead_letters))
        self.troubles.coming[topic] += [picks.one_of(("refused", "lost", "late")) for _ in range(1 + picks.below(2))]

    def hold_up_what_is_postponed_again(self, picks: Picks) -> None:
        self.troubles.coming[TOPICS.postponed(TOPICS.postponed_tiers_ms[-1])] += ["late"]

    def lower_a_limit(self, picks: Picks) -> None:
        self.troubles.too_low.add(picks.one_of((*TIERS, *FORWARDED_TO)))

    async def wait(self, picks: Picks) -> None:
        await asyncio.sleep(picks.one_of((0.0, 0.001, 0.01, 0.03)))

    async def clean_stop(self, picks: Picks) -> None:
        await self.process.stop()
        self._check_process()
        self.process = self._started()

    def lose(self, picks: Picks) -> None:
        """The partitions go to another process and come back at once; what is in flight ends late."""
        self.broker.unclean += 1
        for reader in self.process.readers:
            reader.lose()
        self.process.start()

    async def kill(self, picks: Picks) -> None:
        self.broker.unclean += 1
        await self.process.kill()
        self._check_process()
        self.process = self._started()

    # -- the end ------------------------------------------------------------------------------------------------------

    async def settle(self) -> None:
        """Troubles are over; everything ends."""
        self.troubles.coming.clear()
        self.troubles.too_low.clear()
        for each in self.subscriptions:
            if self.view.subscription(each.subscription_id) is not None:
                self._configure(each)
        self._configure(self.subscriptions[0]) if self.view.subscription(
            self.subscriptions[0].subscription_id
        ) else None
        self._view_reads("wh_other", None)
        try:
            async with asyncio.timeout(_SETTLED_S):
                await self._settled()
        except TimeoutError:
            raise AssertionError(f"not settled; without an end on record: {self._unended()}") from None
        await self.process.stop()
        self._check_process()

    async def _settled(self) -> None:
        turns = 0
        while not self._has_settled():
            turns += 1
            await asyncio.sleep(0.005)
            self.clock.leap(_LEAP_MS if turns > _LEAPS_AFTER else 0)

    def check(self) -> None:
        self.check_what_the_broker_saw()
        self.check_deliveries_end_once()
        self.check_requests_are_sent_as_often_as_allowed()

    def check_what_the_broker_saw(self) -> None:
        assert self.broker.wrong == []

    def check_deliveries_end_once(self) -> None:
        """Once; a process that was killed, or lost its partitions, may have its work done again."""
        for made in self.made:
            assert 1 <= self._ends(made) <= 1 + 2 * self.broker.unclean, made

    def check_requests_are_sent_as_often_as_allowed(self) -> None:
        """Once for each run and attempt; what was begun or not committed when a process ended uncleanly may come again."""
        runs = Counter(made.delivery_id for made in self.made)
        sent = Counter((each.headers["webhook-id"], each.headers["X-Webhook-Attempt"]) for each in self.seen)
        for (delivery_id, attempt), count in sent.items():
            if delivery_id in runs:
                assert count <= runs[delivery_id] * (1 + 2 * self.broker.unclean), (delivery_id, attempt, count)
                assert int(attempt) <= ATTEMPTS_MAX

    # -- what these share ---------------------------------------------------------------------------------------------

    def _started(self) -> Process:
        process = Process(self.broker, self.view, self.session, self.troubles, self.clock)
        process.start()
        return process

    def _check_process(self) -> None:
        assert self.process.failed == []

    def _make_again(self, picks: Picks, job_id: str | None) -> None:
        run = 1 + max(each.run for each in self.made)
        self.made.append(replace(picks.one_of(self.made), run=run, job_id=job_id))
        self._append(FORWARDED_TO[job_id is not None], self.made[-1])

    def _append(self, topic: str, value: Delivery) -> None:
        self.broker.append(topic, value.subscription_id.encode(), CODEC.encode(value))

    def _change(self, picks: Picks, status: SubscriptionStatus) -> None:
        each = picks.one_of(self.subscriptions)
        if self.view.subscription(each.subscription_id) is not None:
            self._configure(replace(each, status=status))

    def _configure(self, each: Subscription) -> None:
        self._view_reads(each.subscription_id, CODEC.encode(each))

    def _view_reads(self, subscription_id: str, value: bytes | None) -> None:
        self.view.received([KafkaRecord(TOPICS.subscriptions, 0, self.offset, 0, subscription_id.encode(), value)])
        self.offset += 1

    def _has_settled(self) -> bool:
        """Every delivery has ended, and nothing is left to be read, forwarded or committed: copies, too, were looked at."""
        is_read = all(self._is_committed("dispatchers", topic) for topic in LANES)
        is_forwarded = all(self._is_committed("forwarders", topic) for topic in TIERS)
        return is_read and is_forwarded and not self._unended() and self.broker.known.dead[""] >= bool(self.nonsense)

    def _is_committed(self, group: str, topic: str) -> bool:
        commit = self.broker.committed(group, TopicPartition(topic, 0))
        return (0 if commit is None else commit.offset) == len(self.broker.records(topic))

    def _unended(self) -> list[str]:
        return [f"{made.delivery_id} run {made.run}" for made in self.made if not self._ends(made)]

    def _ends(self, made: Delivery) -> int:
        """How many outcomes are on record after which nothing follows; a dead letter is one if there is no other.

        Dead letters do not say of which run they are: each has its part of them.
        """
        known, numbers = self.broker.known, range(1, ATTEMPTS_MAX + 1)
        found = [each for number in numbers for each in known.attempts.get((made.delivery_id, made.run, number), ())]
        ends = [each for each in found if _is_last(each) and not known.is_called_off_after(each)]
        last = {each.attempt_id for each in ends}  # one whose write was repeated is one
        runs = sum(each.delivery_id == made.delivery_id for each in self.made)
        return len(last) or -(-known.dead[made.delivery_id] // runs)


def _is_last(attempt: Attempt) -> bool:
    if attempt.outcome is Outcome.FAILED:
        return attempt.next_attempt_at_ms is None
    return attempt.outcome is not Outcome.POSTPONED
