"""Several processes change the configuration at the same time: no update is lost, and every rule stays true."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from secrets import token_bytes
from typing import Any

import pytest

from fakes.changing import Changing, changing
from fakes.configuration import ACCOUNT, short_settings, subscription
from fakes.fanout import until
from fakes.kafka import change_topic, make_topics, read, write
from hookline.runtime.changes import Decision, Unapplied, Unchanged, Write
from hookline.runtime.end_offsets import EndOffsets
from hookline.runtime.kafka_changes import open_changes
from hookline.runtime.log import TopicPartition
from hookline.runtime.settings import Settings
from hookline.runtime.view import View
from hookline.schemas.errors import ContractError, NotYet, TooLarge
from hookline.schemas.records import Account, Subscription, disabling_key
from hookline.schemas.topics import RECORD_BYTES_MAX

pytestmark = pytest.mark.kafka
MANY = 150


class Taken(Exception):  # noqa: N818 - what a rule says no with
    """There is one already, or there are enough."""


@pytest.fixture
async def settings(bootstrap: str, prefix: str) -> Settings:
    made = short_settings(bootstrap, prefix)
    await asyncio.to_thread(make_topics, bootstrap, made.topics())
    return made


@pytest.fixture
async def one(settings: Settings) -> AsyncIterator[Changing]:
    async with changing(settings, answer_s=60) as process:
        yield process


@pytest.fixture
async def other(settings: Settings) -> AsyncIterator[Changing]:
    async with changing(settings, answer_s=60) as process:
        yield process


async def succeeded(change: Coroutine[Any, Any, int]) -> int | None:
    """Its result; None if it was refused, for whatever reason."""
    try:
        return await change
    except (Unchanged, Taken):
        return None


async def in_turn(step: Callable[[], Coroutine[Any, Any, int]], times: int) -> list[int]:
    results = [await succeeded(step()) for _ in range(times)]
    return [each for each in results if each is not None]


async def ends(settings: Settings) -> dict[str, int]:
    """Where every partition that a change may write to ends."""
    topics = settings.topics()
    asked = EndOffsets(settings.bootstrap_servers)
    partitions = [TopicPartition(topics.audit, number) for number in range(1)]
    partitions += [TopicPartition(each, 0) for each in (topics.subscriptions, topics.accounts, topics.endpoint_state)]
    found = await asked.ends(partitions)
    await asked.close()
    return {each.topic: end for each, end in found.items()}


async def lying_on(settings: Settings, *topics: str) -> list[tuple[str, bytes | None, bytes | None]]:
    found = await asyncio.to_thread(read, settings.bootstrap_servers, *topics)
    return [(each.topic, each.key, each.value) for each in found]


# -- no lost update -----------------------------------------------------------------------------------------------------


async def test_of_two_processes_that_count_at_once_no_step_is_lost(one: Changing, other: Changing) -> None:
    counts = await asyncio.gather(in_turn(one.add, MANY), in_turn(other.add, MANY))
    made = sorted(counts[0] + counts[1])
    assert made == list(range(1, len(made) + 1))
    assert len(made) > MANY
    await until(lambda: (one.count(), other.count()) == (len(made), len(made)))


async def test_of_callers_that_count_at_once_in_each_of_two_processes_no_step_is_lost(
    one: Changing, other: Changing
) -> None:
    steps = [each.add for each in (one, other) for _ in range(60)]
    made = [each for each in await asyncio.gather(*(succeeded(step()) for step in steps)) if each is not None]
    assert sorted(made) == list(range(1, len(made) + 1))
    assert len(made) > 60


async def test_processes_that_take_turns_see_each_others_changes_at_once(one: Changing, other: Changing) -> None:
    assert [await each.add() for each in (one, other) * 10] == list(range(1, 21))


async def test_what_must_be_unique_stays_unique(one: Changing, other: Changing) -> None:
    def named(process: Changing, uid: str) -> Callable[[], Decision[int]]:
        def decide() -> Decision[int]:
            known = process.view.subscriptions_of(ACCOUNT)
            if any(each.uid == uid for each in known):
                raise Taken
            return Decision(1, [process.subscription(replace(subscription("https://example.com"), uid=uid))])

        return decide

    async def claim(process: Changing) -> list[int]:
        uids = iter(range(25))
        return await in_turn(lambda: process.changes.make(named(process, f"uid-{next(uids)}")), 25)

    made = await asyncio.gather(claim(one), claim(other))
    assert len(made[0]) + len(made[1]) == 25
    await until(lambda: len(one.view.subscriptions_of(ACCOUNT)) == 25)
    assert len({each.uid for each in one.view.subscriptions_of(ACCOUNT)}) == 25


async def test_a_cap_is_reached_and_never_passed(one: Changing, other: Changing) -> None:
    def capped(process: Changing) -> Callable[[], Decision[int]]:
        def decide() -> Decision[int]:
            if len(process.view.subscriptions_of(ACCOUNT)) >= 7:
                raise Taken
            return Decision(1, [process.subscription(subscription("https://example.com"))])

        return decide

    tries = [each.changes.make(capped(each)) for each in (one, other) for _ in range(10)]
    made = await asyncio.gather(*(succeeded(each) for each in tries))
    assert sum(each or 0 for each in made) == 7
    await until(lambda: {len(each.view.subscriptions_of(ACCOUNT)) for each in (one, other)} == {7})


async def test_a_record_that_came_in_past_the_fence_is_noticed_before_the_commit(
    settings: Settings, one: Changing
) -> None:
    await one.add()
    asked = itertools.count(1)

    def decide() -> Decision[int]:
        known = one.view.account(ACCOUNT)
        assert known is not None
        if next(asked) == 1:
            late = one.account(replace(known, version=100))
            write(settings.bootstrap_servers, late.topic, [(late.key, late.value)])
        return Decision(known.version + 1, [one.account(replace(known, version=known.version + 1))])

    assert await one.changes.make(decide) == 101
    assert next(asked) == 3


# -- all or nothing -----------------------------------------------------------------------------------------------------


def everywhere(process: Changing, to: Subscription, note: bytes) -> list[Write]:
    """One record for every topic that a change may write to."""
    topics = process.topics
    return [
        process.subscription(to),
        process.account(Account(account_id=to.account_id, name="", created_at_ms=0)),
        Write(topic=topics.endpoint_state, key=disabling_key(to.subscription_id), value=None),
        Write(topic=topics.audit, key=to.account_id.encode(), value=note),
    ]


async def test_what_one_change_writes_to_several_topics_is_all_there_once_it_returns(
    settings: Settings, one: Changing
) -> None:
    to = subscription("https://example.com")
    writes = everywhere(one, to, b"created")
    assert await one.changes.make(lambda: Decision("done", writes)) == "done"
    assert (one.view.subscription(to.subscription_id), one.count()) == (to, 1)
    topics = one.topics
    found = await lying_on(settings, topics.subscriptions, topics.accounts, topics.endpoint_state, topics.audit)
    assert found == [(each.topic, each.key, each.value) for each in writes]


@pytest.mark.parametrize("bytes_max", [None, 1_000])
async def test_a_change_with_one_record_that_is_too_large_writes_nothing(
    settings: Settings, one: Changing, bytes_max: int | None
) -> None:
    """Whether the client refuses it or the broker."""
    if bytes_max is not None:
        await asyncio.to_thread(
            change_topic, settings.bootstrap_servers, one.topics.audit, "max.message.bytes", str(bytes_max)
        )
    size_bytes = RECORD_BYTES_MAX if bytes_max is None else bytes_max
    writes = everywhere(one, subscription("https://example.com"), token_bytes(size_bytes + 1))
    with pytest.raises(TooLarge, match=r"webhooks\.audit: the record's \d+ bytes are over the topic's limit"):
        await one.changes.make(lambda: Decision(None, writes))
    topics = one.topics
    assert await lying_on(settings, topics.subscriptions, topics.accounts, topics.endpoint_state, topics.audit) == []
    assert await one.add() == 1


async def test_many_records_of_one_change_are_not_refused_together_for_being_too_large(
    settings: Settings, one: Changing
) -> None:
    await asyncio.to_thread(change_topic, settings.bootstrap_servers, one.topics.audit, "max.message.bytes", "4000")
    writes = [Write(topic=one.topics.audit, key=b"a", value=token_bytes(2_000)) for _ in range(50)]
    await one.changes.make(lambda: Decision(None, writes))
    assert len(await lying_on(settings, one.topics.audit)) == 50


async def test_what_a_decision_raises_is_passed_on_and_nothing_is_written(settings: Settings, one: Changing) -> None:
    await one.add()
    before = await ends(settings)

    def refuse() -> Decision[int]:
        raise Taken

    for error in (Taken, ContractError, NotYet):
        with pytest.raises(error) as raised:
            await one.changes.make(lambda error=error: raising(error))  # type: ignore[misc]  # bound early
        assert type(raised.value) is error
    assert await ends(settings) == before
    assert await one.add() == 2


def raising(error: type[Exception]) -> Decision[int]:
    raise error("no")


async def test_a_decision_without_writes_makes_no_transaction_and_takes_no_fence(
    settings: Settings, one: Changing
) -> None:
    before = await ends(settings)
    assert await one.changes.make(lambda: Decision("nothing to do")) == "nothing to do"
    assert await ends(settings) == before
    assert one.fences_taken() == 0


async def test_a_decision_without_writes_is_made_on_what_another_process_has_confirmed(
    one: Changing, other: Changing
) -> None:
    for number in range(1, 30):
        assert await one.add() == number
        assert await other.changes.make(lambda: Decision(other.count())) == number
    assert (one.fences_taken(), other.fences_taken()) == (1, 0)


# -- the fence ----------------------------------------------------------------------------------------------------------


async def test_a_process_that_is_alone_takes_the_fence_once(one: Changing) -> None:
    assert await in_turn(one.add, 50) == list(range(1, 51))
    assert one.fences_taken() == 1


async def test_a_transactions_marker_does_not_have_to_be_waited_for(one: Changing) -> None:
    """A change waits until the view is at the end, past the last marker: 100 ms each if it heard so from an empty fetch."""
    await one.add()
    async with asyncio.timeout(8):
        assert await in_turn(one.add, 100) == list(range(2, 102))


async def test_a_topic_that_is_missing_is_named_and_nothing_is_written(settings: Settings, one: Changing) -> None:
    async with changing(settings, answer_s=12) as hasty:
        writes = [*everywhere(hasty, subscription("https://example.com"), b""), Write(topic="no", key=b"k", value=b"v")]
        with pytest.raises(Unchanged, match=r"^no: "):
            await hasty.changes.make(lambda: Decision(None, writes))
        assert await hasty.add() == 1
    assert await one.add() == 2


# -- the view -----------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Late:
    """A view that shows nothing new while it is held, and says so."""

    of: View
    is_held: bool = False

    def followed(self) -> Sequence[str]:
        return self.of.followed()

    async def wait_applied(self, topic: str, offset: int, *, timeout_s: float) -> None:
        deadline_s = time.monotonic() + timeout_s
        while self.is_held:
            if time.monotonic() > deadline_s:
                raise NotYet(f"{topic}: the live view is late")
            await asyncio.sleep(0.005)
        await self.of.wait_applied(topic, offset, timeout_s=deadline_s - time.monotonic())


@asynccontextmanager
async def late(settings: Settings, of: Changing) -> AsyncIterator[tuple[Changing, Late]]:
    """A process like `of`, on its view, which can be held."""
    view = Late(of.view)
    async with open_changes(
        settings.bootstrap_servers, topics=of.topics, view=view, metrics=of.metrics, answer_s=2.0
    ) as changes:
        yield replace(of, changes=changes), view


async def test_a_change_that_the_view_does_not_show_is_written_and_the_next_one_waits_for_it(
    settings: Settings, one: Changing
) -> None:
    async with late(settings, one) as (process, view):

        def decide() -> Decision[int]:
            view.is_held = True
            return process.added()

        assert await process.add() == 1
        with pytest.raises(Unapplied):
            await process.changes.make(decide)
        with pytest.raises(Unchanged):
            await process.add()
        view.is_held = False
        assert await process.add() == 3


# -- callers that go, and the end ---------------------------------------------------------------------------------------


async def test_a_caller_that_goes_away_leaves_no_gap_for_the_next_one(one: Changing) -> None:
    """At whatever moment: the change that has begun is made to its end before another may decide."""
    await one.add()
    made = []
    for number in range(40):
        gone = asyncio.create_task(one.add())
        await asyncio.sleep(number * 0.000_2)
        gone.cancel()
        made.append(await one.add())
    assert made == sorted(set(made))
    assert one.count() == made[-1]
    assert one.fences_taken() == 1


async def test_who_waits_for_a_turn_and_goes_away_changes_nothing(one: Changing) -> None:
    first = asyncio.create_task(one.add())
    await asyncio.sleep(0)
    waiting = [asyncio.create_task(one.add()) for _ in range(3)]
    await asyncio.sleep(0)
    for each in waiting:
        each.cancel()
    assert await first == 1
    assert await one.add() == 2


async def test_the_end_waits_for_the_change_under_way_and_refuses_those_that_wait(settings: Settings) -> None:
    async with changing(settings) as process:
        under_way = [asyncio.create_task(process.add()) for _ in range(3)]
        await asyncio.sleep(0)
    results = await asyncio.gather(*under_way, return_exceptions=True)
    assert results[0] == 1
    assert all(isinstance(each, Unchanged) for each in results[1:])
    with pytest.raises(Unchanged, match="ending"):
        await process.add()


async def test_those_that_queue_behind_a_change_that_waits_are_refused_in_time(
    settings: Settings, one: Changing
) -> None:
    async with late(settings, one) as (process, view):
        view.is_held = True
        results = await asyncio.gather(*(process.add() for _ in range(20)), return_exceptions=True)
        assert {type(each) for each in results} == {Unchanged}
        view.is_held = False
        assert await process.add() == 1
