"""One partition under every interleaving: its log, the process that has it now, what Kafka has on record, and a model.

The model is written from the rules' docstrings and design, not from their code: it keeps for each record what became of it,
as plain sets.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

from fakes.deliveries import DELIVERY
from fakes.machines import Picks
from fakes.partition_model import INVARIANTS, Assignment, Kafka, Stage, Work
from fakes.partition_reading import take
from hookline.core.offsets import read_bitmap
from hookline.core.repeats import AttemptKey, attempt_key, step_key
from hookline.core.window import Hold, Window
from hookline.runtime.log import Commit
from hookline.schemas.records import Delivery

_KEYS_MAX = 100_000  # never reached: what is forgotten is another test's matter
GARBAGE = ("", "0", "1", "1A", "1AAA", "1=", "1é", "2AAAA", "1!!!!", "\x00", "1" + "A" * 3, "hello")


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
        self.kafka = Kafka()
        self.assignment: Assignment | None = None
        self.sent: Counter[AttemptKey] = Counter()
        self.allowed: Counter[AttemptKey] = Counter()

    # -- what comes ---------------------------------------------------------------------------------------------------

    def publish(self, picks: Picks) -> bool:
        self.kafka.publish(replace(DELIVERY, delivery_id=f"delivery_{len(self.kafka.published)}"))
        return True

    def resend(self, picks: Picks) -> bool:
        if not self.kafka.published:
            return False
        delivery_id, _ = picks.one_of(sorted(self.kafka.published))
        run = 1 + max(run for known, run in self.kafka.published if known == delivery_id)
        self.kafka.publish(replace(DELIVERY, delivery_id=delivery_id, run=run))
        return True

    def copy(self, picks: Picks) -> bool:
        """A fan-out or forwarder was killed between writing and committing: it writes what it wrote before."""
        readable = [delivery for delivery in self.kafka.log.values() if delivery is not None]
        if not readable:
            return False
        self.kafka.append(readable[-1 - picks.below(len(readable))])
        return True

    def publish_unreadable(self, picks: Picks) -> bool:
        self.kafka.append(None)
        return True

    def skip_offsets(self, picks: Picks) -> bool:
        self.kafka.log_end += 1 + picks.below(3)
        return True

    def forward(self, picks: Picks) -> bool:
        if not self.kafka.tiers:
            return False
        self.kafka.append(self.kafka.tiers.pop(picks.below(len(self.kafka.tiers))))
        return True

    # -- reading ------------------------------------------------------------------------------------------------------

    def assign(self, picks: Picks) -> bool:
        if self.assignment is not None:
            return False
        committed, metadata = (0, "") if self.kafka.kept is None else (self.kafka.kept.offset, self.kafka.kept.metadata)
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
        self.assignment = Assignment(window, start, self.records_max, read_bitmap(committed, metadata))
        return True

    def read(self, picks: Picks) -> bool:
        here = self.assignment
        if here is None or here.read_at >= self.kafka.log_end or (here.full and not here.window.has_room()):
            return False
        here.full = False
        while here.read_at not in self.kafka.log:
            here.read_at += 1
            if here.read_at >= self.kafka.log_end:
                return True
        offset = here.read_at
        take(here, self.kafka, offset)
        if not here.full:
            here.read_at += 1
        return True

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
        self.kafka.write_what_follows(work.slot.delivery, succeeded=picks.below(2) == 0)
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
        self.kafka.tiers.append(replace(work.slot.delivery, postponed=work.slot.delivery.postponed + 1))
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
        if self.assignment is not None or self.kafka.kept is None:
            return False
        lost = read_bitmap(self.kafka.kept.offset, self.kafka.kept.metadata)
        for delivery in (self.kafka.log.get(offset) for offset in lost):
            if delivery is not None:
                self.allowed[attempt_key(delivery)] += 1
        self.kafka.kept = Commit(self.kafka.kept.offset, picks.one_of(GARBAGE))
        # "1AAA" and the like are valid, and say that nothing is done.
        assert read_bitmap(self.kafka.kept.offset, self.kafka.kept.metadata) == frozenset()
        return True

    # -- what must hold after each step -------------------------------------------------------------------------------

    def check(self) -> None:
        if self.assignment is not None:
            for holds in INVARIANTS:
                holds(self.assignment)

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
        assert self.kafka.ended == self.kafka.published
        assert not self.kafka.tiers
        assert all(self.kafka.is_on_record(offset) for offset in self.kafka.log)

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

    def _pick(self, picks: Picks, stage: Stage) -> Work | None:
        works = [] if self.assignment is None else list(self.assignment.works.values())
        found = [work for work in works if work.stage is stage]
        return picks.one_of(found) if found else None

    def _touch(self, delivery: Delivery) -> None:
        assert self.assignment is not None
        self.assignment.touched.add(step_key(delivery))

    def _finish_started(self, work: Work) -> None:
        if work.stage is Stage.IN_FLIGHT:
            self.kafka.write_what_follows(work.slot.delivery, succeeded=True)
            work.stage = Stage.ENDED
        if work.stage is Stage.ENDED:
            self._finish(work)
        elif work.stage is Stage.PARKED:
            self._finish_parking(work)

    def _finish(self, work: Work) -> None:
        here, slot = self._here(work), work.slot
        self.kafka.attempted.add(attempt_key(slot.delivery))
        here.attempts.add(attempt_key(slot.delivery))
        slot.window.finish(slot)
        for offset in here.copies_of(slot):
            here.close_copy(offset)

    def _finish_parking(self, work: Work) -> None:
        """What asks for the same attempt and is no later step of it closes with it; a later step is in turn now."""
        here, slot = self._here(work), work.slot
        key = attempt_key(slot.delivery)
        self.kafka.moved_on[key] = max(slot.delivery.postponed, self.kafka.moved_on.get(key, -1))
        here.steps.add(step_key(slot.delivery))
        following = slot.window.postpone(slot)
        copies = here.copies_of(slot)
        later = {offset for offset in copies if here.copies[offset].postponed > slot.delivery.postponed}
        assert (following is not None) is bool(later)
        for offset in copies - later:
            here.close_copy(offset)
        if following is not None:
            assert following.offset in later
            assert following.delivery == here.copies.pop(following.offset)
            del here.held[following.offset]
            here.works[following.offset] = Work(following)

    def _here(self, work: Work) -> Assignment:
        here = self.assignment
        assert here is not None
        del here.works[work.slot.offset]
        here.done.add(work.slot.offset)
        return here

    def _release(self, here: Assignment, offset: int) -> None:
        here.unreadable.remove(offset)
        here.done.add(offset)
        self.kafka.buried.add(offset)
        here.window.release(offset)

    def _commit(self, window: Window) -> None:
        commit = Commit(window.position, window.metadata)
        assert self.kafka.kept is None or commit.offset >= self.kafka.kept.offset
        self.kafka.check_the_commit_names_only_what_is_on_record(commit)
        self.kafka.kept = commit

    def _drain(self) -> Assignment | None:
        if self.assignment is not None:
            self.assignment.window.hold = Hold.DRAINING
        return self.assignment

    def _go(self, here: Assignment) -> None:
        here.window.hold = Hold.GONE
        self.assignment = None

    def _allow_repeats(self, here: Assignment) -> None:
        """What this process asked for or moved on may come again, as far as no commit covers it."""
        kept = Commit(0) if self.kafka.kept is None else self.kafka.kept
        named = read_bitmap(kept.offset, kept.metadata)
        uncovered = {
            step_key(delivery)
            for offset in here.open() | here.done
            if offset >= kept.offset and offset not in named and (delivery := self.kafka.log[offset]) is not None
        }
        for step in uncovered & here.touched:
            self.allowed[step.attempt] += 1
