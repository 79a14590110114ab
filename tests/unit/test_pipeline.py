import asyncio
from collections.abc import AsyncIterator
from itertools import permutations

import pytest

from fakes.fanout import CODEC, ORDERS, Bench, bench, source, turns, until, wants_orders
from hookline.processors.positions import Positions, passed_over
from hookline.processors.watchdog import Look, Stall
from hookline.runtime.log import TopicPartition
from hookline.schemas.errors import ContractError, NotYet
from hookline.schemas.records import DeadLetter, DeathReason, Delivery

P0, P1 = TopicPartition(ORDERS, 0), TopicPartition(ORDERS, 1)


class TestPositions:
    @pytest.mark.parametrize("order", list(permutations(range(4))))
    def test_never_past_what_is_open_and_in_the_end_past_all(self, order: tuple[int, ...]) -> None:
        positions = Positions()
        events = [positions.open(P0, offset) for offset in range(10, 14)]
        finished: set[int] = set()
        for each in order:
            event = events[each]
            assert event is not None
            event.finish()
            finished.add(each)
            in_order = next((n for n in range(5) if n not in finished), 4)
            assert positions.committable().get(P0, 10) == 10 + in_order
        assert (positions.committable(), positions.open_count) == ({P0: 14}, 0)

    def test_gaps_between_offsets_are_no_open_work(self) -> None:
        positions = Positions()
        for offset in (3, 7, 40):
            event = positions.open(P0, offset)
            assert event is not None
            event.finish()
        assert positions.committable() == {P0: 41}

    def test_what_was_committed_is_not_committed_again(self) -> None:
        positions = Positions()
        event = positions.open(P0, 0)
        assert event is not None
        event.finish()
        positions.committed({P0: 1})
        assert not positions.committable()

    def test_a_failed_commit_is_offered_again(self) -> None:
        positions = Positions()
        event = positions.open(P0, 0)
        assert event is not None
        event.finish()
        assert positions.committable() == positions.committable() == {P0: 1}

    def test_a_result_of_an_earlier_assignment_moves_nothing(self) -> None:
        positions = Positions()
        late = positions.open(P0, 5)
        positions.forget([P0])
        again = positions.open(P0, 5)
        assert late is not None
        assert again is not None
        late.finish()
        assert (late.is_ours, again.is_ours, positions.open_count) == (False, True, 1)
        assert not positions.committable()

    def test_the_same_offset_is_opened_once_in_an_assignment(self) -> None:
        positions = Positions()
        assert positions.open(P0, 5) is not None
        assert positions.open(P0, 5) is None
        assert positions.open(P0, 4) is None
        assert positions.open(P1, 4) is not None


@pytest.mark.parametrize(
    ("before", "after", "read", "passed"),
    [
        pytest.param(5, 5, None, None, id="nothing came"),
        pytest.param(5, 8, 8, None, id="records came, and nothing lies behind the last"),
        pytest.param(5, 9, 8, 9, id="a marker lies behind the last record"),
        pytest.param(5, 8, None, 8, id="what came was aborted as a whole"),
        pytest.param(None, 8, None, 8, id="where reading began was not known yet"),
        pytest.param(None, 0, None, None, id="an empty partition"),
        pytest.param(9, 5, None, None, id="reading went back"),
        pytest.param(9, 7, 6, 7, id="reading went back, and passed a marker"),
        pytest.param(5, None, None, None, id="where reading is was forgotten"),
    ],
)
def test_only_a_look_that_passed_more_than_records_tells_where_reading_is(
    before: int | None, after: int | None, read: int | None, passed: int | None
) -> None:
    known = [{} if each is None else {P0: each} for each in (before, after, read, passed)]
    assert passed_over(known[0], known[1], known[2]) == known[3]


@pytest.fixture
async def parts() -> AsyncIterator[Bench]:
    made = bench()
    working = asyncio.create_task(made.pipeline.run())
    yield made
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)


async def test_a_partition_moves_in_order_whatever_the_order_of_answers(parts: Bench) -> None:
    parts.configuration.put(wants_orders(1)[0])
    for offset in range(3):
        await parts.pipeline.take(source(offset))
    await until(lambda: len(parts.writer.asked) == 3)
    parts.writer.asked[2].acknowledge()
    parts.writer.asked[1].acknowledge()
    await until(lambda: parts.writes.outstanding == 1)
    assert not parts.pipeline.committable()
    parts.writer.asked[0].acknowledge()
    await until(parts.pipeline.is_idle)
    assert parts.pipeline.committable() == {P0: 3}


async def test_what_bears_no_record_is_passed_when_all_before_it_is_done(parts: Bench) -> None:
    parts.configuration.put(wants_orders(1)[0])
    await parts.pipeline.take(source(0))
    await parts.pipeline.passed(P0, 3)
    await parts.pipeline.take(source(3))
    await parts.pipeline.passed(P0, 5)
    assert parts.pipeline.received() == {P0: 4}
    await until(lambda: len(parts.writer.asked) == 2)
    parts.writer.asked[1].acknowledge()
    await until(lambda: parts.writes.outstanding == 1)
    assert not parts.pipeline.committable()
    parts.writer.asked[0].acknowledge()
    await until(parts.pipeline.is_idle)
    assert parts.pipeline.committable() == {P0: 5}


async def test_a_partition_without_any_record_is_passed_at_once(parts: Bench) -> None:
    await parts.pipeline.passed(P0, 2)
    assert (parts.pipeline.committable(), parts.pipeline.is_idle()) == ({P0: 2}, True)


async def test_what_was_passed_after_the_end_of_an_assignment_moves_nothing(parts: Bench) -> None:
    await parts.pipeline.drain(deadline_s=0)
    await parts.pipeline.passed(P0, 2)
    assert not parts.pipeline.committable()


async def test_passing_waits_for_room_like_a_record() -> None:
    parts = bench()
    for offset in range(1_000):
        await parts.pipeline.take(source(offset, value=b"x"))
    waiting = asyncio.create_task(parts.pipeline.passed(P0, 1_002))
    await turns()
    assert not waiting.done()
    parts.pipeline.forget()
    await waiting
    assert not parts.pipeline.committable()


async def test_an_event_is_done_when_all_its_deliveries_are(parts: Bench) -> None:
    for wanted in wants_orders(3):
        parts.configuration.put(wanted)
    await parts.pipeline.take(source(0))
    await until(lambda: len(parts.writer.asked) == 3)
    for each in parts.writer.asked[:2]:
        each.acknowledge()
    await until(lambda: parts.writes.outstanding == 1)
    assert not parts.pipeline.committable()
    parts.writer.asked[2].acknowledge()
    await until(lambda: parts.pipeline.committable() == {P0: 1})


async def test_a_write_that_failed_is_written_again_until_it_succeeds(parts: Bench) -> None:
    parts.configuration.put(wants_orders(1)[0])
    await parts.pipeline.take(source(0))
    for times in range(1, 4):
        await until(lambda times=times: len(parts.writer.asked) == times)  # type: ignore[misc]
        parts.writer.asked[-1].refuse(NotYet("away"))
    await until(lambda: len(parts.writer.asked) == 4)
    assert not parts.pipeline.committable()
    assert len({each.value for each in parts.writer.asked}) == 1
    parts.writer.asked[-1].acknowledge()
    await until(lambda: parts.pipeline.committable() == {P0: 1})


async def test_a_delivery_that_the_topic_can_never_take_is_buried(parts: Bench) -> None:
    parts.configuration.put(wants_orders(1)[0])
    await parts.pipeline.take(source(0))
    await until(lambda: len(parts.writer.asked) == 1)
    parts.writer.asked[0].refuse(ContractError("over the topic's limit"))
    await until(lambda: len(parts.writer.asked) == 2)
    letter = CODEC.decode(parts.writer.asked[1].value, DeadLetter)
    assert (letter.payload, letter.detail, letter.offset) == (None, "over the topic's limit", 0)
    parts.writer.asked[1].acknowledge()
    await until(lambda: parts.pipeline.committable() == {P0: 1})


async def test_an_unreadable_record_is_done_when_its_dead_letter_is_written(parts: Bench) -> None:
    await parts.pipeline.take(source(0, value=b"junk"))
    await until(lambda: len(parts.writer.asked) == 1)
    assert CODEC.decode(parts.writer.asked[0].value, DeadLetter).reason is DeathReason.UNREADABLE
    assert not parts.pipeline.committable()
    parts.writer.asked[0].acknowledge()
    await until(lambda: parts.pipeline.committable() == {P0: 1})


async def test_an_event_is_matched_with_what_was_configured_before_it_came(parts: Bench) -> None:
    (wanted,) = wants_orders(1)
    parts.configuration.put(wanted, applied=False)
    await parts.pipeline.take(source(0))
    await until(lambda: parts.configuration.asked == 1)
    await turns()
    assert not parts.writer.asked
    parts.configuration.apply(wanted)
    await until(lambda: len(parts.writer.asked) == 1)
    assert CODEC.decode(parts.writer.asked[0].value, Delivery).config_offset == 1


async def test_the_end_is_asked_for_after_the_event_came(parts: Bench) -> None:
    (first, second) = wants_orders(2)
    parts.configuration.put(first)
    await parts.pipeline.take(source(0))
    await until(lambda: len(parts.writer.asked) == 1)
    parts.configuration.put(second, applied=False)  # an answer from before would not know of it
    await parts.pipeline.take(source(1))
    await until(lambda: parts.configuration.asked == 2)
    parts.configuration.apply(second)
    await until(lambda: len(parts.writer.asked) == 3)


async def test_while_the_end_is_not_known_nothing_is_matched(parts: Bench) -> None:
    parts.configuration.put(wants_orders(1)[0])
    parts.configuration.is_away = True
    await parts.pipeline.take(source(0))
    await until(lambda: parts.configuration.asked >= 2)
    assert not parts.writer.asked
    parts.configuration.is_away = False
    await until(lambda: len(parts.writer.asked) == 1)


async def test_what_is_given_up_is_neither_written_again_nor_committed(parts: Bench) -> None:
    parts.configuration.put(wants_orders(1)[0])
    await parts.pipeline.take(source(0))
    await until(lambda: len(parts.writer.asked) == 1)
    parts.pipeline.forget()
    parts.writer.asked[0].refuse(NotYet("away"))
    await until(lambda: parts.writes.outstanding == 0)
    assert len(parts.writer.asked) == 1
    assert not parts.pipeline.committable()


async def test_a_drain_finishes_what_is_open_and_takes_nothing_more(parts: Bench) -> None:
    parts.configuration.put(wants_orders(1)[0])
    await parts.pipeline.take(source(0))
    draining = asyncio.create_task(parts.pipeline.drain(deadline_s=10))
    await until(lambda: len(parts.writer.asked) == 1)
    await parts.pipeline.take(source(1))
    parts.writer.asked[0].acknowledge()
    assert await draining
    assert parts.pipeline.committable() == {P0: 1}
    assert len(parts.writer.asked) == 1


async def test_a_drain_ends_at_its_deadline(parts: Bench) -> None:
    parts.configuration.put(wants_orders(1)[0])
    await parts.pipeline.take(source(0))
    assert not await parts.pipeline.drain(deadline_s=0.02)


async def test_after_a_new_assignment_the_same_offsets_are_taken_again(parts: Bench) -> None:
    parts.configuration.put(wants_orders(1)[0])
    await parts.pipeline.take(source(0))
    await parts.pipeline.drain(deadline_s=0)
    parts.pipeline.forget()
    parts.pipeline.reopen()
    await parts.pipeline.take(source(0))
    await until(lambda: len(parts.writer.pending()) >= 1)
    for each in parts.writer.pending():
        each.acknowledge()
    await until(lambda: parts.pipeline.committable() == {P0: 1})


async def test_an_event_with_more_matches_than_the_bound_goes_in_parts() -> None:
    parts = bench(outstanding_max=10)
    for wanted in wants_orders(25):
        parts.configuration.put(wanted)
    working = asyncio.create_task(parts.pipeline.run())
    await parts.pipeline.take(source(0))
    sent = 0
    while sent < 25:
        await until(lambda: bool(parts.writer.pending()))
        assert parts.writes.outstanding <= 10
        for each in parts.writer.pending():
            sent += 1
            each.acknowledge()
    await until(lambda: parts.pipeline.committable() == {P0: 1})
    assert len({each.key for each in parts.writer.asked}) == 25
    working.cancel()


async def test_reading_stops_while_too_much_waits_to_be_matched() -> None:
    parts = bench()
    for offset in range(1_000):
        await parts.pipeline.take(source(offset, value=b"x"))
    assert parts.pipeline.is_full()
    waiting = asyncio.create_task(parts.pipeline.take(source(1_000, value=b"x")))
    await turns()
    assert not waiting.done()
    working = asyncio.create_task(parts.pipeline.run())
    await waiting
    working.cancel()


class TestStall:
    @staticmethod
    def look(at_s: float, *, received: int = 4, end: int = 10, full: bool = False, rebalancing: bool = False) -> Look:
        return Look(
            at_s=at_s, ends={P0: (0, end)}, received={P0: received}, is_excused=full, is_rebalancing=rebalancing
        )

    def test_records_that_are_not_read_count_from_look_to_look(self) -> None:
        stall = Stall()
        assert [stall.longest_s(self.look(at)) for at in (0, 5, 10)] == [0, 5, 10]

    def test_any_progress_starts_anew(self) -> None:
        stall = Stall()
        assert [stall.longest_s(self.look(at, received=at)) for at in (0, 5, 8)] == [0, 0, 0]

    def test_nothing_to_read_is_no_stall(self) -> None:
        stall = Stall()
        assert [stall.longest_s(self.look(at, received=9)) for at in (0, 5, 10)] == [0, 0, 0]

    async def test_a_marker_behind_the_last_record_is_no_stall(self) -> None:
        stall, pipeline = Stall(), bench().pipeline
        await pipeline.take(source(8))
        await pipeline.passed(P0, 10)
        received = pipeline.received()[P0]
        assert [stall.longest_s(self.look(at, received=received)) for at in (0, 5, 10)] == [0, 0, 0]

    def test_time_without_a_broker_does_not_count(self) -> None:
        stall = Stall()
        stall.longest_s(self.look(0))
        assert stall.longest_s(self.look(5)) == 5
        stall.missed()
        assert [stall.longest_s(self.look(at)) for at in (600, 605)] == [0, 10]

    def test_a_full_pipeline_waits_for_kafka_and_is_excused(self) -> None:
        stall = Stall()
        assert [stall.longest_s(self.look(at, full=True)) for at in (0, 5, 10)] == [0, 0, 0]

    def test_a_rebalance_that_does_not_end_is_a_stall(self) -> None:
        stall = Stall()
        assert [stall.longest_s(self.look(at, rebalancing=True)) for at in (0, 5, 10)] == [0, 5, 10]
