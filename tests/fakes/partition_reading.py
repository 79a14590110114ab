"""One record taken by a process's window, and what the window's answer must mean."""

from fakes.partition_model import (
    Assignment,
    Kafka,
    Work,
    a_repeat_waits_for_one_that_is_open,
    no_repeat_is_offered,
    only_a_full_window_says_so,
    what_was_done_before_is_not_offered_again,
)
from hookline.core.repeats import step_key
from hookline.core.window import Arrival, Slot
from hookline.schemas.records import Delivery


def take(here: Assignment, kafka: Kafka, offset: int) -> None:
    """The process reads the record at this offset; the model notes what becomes of it, or that it has to come again."""
    delivery = kafka.log[offset]
    if offset < here.window.committed:
        _remember(here, delivery)
    elif delivery is None:
        _take_unreadable(here, offset)
    else:
        _take_delivery(here, kafka, offset, delivery)


def _remember(here: Assignment, delivery: Delivery | None) -> None:
    if delivery is not None:
        here.window.remember(delivery)
        here.steps.add(step_key(delivery))


def _take_unreadable(here: Assignment, offset: int) -> None:
    arrival = here.window.arrive_unreadable(offset)
    if arrival is Arrival.FULL:
        only_a_full_window_says_so(here)
    elif arrival is Arrival.DONE:
        assert offset in here.done_before
        here.done.add(offset)
    else:
        what_was_done_before_is_not_offered_again(here, offset)
        here.unreadable.add(offset)


def _take_delivery(here: Assignment, kafka: Kafka, offset: int, delivery: Delivery) -> None:
    size_bytes = 1 + offset % 7
    arrival = here.window.arrive(delivery, offset, size_bytes)
    if arrival is Arrival.FULL:
        only_a_full_window_says_so(here)
    elif arrival is Arrival.START:
        what_was_done_before_is_not_offered_again(here, offset)
        no_repeat_is_offered(here, delivery)
        here.works[offset] = Work(Slot(here.window, offset, size_bytes, delivery))
    elif arrival is Arrival.DONE:
        assert offset in here.done_before
        here.done.add(offset)
        here.steps.add(step_key(delivery))
    elif arrival is Arrival.REPEAT and here.knows(delivery):
        assert kafka.is_on_record(offset), "dropped, and not on record"
        here.done.add(offset)
    else:
        if arrival is Arrival.HELD:
            here.held[offset] = size_bytes
        a_repeat_waits_for_one_that_is_open(here, delivery)
        here.copies[offset] = delivery
