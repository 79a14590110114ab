"""What a replay waits for before it looks stays the same while it takes turns with others."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest

from fakes.fanout import until
from fakes.lagging import Lagging
from fakes.turns import PARTITION, World, ids, jobs, owning
from hookline.processors.replay import Replays
from hookline.runtime.log import Position
from hookline.schemas.records import Job, JobWish, Wanted


@pytest.mark.parametrize("behind", ["fan-out", "dispatchers", "replays", "history"])
async def test_accounts_in_turns_come_to_look_on_a_road_that_is_further_behind_than_a_turn_lasts(behind: str) -> None:
    world = World(work=Lagging(behind).work())
    asked = [each for number in range(3) for each in jobs(world, 1, account_id=f"acct_{number}", first=number)]
    world.ask(*asked)
    async with owning(world, running_max=1, turn_s=0.1):
        await until(lambda: set(world.looked) == set(ids(asked)))


@dataclass(slots=True)
class Waiting:
    """Two replays that wait in turns for a road that is far behind."""

    world: World
    road: Lagging
    job: Job
    other: Job
    replays: Replays

    async def has_turn(self) -> None:
        """Return when the job has begun once more."""
        before = self.world.began.count(self.job.job_id)
        await until(lambda: self.world.began.count(self.job.job_id) > before)
        await until(lambda: self.world.began[-1] == self.other.job_id)


@asynccontextmanager
async def waiting() -> AsyncIterator[Waiting]:
    """They have had turns."""
    world, road = World(), Lagging("dispatchers", lag_s=1_000.0)
    world.work = road.work()
    (job,), (other,) = jobs(world, 1), jobs(world, 1, account_id="acct_other", first=1)
    world.ask(job, other)
    async with owning(world, running_max=1, turn_s=0.05) as replays:
        made = Waiting(world, road, job, other, replays)
        await made.has_turn()
        yield made


async def test_goals_are_fixed_once_for_each_job_that_takes_turns() -> None:
    async with waiting() as of:
        await of.has_turn()
        await of.has_turn()
        assert of.road.bounds_asked == 2


async def test_a_job_that_was_paused_has_new_goals() -> None:
    async with waiting() as of:
        paused = JobWish(job_id=of.job.job_id, account_id="acct_test", wanted=Wanted.PAUSE, rate=None, at_ms=0)
        of.world.jobs_known.put(paused)
        (beside,) = jobs(of.world, 1, account_id="acct_third")
        of.world.ask(replace(beside, everything=True))
        await until(lambda: beside.job_id in of.world.looked)
        of.world.over[beside.job_id].set()
        of.world.jobs_known.put(replace(paused, wanted=Wanted.RUN))
        await of.has_turn()
        assert of.road.bounds_asked == 4  # that of the one beside, and its own anew


async def test_a_job_whose_subscription_another_job_sent_something_has_new_goals() -> None:
    async with waiting() as of:
        beside = replace(of.job, job_id="job_beside", created_at_ms=-1, everything=True)
        of.world.ask(beside)
        of.world.over[beside.job_id].set()
        await until(lambda: beside.job_id in of.world.looked)
        await of.has_turn()
        assert of.road.bounds_asked == 4


async def test_whoever_takes_the_jobs_over_again_fixes_new_goals() -> None:
    async with waiting() as of:
        await of.replays.revoking([PARTITION])
        of.replays.assigned([Position(PARTITION, 0, None, "")])
        await of.has_turn()
        assert of.road.bounds_asked == 4


async def test_a_job_whose_webhook_wants_other_events_by_now_has_new_goals() -> None:
    async with waiting() as of:
        to = of.world.subscriptions[of.job.subscription_id]
        of.world.subscriptions[of.job.subscription_id] = replace(to, events=("payment.failed",))
        await of.has_turn()
        assert of.road.bounds_asked == 3
