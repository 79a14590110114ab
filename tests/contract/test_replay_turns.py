"""Which jobs run, and which wait: as many as there is room for, one at a time for a subscription, accounts in turn."""

from dataclasses import replace

import pytest

from fakes.configuration import subscription
from fakes.fanout import until
from fakes.judgements import health
from fakes.replaying import job_for
from fakes.turns import PARTITION, World, ids, jobs, owning
from hookline.runtime.clock import SystemClock
from hookline.runtime.log import Position
from hookline.schemas.records import (
    Job,
    JobKind,
    JobState,
    JobWish,
    SubscriptionStatus,
    Wanted,
)


async def test_as_many_run_as_there_is_room_for_and_the_rest_in_order_of_creation() -> None:
    world = World()
    asked = jobs(world, 4)
    world.ask(*reversed(asked))
    async with owning(world, running_max=2):
        await until(lambda: len(world.began) == 2)
        world.over[asked[1].job_id].set()
        await until(lambda: len(world.began) == 3)
        assert world.began == ids(asked[:3])


async def test_an_account_with_many_jobs_does_not_hold_up_another() -> None:
    world = World()
    many, one = jobs(world, 5), jobs(world, 1, account_id="acct_other", first=100)
    world.ask(*many, *one)
    async with owning(world, running_max=2):
        await until(lambda: len(world.began) == 2)
    assert world.began == [many[0].job_id, one[0].job_id]


async def test_an_account_that_holds_all_places_gives_some_up_to_who_waits_and_goes_on_later() -> None:
    world = World()
    many, few = jobs(world, 5), jobs(world, 3, account_id="acct_other", first=100)
    world.ask(*many)
    async with owning(world, running_max=4, turn_s=0.3) as replays:
        await until(lambda: len(world.began) == 4)
        world.ask(*few)
        await until(lambda: len(world.began) == 6)
        assert world.began == ids([*many[:4], *few[:2]])
        assert {each.job.job_id for each in replays.running()} == set(ids([*many[2:4], *few[:2]]))
        assert [state_of(world, each) for each in many[:2]] == [JobState.WAITING] * 2
        await nothing_begins(world)  # both have the same now
        for each in few:
            world.over[each.job_id].set()
        await until(lambda: len(world.began) == 9)
        assert world.began[6:] == [few[2].job_id, *ids(many[:2])]
        assert all(state_of(world, each) is JobState.DONE for each in few)


async def test_more_accounts_than_there_are_places_have_them_in_turns() -> None:
    world = World()
    asked = [each for number in range(9) for each in jobs(world, 1, account_id=f"acct_{number}", first=number)]
    world.ask(*asked)
    async with owning(world, turn_s=0.1):
        await until(lambda: len(world.began) == 18)
    assert sorted(world.began[:9]) == sorted(world.began[9:]) == sorted(ids(asked))


async def test_of_accounts_that_have_as_many_the_one_goes_on_that_waited_for_longest() -> None:
    world = World()
    (long,) = jobs(world, 1, first=100)
    first, second = jobs(world, 2, account_id="acct_other")
    world.ask(long)
    async with owning(world, running_max=1, turn_s=0.1):
        await until(lambda: world.began == [long.job_id])
        world.ask(first, second)
        world.over[first.job_id].set()
        await until(lambda: len(world.began) == 3)
        assert world.began == ids([long, first, long])
        await until(lambda: len(world.began) == 4)
        assert world.began[3] == second.job_id


async def test_no_job_gives_way_before_it_had_its_turn_nor_to_one_of_its_own_account() -> None:
    world = World()
    world.ask(*jobs(world, 4))
    async with owning(world, running_max=2, turn_s=0.1):
        await until(lambda: len(world.began) == 2)
        await nothing_begins(world)
    other = World()
    other.ask(*jobs(other, 2))
    async with owning(other, running_max=2):
        await until(lambda: len(other.began) == 2)
        other.ask(*jobs(other, 1, account_id="acct_other"))
        await nothing_begins(other)


async def test_what_only_puts_cancelled_retries_on_record_waits_for_no_place_and_no_other_job() -> None:
    world = World()
    busy, waiting = jobs(world, 2)
    short = replace(busy, job_id="job_short", kind=JobKind.CANCEL_RETRIES, created_at_ms=9)
    again = replace(short, job_id="job_short_again", created_at_ms=10)
    world.ask(busy, waiting)
    async with owning(world, running_max=1):
        await until(lambda: world.began == [busy.job_id])
        world.ask(short, again)
        await until(lambda: world.began == ids([busy, short]))
        await nothing_begins(world)  # of these there is one at a time for a subscription, too
        world.over[short.job_id].set()
        await until(lambda: world.began == ids([busy, short, again]))


async def test_jobs_of_a_subscription_run_one_at_a_time_and_one_that_waits_holds_up_no_other() -> None:
    world = World()
    first, second = jobs(world, 1)[0], job_for(subscription("https://example.com/"), created_at_ms=1)
    second = replace(second, subscription_id=first.subscription_id)
    world.ask(first, second)
    async with owning(world):
        await until(lambda: world.began == [first.job_id])
        await nothing_begins(world)
        paused = JobWish(job_id=first.job_id, account_id="acct_test", wanted=Wanted.PAUSE, rate=None, at_ms=0)
        world.jobs_known.put(paused)
        await until(lambda: world.began == ids([first, second]))
        world.jobs_known.put(replace(paused, wanted=Wanted.RUN))
        world.over[second.job_id].set()
        await until(lambda: world.began == ids([first, second, first]))


async def test_what_waits_for_its_subscription_takes_no_room() -> None:
    world = World()
    held, ready = jobs(world, 2)
    to = world.subscriptions[held.subscription_id]
    world.subscriptions[held.subscription_id] = replace(to, status=SubscriptionStatus.PAUSED)
    world.ask(held, ready)
    async with owning(world, running_max=1):
        await until(lambda: world.began == [ready.job_id])
        world.over[ready.job_id].set()
        world.subscriptions[held.subscription_id] = to
        await until(lambda: world.began == ids([ready, held]))


async def test_what_waits_for_an_endpoint_that_is_away_takes_no_room_and_goes_on_when_it_is_well() -> None:
    world = World()
    held, ready = jobs(world, 2)
    to = world.subscriptions[held.subscription_id]
    in_a_while = replace(health(to, opened=1), probe_at_ms=SystemClock().now_ms() + 50_000)
    world.healths[held.subscription_id] = in_a_while
    world.ask(held, ready)
    async with owning(world, running_max=1):
        await until(lambda: world.began == [ready.job_id])
        world.over[ready.job_id].set()
        await nothing_begins(world)
        world.healths[held.subscription_id] = health(to)
        await until(lambda: world.began == ids([ready, held]))


async def test_a_cancelled_job_ends_even_when_there_is_no_room() -> None:
    world = World()
    busy, waiting = jobs(world, 2)
    world.ask(busy, waiting)
    async with owning(world, running_max=1):
        await until(lambda: world.began == [busy.job_id])
        world.jobs_known.put(
            JobWish(job_id=waiting.job_id, account_id="acct_test", wanted=Wanted.CANCEL, rate=None, at_ms=0)
        )
        await until(lambda: state_of(world, waiting) is JobState.CANCELLED)
    assert world.began == [busy.job_id]


async def test_whoever_gives_the_jobs_up_saves_them_and_whoever_lost_them_writes_nothing() -> None:
    world = World()
    (job,) = jobs(world, 1)
    world.ask(job)
    async with owning(world) as replays:
        await until(lambda: len(world.began) == 1)
        await until(lambda: state_of(world, job) is JobState.RUNNING)
        before = world.written
        assert await replays.revoking([PARTITION]) == {}
        assert (world.written, replays.running()) == (before + 1, [])
        replays.assigned([Position(PARTITION, 0, None, "")])
        await until(lambda: len(world.began) == 2)
        await until(lambda: world.written == before + 2)
        replays.lost([PARTITION])
        await until(lambda: not replays.running())
        assert world.written == before + 2


async def test_no_job_begins_again_while_others_come_to_rest() -> None:
    world = World()
    quick, slow = jobs(world, 2)
    world.ask(quick, slow)
    world.step_s[slow.job_id] = 0.6
    async with owning(world) as replays:
        await until(lambda: len(world.began) == 2)
        await replays.revoking([PARTITION])
        assert sorted(world.began) == sorted(ids([quick, slow]))


async def test_nothing_begins_while_membership_is_in_doubt() -> None:
    world = World(member=False)
    world.ask(*jobs(world, 1))
    async with owning(world):
        await nothing_begins(world)
        world.member = True
        await until(lambda: len(world.began) == 1)


async def test_a_job_that_only_had_to_be_ended_costs_its_account_no_turn() -> None:
    world = World()
    first, (gone, late), other = (
        jobs(world, 1, account_id="acct_a"),
        jobs(world, 2),
        jobs(world, 1, account_id="acct_b"),
    )
    world.ask(*first)
    async with owning(world, running_max=1):
        await until(lambda: world.began == ids(first))
        world.ask(gone, late, *(replace(each, created_at_ms=50) for each in other))
        wish = JobWish(job_id=gone.job_id, account_id="acct_test", wanted=Wanted.CANCEL, rate=None, at_ms=0)
        world.jobs_known.put(wish)
        await until(lambda: state_of(world, gone) is JobState.CANCELLED)
        world.over[first[0].job_id].set()
        await until(lambda: len(world.began) == 2)
    assert world.began[1] == late.job_id


async def nothing_begins(world: World) -> None:
    """Not for as long as the role looks about twice."""
    before = len(world.began)
    with pytest.raises(TimeoutError):
        await until(lambda: len(world.began) > before, within_s=0.5)


def state_of(world: World, job: Job) -> JobState | None:
    asked = world.job(job.job_id)
    return None if asked is None else asked.job.state
