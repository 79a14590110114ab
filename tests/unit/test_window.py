from dataclasses import replace

import pytest

from fakes.deliveries import DELIVERY, window
from hookline.core.offsets import METADATA_CHARACTERS_MAX
from hookline.core.window import Arrival, Slot, Window


def slot(of: Window, offset: int, *, size_bytes: int = 10) -> Slot:
    delivery = replace(DELIVERY, delivery_id=f"delivery_{offset}")
    assert of.arrive(delivery, offset, size_bytes) is Arrival.START
    return Slot(of, offset, size_bytes, delivery)


def test_a_full_window_takes_nothing_more() -> None:
    full = window(records_max=2)
    slot(full, 0)
    slot(full, 1)
    assert full.arrive(DELIVERY, 2, 10) is Arrival.FULL
    assert full.arrive_unreadable(2) is Arrival.FULL


def test_a_finished_record_behind_an_open_one_still_takes_room() -> None:
    full = window(records_max=2)
    slot(full, 0)
    full.finish(slot(full, 1))
    assert full.arrive(DELIVERY, 2, 10) is Arrival.FULL
    assert full.position == 0


def test_reading_goes_on_when_half_is_free() -> None:
    half = window(records_max=4)
    slots = [slot(half, offset) for offset in range(4)]
    half.finish(slots[0])
    assert not half.has_room()
    half.finish(slots[1])
    assert half.has_room()


def test_a_copy_closes_with_the_first() -> None:
    both = window()
    first = slot(both, 0)
    assert both.arrive(first.delivery, 1, 10) is Arrival.REPEAT
    assert both.position == 0
    both.finish(first)
    assert both.position == 2
    assert both.is_idle()


def test_a_copy_of_a_done_record_closes_at_once() -> None:
    done = window()
    first = slot(done, 0)
    done.finish(first)
    assert done.arrive(first.delivery, 1, 10) is Arrival.REPEAT
    assert done.position == 2


def test_an_unreadable_record_is_open_until_it_is_on_record() -> None:
    waiting = window()
    assert waiting.arrive_unreadable(0) is Arrival.START
    waiting.finish(slot(waiting, 1))
    assert waiting.position == 0
    waiting.release(0)
    assert waiting.position == 2


def test_a_position_before_the_committed_one_is_never_committed() -> None:
    rewound = window(position=3, committed=10)
    rewound.remember(DELIVERY)
    assert rewound.position == 10


def test_bytes_are_counted_while_open() -> None:
    counted = window()
    first = slot(counted, 0, size_bytes=7)
    second = slot(counted, 1, size_bytes=5)
    assert counted.open_bytes == 12
    counted.finish(first)
    counted.postpone(second)
    assert counted.open_bytes == 0


def test_a_record_postponed_again_before_that_was_acknowledged_is_what_is_left_of_the_attempt() -> None:
    early = window()
    first = slot(early, 0)
    again = replace(first.delivery, postponed=1)
    assert early.arrive(again, 1, 7) is Arrival.HELD
    assert early.open_bytes == 17
    following = early.postpone(first)
    assert following == Slot(early, 1, 7, again)
    assert (early.position, early.open_bytes) == (1, 7)
    assert following is not None
    early.finish(following)
    assert (early.position, early.open_bytes, early.is_idle()) == (2, 0, True)


def test_a_record_that_came_back_early_closes_with_the_attempt_when_that_is_made() -> None:
    early = window()
    first = slot(early, 0)
    early.arrive(replace(first.delivery, postponed=1), 1, 7)
    early.finish(first)
    assert (early.position, early.open_bytes, early.is_idle()) == (2, 0, True)


def test_a_bitmap_says_again_what_was_done_before_and_is_not_read_yet() -> None:
    first = window(records_max=10)
    slots = [slot(first, offset) for offset in range(4)]
    for each in (slots[1], slots[3]):
        first.finish(each)
    second = window(position=first.position, committed=first.position, metadata=first.metadata)
    second.finish(slot(second, 0))
    assert second.position == 2  # 1 was done before, though this assignment has not read it
    third = window(position=second.position, committed=second.position, metadata=second.metadata)
    slot(third, 2)
    assert third.arrive(slots[3].delivery, 3, 10) is Arrival.DONE


@pytest.mark.parametrize("metadata", ["0", "1", "1A", "1=", "1é", "2AAAA", "1!!!!", "\x00", "hello", "1" + "A" * 4_094])
def test_metadata_that_is_not_ours_does_no_harm(metadata: str) -> None:
    foreign = window(position=5, committed=5, metadata=metadata)
    foreign.finish(slot(foreign, 5))
    assert foreign.position == 6


def test_a_full_window_of_16_000_records_is_named_in_the_metadata_kafka_takes() -> None:
    large = window(records_max=16_000)
    first, *others = [slot(large, offset) for offset in range(16_000)]
    for each in others:
        large.finish(each)
    assert len(large.metadata) <= METADATA_CHARACTERS_MAX
    again = window(records_max=16_000, metadata=large.metadata)
    assert again.arrive(first.delivery, 0, 10) is Arrival.START
    assert {again.arrive(each.delivery, each.offset, 10) for each in others} == {Arrival.DONE}


def test_an_unreadable_record_that_was_done_before_is_not_buried_again() -> None:
    first = window()
    slot(first, 0)
    first.arrive_unreadable(1)
    first.release(1)
    second = window(metadata=first.metadata)
    slot(second, 0)
    assert second.arrive_unreadable(1) is Arrival.DONE


@pytest.mark.parametrize(("open_count", "is_tight"), [(17, False), (18, True), (20, True)])
def test_a_window_is_tight_when_nine_tenths_are_taken(open_count: int, is_tight: bool) -> None:
    filling = window(records_max=20)
    for offset in range(open_count):
        slot(filling, offset)
    assert filling.is_tight() is is_tight
