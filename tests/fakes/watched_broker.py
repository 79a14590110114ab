"""A broker in memory that checks what the dispatcher writes and commits, at each append and each commit."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from fakes.configuration import short_settings
from fakes.dispatching import CODEC
from hookline.core.offsets import read_bitmap
from hookline.runtime.clock import SystemClock
from hookline.runtime.log import Commit, KafkaRecord, TopicPartition, Written
from hookline.runtime.memory import MemoryBroker
from hookline.schemas.records import Attempt, DeadLetter, Delivery, Outcome
from hookline.schemas.topics import waiting_ms

SETTINGS = short_settings(
    "memory",
    "w.",
    retry_tiers=(15, 30),
    postponed_tiers=(20, 40),
    commit_interval_ms=10,
    window_records_max=8,
    in_flight_max=12,
)
TOPICS = SETTINGS.topics()
LANES = (TOPICS.deliveries, TOPICS.redeliveries, TOPICS.replays)
FORWARDED_TO = (TOPICS.redeliveries, TOPICS.replays)  # what is of no job, and what is of one
TIERS = (
    *(TOPICS.retry(tier) for tier in TOPICS.retry_tiers_ms),
    *(TOPICS.postponed(tier) for tier in TOPICS.postponed_tiers_ms),
)
Step = tuple[str, int, int, int]  # delivery id, run, attempt, postponements


@dataclass(slots=True)
class Known:
    """What is on record, by what it is about; filled as it is appended."""

    attempts: dict[tuple[str, int, int], list[Attempt]] = field(default_factory=lambda: defaultdict(list))
    waiting: dict[tuple[str, int, int], set[int]] = field(default_factory=lambda: defaultdict(set))  # on any tier
    due_ms: dict[Step, int] = field(default_factory=dict)  # of what waits, the earliest
    forwarded: set[Step] = field(default_factory=set)
    dead: Counter[str] = field(default_factory=Counter)

    def is_called_off_after(self, attempt: Attempt) -> bool:
        """Whether it is on record that the attempt after this one was called off."""
        after = self.attempts.get((attempt.delivery_id, attempt.run, attempt.attempt + 1), ())
        return any(each.outcome is Outcome.CANCELLED for each in after)


class WatchedBroker(MemoryBroker):
    """A broker that knows what the records mean, and refuses with AssertionError what must never be written."""

    __slots__ = ("known", "unclean", "wrong")

    def __init__(self, clock: SystemClock) -> None:
        super().__init__(clock)
        self.known = Known()
        self.unclean = 0  # processes that ended without a clean stop
        self.wrong: list[str] = []
        for topic in TOPICS.specifications():
            self.create(topic.name)

    def append(self, topic: str, key: bytes | None, value: bytes | None) -> Written:
        if topic == TOPICS.attempts:
            self._attempt(CODEC.decode(value or b"", Attempt))
        elif topic in TIERS:
            self._parked(topic, CODEC.decode(value or b"", Delivery))
        elif topic in FORWARDED_TO:
            self._due(topic, CODEC.decode(value or b"", Delivery))
        elif topic == TOPICS.dead_letters:
            self.known.dead[CODEC.decode(value or b"", DeadLetter).delivery_id or ""] += 1
        return super().append(topic, key, value)

    def commit(self, group: str, commits: Mapping[TopicPartition, Commit]) -> None:
        for partition, commit in commits.items():
            self._check_nothing_open_is_committed(partition, commit)
        super().commit(group, commits)

    def _parked(self, topic: str, found: Delivery) -> None:
        self.known.waiting[found.delivery_id, found.run, found.attempt].add(found.postponed)
        self.known.due_ms.setdefault(_step(found), self.clock.now_ms() + waiting_ms(topic))

    def _due(self, topic: str, found: Delivery) -> None:
        step = _step(found)
        self.known.forwarded.add(step)
        if topic != FORWARDED_TO[found.job_id is not None]:
            self.wrong.append(f"forwarded to {topic}: {step} of {found.job_id}")
        if self.clock.now_ms() < self.known.due_ms.get(step, 0):
            self.wrong.append(f"forwarded before its time: {step}")

    def _attempt(self, attempt: Attempt) -> None:
        """What follows from an attempt is on record before it; only a late one of a lost partition has nothing following."""
        key = (attempt.delivery_id, attempt.run, attempt.attempt)
        self.known.attempts[key].append(attempt)
        if attempt.outcome is not Outcome.FAILED or attempt.response_code == 410:
            return
        if attempt.next_attempt_at_ms is None:
            follows, may_be_late = self.known.dead[key[0]] > 0 or self.known.is_called_off_after(attempt), False
        else:
            follows, may_be_late = bool(self.known.waiting[key[0], key[1], key[2] + 1]), self.unclean > 0
        if not follows and not may_be_late:
            self.wrong.append(f"an attempt came before what follows from it: {key}")

    def _check_nothing_open_is_committed(self, partition: TopicPartition, commit: Commit) -> None:
        named = read_bitmap(commit.offset, commit.metadata)
        for record in self.slice(partition, 0, 1_000_000):
            is_done = self._is_on_record if partition.topic in LANES else self._is_forwarded
            if (record.offset < commit.offset or record.offset in named) and not is_done(record):
                self.wrong.append(f"{partition} {record.offset} was committed and is not on record")

    def _is_forwarded(self, record: KafkaRecord) -> bool:
        found = CODEC.decode(record.value or b"", Delivery)
        return _step(found) in self.known.forwarded or self.known.dead[found.delivery_id] > 0

    def _is_on_record(self, record: KafkaRecord) -> bool:
        if record.value == b"nonsense":
            return self.known.dead[""] > 0
        found = CODEC.decode(record.value or b"", Delivery)
        key = (found.delivery_id, found.run, found.attempt)
        if self.known.dead[found.delivery_id] or any(each > found.postponed for each in self.known.waiting[key]):
            return True
        return any(self._ends_the_record(attempt) for attempt in self.known.attempts[key])

    def _ends_the_record(self, attempt: Attempt) -> bool:
        if attempt.outcome is Outcome.FAILED and attempt.next_attempt_at_ms is not None:
            return bool(self.known.waiting[attempt.delivery_id, attempt.run, attempt.attempt + 1])
        return attempt.outcome is not Outcome.POSTPONED


def _step(found: Delivery) -> Step:
    return (found.delivery_id, found.run, found.attempt, found.postponed)
