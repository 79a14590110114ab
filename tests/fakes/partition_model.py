"""What one process knows of a partition, as plain sets, and what must hold of its window after every step."""

from dataclasses import dataclass, field, replace
from enum import Enum, auto

from hookline.core.offsets import METADATA_CHARACTERS_MAX, read_bitmap
from hookline.core.repeats import AttemptKey, StepKey, attempt_key, step_key
from hookline.core.window import Slot, Window
from hookline.runtime.log import Commit
from hookline.schemas.records import Delivery


class Stage(Enum):
    """How far one open record came."""

    WAITING = auto()
    IN_FLIGHT = auto()  # its request was made
    ENDED = auto()  # its request ended, and its retry is on record if there is one; the attempt is not yet
    PARKED = auto()  # its successor is on record, and nobody knows yet


_ATTEMPTS_MAX = 3


@dataclass(slots=True)
class Work:
    slot: Slot
    stage: Stage = Stage.WAITING


@dataclass(slots=True)
class Kafka:
    """What outlives every process: the partition, what waits on tiers, the group's commit, and what is on record."""

    log: dict[int, Delivery | None] = field(default_factory=dict)  # None: unreadable
    log_end: int = 0
    tiers: list[Delivery] = field(default_factory=list)
    kept: Commit | None = None
    published: set[tuple[str, int]] = field(default_factory=set)
    attempted: set[AttemptKey] = field(default_factory=set)
    moved_on: dict[AttemptKey, int] = field(default_factory=dict)  # the latest step whose successor is written
    buried: set[int] = field(default_factory=set)
    ended: set[tuple[str, int]] = field(default_factory=set)

    def publish(self, delivery: Delivery) -> None:
        self.published.add((delivery.delivery_id, delivery.run))
        self.append(delivery)

    def append(self, delivery: Delivery | None) -> None:
        self.log[self.log_end] = delivery
        self.log_end += 1

    def write_what_follows(self, delivery: Delivery, *, succeeded: bool) -> None:
        if not succeeded and delivery.attempt < _ATTEMPTS_MAX:
            self.tiers.append(replace(delivery, attempt=delivery.attempt + 1, postponed=0))
        else:
            self.ended.add((delivery.delivery_id, delivery.run))

    def check_the_commit_names_only_what_is_on_record(self, commit: Commit) -> None:
        named = read_bitmap(commit.offset, commit.metadata)
        for offset in self.log:
            if offset < commit.offset or offset in named:
                assert self.is_on_record(offset), f"{offset} is committed and not on record"

    def is_on_record(self, offset: int) -> bool:
        delivery = self.log[offset]
        if delivery is None:
            return offset in self.buried
        return (
            attempt_key(delivery) in self.attempted
            or self.moved_on.get(attempt_key(delivery), -1) >= delivery.postponed
        )


@dataclass(slots=True)
class Assignment:
    """What one process knows, and what the model knows of that process. It all goes with a crash."""

    window: Window
    read_at: int
    records_max: int
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

    def knows(self, delivery: Delivery) -> bool:
        return attempt_key(delivery) in self.attempts or step_key(delivery) in self.steps

    def copies_of(self, slot: Slot) -> set[int]:
        key = attempt_key(slot.delivery)
        return {offset for offset, delivery in self.copies.items() if attempt_key(delivery) == key}

    def close_copy(self, offset: int) -> None:
        del self.copies[offset]
        self.held.pop(offset, None)
        self.done.add(offset)


def the_position_never_passes_an_open_record(here: Assignment) -> None:
    assert all(here.window.position <= offset for offset in here.open())


def the_position_goes_as_far_as_it_may(here: Assignment) -> None:
    first_open = min(here.open(), default=here.read_at)
    assert all(offset < here.window.position for offset in here.done if offset < first_open)


def the_bitmap_names_what_is_done_and_nothing_else(here: Assignment) -> None:
    window = here.window
    named = read_bitmap(window.position, window.metadata)
    unread = {offset for offset in here.done_before if offset >= here.read_at}
    wanted = {offset for offset in here.done | unread if offset > window.position}
    assert named == wanted
    assert len(window.metadata) <= METADATA_CHARACTERS_MAX


def the_window_is_bounded(here: Assignment) -> None:
    assert here.window.open_count() <= here.records_max
    assert here.window.is_idle() is not bool(here.open())


def bytes_are_those_of_open_records(here: Assignment) -> None:
    started = sum(work.slot.size_bytes for work in here.works.values())
    assert here.window.open_bytes == started + sum(here.held.values())


INVARIANTS = (
    the_position_never_passes_an_open_record,
    the_position_goes_as_far_as_it_may,
    the_bitmap_names_what_is_done_and_nothing_else,
    the_window_is_bounded,
    bytes_are_those_of_open_records,
)


def only_a_full_window_says_so(here: Assignment) -> None:
    """A full window says so, and only a full one."""
    here.full = True
    assert here.window.open_count() >= here.records_max


def what_was_done_before_is_not_offered_again(here: Assignment, offset: int) -> None:
    """A record that was committed as done, by position or bitmap, is never offered again."""
    assert offset >= here.window.committed
    assert offset not in here.done_before


def no_repeat_is_offered(here: Assignment, delivery: Delivery) -> None:
    """A copy of what is open or done is not offered, as far as the memory reaches. A resend is neither, so it is."""
    key = attempt_key(delivery)
    assert not any(attempt_key(work.slot.delivery) == key for work in here.works.values())
    assert not here.knows(delivery)


def a_repeat_waits_for_one_that_is_open(here: Assignment, delivery: Delivery) -> None:
    """A repeat of what is not on record yet is dropped only for one that is open, and stays open as long."""
    key = attempt_key(delivery)
    assert any(attempt_key(work.slot.delivery) == key for work in here.works.values()), (
        "dropped, and nobody answers for it"
    )
