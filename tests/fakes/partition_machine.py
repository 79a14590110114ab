"""One partition under every interleaving: its log, the process that has it now, what Kafka has on record, and a model.

The model is written from the rules' docstrings and design, not from their code: it keeps for each record what became of it,
as plain sets.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import ClassVar

from fakes.deliveries import DELIVERY
from fakes.machines import Picks
from hookline.core.offsets import METADATA_CHARACTERS_MAX, read_bitmap
from hookline.core.repeats import AttemptKey, StepKey, attempt_key, step_key
from hookline.core.window import Arrival, Hold, Slot, Window
from hookline.runtime.log import Commit
from hookline.schemas.records import Delivery

_ATTEMPTS_MAX = 3
_KEYS_MAX = 100_000  # never reached: what is forgotten is another test's matter
GARBAGE = ("", "0", "1", "1A", "1AAA", "1=", "1é", "2AAAA", "1!!!!", "\x00", "1" + "A" * 3, "hello")


class Stage(Enum):
    """How far one open record came."""

    WAITING = auto()
    IN_FLIGHT = auto()  # its request was made
    ENDED = auto()  # its request ended, and its retry is on record if there is one; the attempt is not yet
    PARKED = auto()  # its successor is on record, and nobody knows yet


@dataclass(slots=True)
class Work:
    slot: Slot
    stage: Stage = Stage.WAITING


@dataclass(slots=True)
class Assignment:
    """What one process knows, and what the model knows of that process. It all goes with a crash."""

    window: Window
    read_at: int
    done_before: frozenset[int]
    full: bool = False
    works: dict[int, Work] = field(default_factory=dict)
    unreadable: set[int] = field(default_factory=set)
    copies: dict[int, Delivery] = field(default_factory=dict)  # open, but another one answers for them
    held: dict[int, int] = field(default_factory=dict)  # of these, the bytes of those that may have to be carried out
    done: set[int] = field(default_factory=set)
    touched: set[StepKey] = field(default_factory=set)  # asked for, or moved on, by this process
    attempts: set[AttemptKey] = field(default_factory=set)  # in its memory
    steps: set[StepKey] = field(default_factory=set)

    def open(self) -> set[int]:
        return set(self.works) | self.unreadable | set(self.copies)


class Partition:
    """See `STEPS` for what can happen."""

    STEPS: ClassVar[Mapping[str, int]] = {
        "publish": 6,
        "copy": 3,
        "resend": 1,
        "publish_unreadable": 1,
        "skip_offsets": 1,
        "forward": 8,
        "read": 24,
        "start": 12,
        "end": 10,
        "fail_to_write": 2,
        "finish": 10,
        "park": 4,
        "finish_parking": 4,
        "release": 2,
        "commit": 6,
        "stop": 1,
        "stop_at_the_deadline": 1,
        "lose": 2,
        "assign": 8,
        "garbage_metadata": 1,
    }

    def __init__(self, picks: Picks) -> None:
        self.records_max = picks.one_of((4, 1, 2, 3, 8, 30))
        self.long_memory = picks.below(4) < 3  # else a new process goes back by a few records only
        self.log: dict[int, Delivery | None] = {}
        self.log_end = 0
        self.tiers: list[Delivery] = []
        self.kept: Commit | None = None  # what the broker has
        self.assignment: Assignment | None = None
        # On record in Kafka:
        self.attempted: set[AttemptKey] = set()
        self.moved_on: dict[AttemptKey, int] = {}  # the latest step whose successor is
        self.buried: set[int] = set()
        self.ended: set[tuple[str, int]] = set()
        # Counted:
        self.published: set[tuple[str, int]] = set()
        self.sent: Counter[AttemptKey] = Counter()
        self.allowed: Counter[AttemptKey] = Counter()

    # -- what comes ---------------------------------------------------------------------------------------------------

    def publish(self, picks: Picks) -> bool:
        return self._publish(replace(DELIVERY, delivery_id=f"delivery_{len(self.published)}"))

    def resend(self, picks: Picks) -> bool:
        if not self.published:
            return False
        delivery_id, _ = picks.one_of(sorted(self.published))
        run = 1 + max(run for known, run in self.published if known == delivery_id)
        return self._publish(replace(DELIVERY, delivery_id=delivery_id, run=run))

    def copy(self, picks: Picks) -> bool:
        """A fan-out or forwarder was killed between writing and committing: it writes what it wrote before."""
        readable = [delivery for delivery in self.log.values() if delivery is not None]
        if not readable:
            return False
        self._append(readable[-1 - picks.below(len(readable))])
        return True

    def publish_unreadable(self, picks: Picks) -> bool:
        self._append(None)
        return True

    def skip_offsets(self, picks: Picks) -> bool:
        self.log_end += 1 + picks.below(3)
        return True

    def forward(self, picks: Picks) -> bool:
        if not self.tiers:
            return False
        self._append(self.tiers.pop(picks.below(len(self.tiers))))
        return True

    # -- reading ------------------------------------------------------------------------------------------------------

    def assign(self, picks: Picks) -> bool:
        if self.assignment is not None:
            return False
        committed, metadata = (0, "") if self.kept is None else (self.kept.offset, self.kept.metadata)
        start = 0 if self.long_memory else max(0, committed - picks.below(6))
        window = Window(
            lane="fresh",
            topic="t",
            partition=0,
            position=start,
            committed=committed,
            records_max=self.records_max,
            keys_max=_KEYS_MAX,
            metadata=metadata,
        )
        self.assignment = Assignment(window, start, read_bitmap(committed, metadata))
        return True

    def read(self, picks: Picks) -> bool:
        here = self.assignment
        if here is None or here.read_at >= self.log_end or (here.full and not here.window.has_room()):
            return False
        here.full = False
        while here.read_at not in self.log:
            here.read_at += 1
            if here.read_at >= self.log_end:
                return True
        offset = here.read_at
        self._take(here, offset, self.log[offset])
        if not here.full:
            here.read_at += 1
        return True

    def _take(self, here: Assignment, offset: int, delivery: Delivery | None) -> None:
        if offset < here.window.committed:
            self._remember(here, delivery)
        elif delivery is None:
            self._take_unreadable(here, offset)
        else:
            self._take_delivery(here, offset, delivery)

    def _remember(self, here: Assignment, delivery: Delivery | None) -> None:
        if delivery is not None:
            here.window.remember(delivery)
            here.steps.add(step_key(delivery))

    def _take_unreadable(self, here: Assignment, offset: int) -> None:
        arrival = here.window.arrive_unreadable(offset)
        if arrival is Arrival.FULL:
            self._check_full(here)
        elif arrival is Arrival.DONE:
            assert offset in here.done_before
            here.done.add(offset)
        else:
            self._check_not_done_before(here, offset)
            here.unreadable.add(offset)

    def _take_delivery(self, here: Assignment, offset: int, delivery: Delivery) -> None:
        size_bytes = 1 + offset % 7
        arrival = here.window.arrive(delivery, offset, size_bytes)
        if arrival is Arrival.FULL:
            self._check_full(here)
        elif arrival is Arrival.START:
            self._check_not_done_before(here, offset)
            self._check_no_repeat_is_offered(here, delivery)
            here.works[offset] = Work(Slot(here.window, offset, size_bytes, delivery))
        elif arrival is Arrival.DONE:
            assert offset in here.done_before
            here.done.add(offset)
            here.steps.add(step_key(delivery))
        elif arrival is Arrival.REPEAT and self._is_known(here, delivery):
            assert self._is_on_record(offset), "dropped, and not on record"
            here.done.add(offset)
        else:
            if arrival is Arrival.HELD:
                here.held[offset] = size_bytes
            self._check_another_answers_for_it(here, delivery)
            here.copies[offset] = delivery

    # -- carrying out -------------------------------------------------------------------------------------------------

    def start(self, picks: Picks) -> bool:
        work = self._pick(picks, Stage.WAITING)
        if work is None:
            return False
        work.stage = Stage.IN_FLIGHT
        self._touch(work.slot.delivery)
        self.sent[attempt_key(work.slot.delivery)] += 1
        return True

    def end(self, picks: Picks) -> bool:
        """The request ended; what follows from it is on record, but not yet the attempt."""
        work = self._pick(picks, Stage.IN_FLIGHT)
        if work is None:
            return False
        self._write_what_follows(work.slot.delivery, succeeded=picks.below(2) == 0)
        work.stage = Stage.ENDED
        return True

    def fail_to_write(self, picks: Picks) -> bool:
        """Kafka did not take the attempt: it stays open, and the commit before it."""
        work = self._pick(picks, Stage.ENDED)
        if work is None:
            return False
        assert work.slot.window.position <= work.slot.offset
        return True

    def finish(self, picks: Picks) -> bool:
        work = self._pick(picks, Stage.ENDED)
        if work is None:
            return False
        self._finish(work)
        return True

    def park(self, picks: Picks) -> bool:
        work = self._pick(picks, Stage.WAITING)
        if work is None:
            return False
        self._touch(work.slot.delivery)
        self.tiers.append(replace(work.slot.delivery, postponed=work.slot.delivery.postponed + 1))
        work.stage = Stage.PARKED
        return True

    def finish_parking(self, picks: Picks) -> bool:
        work = self._pick(picks, Stage.PARKED)
        if work is None:
            return False
        self._finish_parking(work)
        return True

    def release(self, picks: Picks) -> bool:
        here = self.assignment
        if here is None or not here.unreadable:
            return False
        self._release(here, picks.one_of(sorted(here.unreadable)))
        return True

    # -- committing and going -----------------------------------------------------------------------------------------

    def commit(self, picks: Picks) -> bool:
        if self.assignment is None:
            return False
        self._commit(self.assignment.window)
        return True

    def stop(self, picks: Picks) -> bool:
        """A clean stop: what is in flight is finished, what is not is left."""
        here = self._drain()
        if here is None:
            return False
        for work in list(here.works.values()):
            self._finish_started(work)
        self._commit(here.window)
        self._go(here)
        return True

    def stop_at_the_deadline(self, picks: Picks) -> bool:
        """Some of what is in flight does not end in time."""
        here = self._drain()
        if here is None:
            return False
        for work in list(here.works.values()):
            if picks.below(2):
                self._finish_started(work)
        self._commit(here.window)
        self._allow_repeats(here)
        self._go(here)
        return True

    def lose(self, picks: Picks) -> bool:
        """Another process has it, and nobody asked; or this one was killed. Whatever comes later closes nothing."""
        here = self.assignment
        if here is None:
            return False
        self._allow_repeats(here)
        self._go(here)
        return True

    def garbage_metadata(self, picks: Picks) -> bool:
        """Somebody else's tool committed. What it says of done offsets is unknown, so they are repeated."""
        if self.assignment is not None or self.kept is None:
            return False
        lost = read_bitmap(self.kept.offset, self.kept.metadata)
        for delivery in (self.log.get(offset) for offset in lost):
            if delivery is not None:
                self.allowed[attempt_key(delivery)] += 1
        self.kept = Commit(self.kept.offset, picks.one_of(GARBAGE))
        # "1AAA" and the like are valid, and say that nothing is done.
        assert read_bitmap(self.kept.offset, self.kept.metadata) == frozenset()
        return True

    # -- what must hold after each step -------------------------------------------------------------------------------

    def check(self) -> None:
        here = self.assignment
        if here is None:
            return
        open_offsets = here.open()
        self.check_the_position_never_passes_an_open_record(here, open_offsets)
        self.check_the_position_goes_as_far_as_it_may(here, open_offsets)
        self.check_the_bitmap_names_what_is_done_and_nothing_else(here)
        self.check_the_window_is_bounded(here, open_offsets)
        self.check_bytes_are_those_of_open_records(here)

    def check_the_position_never_passes_an_open_record(self, here: Assignment, open_offsets: set[int]) -> None:
        assert all(here.window.position <= offset for offset in open_offsets)

    def check_the_position_goes_as_far_as_it_may(self, here: Assignment, open_offsets: set[int]) -> None:
        first_open = min(open_offsets, default=here.read_at)
        assert all(offset < here.window.position for offset in here.done if offset < first_open)

    def check_the_bitmap_names_what_is_done_and_nothing_else(self, here: Assignment) -> None:
        window = here.window
        named = read_bitmap(window.position, window.metadata)
        unread = {offset for offset in here.done_before if offset >= here.read_at}
        wanted = {offset for offset in here.done | unread if offset > window.position}
        assert named == wanted
        assert len(window.metadata) <= METADATA_CHARACTERS_MAX

    def check_the_window_is_bounded(self, here: Assignment, open_offsets: set[int]) -> None:
        assert here.window.open_count() <= self.records_max
        assert here.window.is_idle() is not bool(open_offsets)

    def check_bytes_are_those_of_open_records(self, here: Assignment) -> None:
        started = sum(work.slot.size_bytes for work in here.works.values())
        assert here.window.open_bytes == started + sum(here.held.values())

    # -- what must hold at certain steps ------------------------------------------------------------------------------

    def _check_full(self, here: Assignment) -> None:
        """A full window says so, and only a full one."""
        here.full = True
        assert here.window.open_count() >= self.records_max

    def _check_not_done_before(self, here: Assignment, offset: int) -> None:
        """A record that was committed as done, by position or bitmap, is never offered again."""
        assert offset >= here.window.committed
        assert offset not in here.done_before

    def _check_no_repeat_is_offered(self, here: Assignment, delivery: Delivery) -> None:
        """A copy of what is open or done is not offered, as far as the memory reaches. A resend is neither, so it is."""
        key = attempt_key(delivery)
        assert not any(attempt_key(work.slot.delivery) == key for work in here.works.values())
        assert not self._is_known(here, delivery)

    def _check_another_answers_for_it(self, here: Assignment, delivery: Delivery) -> None:
        """A repeat of what is not on record yet is dropped only for one that is open, and stays open as long."""
        key = attempt_key(delivery)
        assert any(attempt_key(work.slot.delivery) == key for work in here.works.values()), (
            "dropped, and nobody answers for it"
        )

    def _check_the_commit_names_only_what_is_on_record(self, commit: Commit) -> None:
        named = read_bitmap(commit.offset, commit.metadata)
        for offset in self.log:
            if offset < commit.offset or offset in named:
                assert self._is_on_record(offset), f"{offset} is committed and not on record"

    # -- the end ------------------------------------------------------------------------------------------------------

    def settle(self) -> None:
        for _ in range(10_000):
            if not self._go_on():
                break
        self.check_every_delivery_ended()
        self.check_bytes_end_at_zero()
        if self.long_memory:
            self.check_requests_are_sent_as_often_as_allowed()

    def check_every_delivery_ended(self) -> None:
        assert self.ended == self.published
        assert not self.tiers
        assert all(self._is_on_record(offset) for offset in self.log)

    def check_bytes_end_at_zero(self) -> None:
        assert self.assignment is not None
        assert self.assignment.window.is_idle()
        assert self.assignment.window.open_bytes == 0

    def check_requests_are_sent_as_often_as_allowed(self) -> None:
        """Once; and once more for each record of it that a crash, loss or missed deadline found begun and not committed."""
        for key, count in self.sent.items():
            assert count <= 1 + self.allowed[key], (key, count, self.allowed[key])

    def _go_on(self) -> bool:
        """Do what is left to do; whether there was anything."""
        first = Picks(0)
        steps = (
            self.assign,
            self.finish_parking,
            self.finish,
            self.end,
            self.start,
            self.release,
            self.read,
            self.forward,
        )
        for step in steps:
            if step(first):
                self.check()
                return True
        return False

    # -- what the steps share -----------------------------------------------------------------------------------------

    def _publish(self, delivery: Delivery) -> bool:
        self.published.add((delivery.delivery_id, delivery.run))
        self._append(delivery)
        return True

    def _append(self, delivery: Delivery | None) -> None:
        self.log[self.log_end] = delivery
        self.log_end += 1

    def _pick(self, picks: Picks, stage: Stage) -> Work | None:
        works = [] if self.assignment is None else list(self.assignment.works.values())
        found = [work for work in works if work.stage is stage]
        return picks.one_of(found) if found else None

    def _touch(self, delivery: Delivery) -> None:
        assert self.assignment is not None
        self.assignment.touched.add(step_key(delivery))

    def _write_what_follows(self, delivery: Delivery, *, succeeded: bool) -> None:
        if not succeeded and delivery.attempt < _ATTEMPTS_MAX:
            self.tiers.append(replace(delivery, attempt=delivery.attempt + 1, postponed=0))
        else:
            self.ended.add((delivery.delivery_id, delivery.run))

    def _finish_started(self, work: Work) -> None:
        if work.stage is Stage.IN_FLIGHT:
            self._write_what_follows(work.slot.delivery, succeeded=True)
            work.stage = Stage.ENDED
        if work.stage is Stage.ENDED:
            self._finish(work)
        elif work.stage is Stage.PARKED:
            self._finish_parking(work)

    def _finish(self, work: Work) -> None:
        here, slot = self._here(work), work.slot
        self.attempted.add(attempt_key(slot.delivery))
        here.attempts.add(attempt_key(slot.delivery))
        slot.window.finish(slot)
        for offset in self._copies(here, slot):
            self._close_copy(here, offset)

    def _finish_parking(self, work: Work) -> None:
        """What asks for the same attempt and is no later step of it closes with it; a later step is in turn now."""
        here, slot = self._here(work), work.slot
        key = attempt_key(slot.delivery)
        self.moved_on[key] = max(slot.delivery.postponed, self.moved_on.get(key, -1))
        here.steps.add(step_key(slot.delivery))
        following = slot.window.postpone(slot)
        copies = self._copies(here, slot)
        later = {offset for offset in copies if here.copies[offset].postponed > slot.delivery.postponed}
        assert (following is not None) is bool(later)
        for offset in copies - later:
            self._close_copy(here, offset)
        if following is not None:
            assert following.offset in later
            assert following.delivery == here.copies.pop(following.offset)
            del here.held[following.offset]
            here.works[following.offset] = Work(following)

    def _copies(self, here: Assignment, slot: Slot) -> set[int]:
        key = attempt_key(slot.delivery)
        return {offset for offset, delivery in here.copies.items() if attempt_key(delivery) == key}

    def _close_copy(self, here: Assignment, offset: int) -> None:
        del here.copies[offset]
        here.held.pop(offset, None)
        here.done.add(offset)

    def _here(self, work: Work) -> Assignment:
        here = self.assignment
        assert here is not None
        del here.works[work.slot.offset]
        here.done.add(work.slot.offset)
        return here

    def _release(self, here: Assignment, offset: int) -> None:
        here.unreadable.remove(offset)
        here.done.add(offset)
        self.buried.add(offset)
        here.window.release(offset)

    def _commit(self, window: Window) -> None:
        commit = Commit(window.position, window.metadata)
        assert self.kept is None or commit.offset >= self.kept.offset
        self._check_the_commit_names_only_what_is_on_record(commit)
        self.kept = commit

    def _drain(self) -> Assignment | None:
        if self.assignment is not None:
            self.assignment.window.hold = Hold.DRAINING
        return self.assignment

    def _go(self, here: Assignment) -> None:
        here.window.hold = Hold.GONE
        self.assignment = None

    def _allow_repeats(self, here: Assignment) -> None:
        """What this process asked for or moved on may come again, as far as no commit covers it."""
        kept = Commit(0) if self.kept is None else self.kept
        named = read_bitmap(kept.offset, kept.metadata)
        uncovered = {
            step_key(delivery)
            for offset in here.open() | here.done
            if offset >= kept.offset and offset not in named and (delivery := self.log[offset]) is not None
        }
        for step in uncovered & here.touched:
            self.allowed[step.attempt] += 1

    def _is_known(self, here: Assignment, delivery: Delivery) -> bool:
        return attempt_key(delivery) in here.attempts or step_key(delivery) in here.steps

    def _is_on_record(self, offset: int) -> bool:
        delivery = self.log[offset]
        if delivery is None:
            return offset in self.buried
        return (
            attempt_key(delivery) in self.attempted
            or self.moved_on.get(attempt_key(delivery), -1) >= delivery.postponed
        )
