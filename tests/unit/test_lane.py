from dataclasses import replace

from fakes.deliveries import DELIVERY, window
from hookline.core.lane import Lane
from hookline.core.window import Hold, Slot, Window


def offered(lane: Lane, of: Window, endpoint: str, offset: int) -> Slot:
    waiting = Slot(of, offset, 10, replace(DELIVERY, delivery_id=f"delivery_{offset}", subscription_id=endpoint))
    lane.offer(waiting)
    return waiting


def test_no_more_start_than_the_lane_may_have_in_flight() -> None:
    lane, of = Lane(in_flight_max=2, endpoint_in_flight_max=9), window()
    slots = [offered(lane, of, f"wh_{number}", number) for number in range(3)]
    assert list(lane.start()) == slots[:2]
    assert list(lane.start()) == []
    lane.finish(slots[0])
    assert list(lane.start()) == slots[2:]


def test_an_endpoint_at_its_cap_does_not_keep_others_from_starting() -> None:
    lane, of = Lane(in_flight_max=10, endpoint_in_flight_max=1), window()
    first, second = offered(lane, of, "wh_slow", 0), offered(lane, of, "wh_slow", 1)
    other = offered(lane, of, "wh_other", 2)
    assert list(lane.start()) == [first, other]
    lane.finish(first)
    assert list(lane.start()) == [second]


def test_endpoints_take_turns_and_each_keeps_its_order() -> None:
    lane, of = Lane(in_flight_max=10, endpoint_in_flight_max=9), window()
    busy = [offered(lane, of, "wh_busy", offset) for offset in range(3)]
    other = offered(lane, of, "wh_other", 3)
    assert list(lane.start()) == [busy[0], other, busy[1], busy[2]]


def test_what_another_process_owns_now_is_dropped() -> None:
    lane, gone, ours = Lane(in_flight_max=10, endpoint_in_flight_max=9), window(), window()
    offered(lane, gone, "wh_1", 0)
    kept = offered(lane, ours, "wh_1", 0)
    gone.hold = Hold.GONE
    assert list(lane.start()) == [kept]
    assert lane.in_flight == 1


def test_nothing_is_kept_of_endpoints_with_nothing_to_do() -> None:
    lane, of = Lane(in_flight_max=10, endpoint_in_flight_max=9), window()
    for number in range(100):
        offered(lane, of, f"wh_{number}", number)
    for started in [slot for _ in range(10) for slot in lane.start()]:
        lane.finish(started)
    for started in [slot for _ in range(10) for slot in lane.start()]:
        lane.finish(started)
    while started_now := list(lane.start()):
        for started in started_now:
            lane.finish(started)
    assert lane.in_flight == 0
    assert not lane._endpoints
