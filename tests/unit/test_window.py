from dataclasses import replace

from fakes.deliveries import DELIVERY, window
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
