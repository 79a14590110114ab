"""A job that is killed at any moment, again and again, leaves no gap; and where nothing is killed, it repeats nothing."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from random import Random

import pytest

from fakes.configuration import subscription
from fakes.fanout import event
from fakes.job_world import JobWorld, ListedLog
from fakes.replaying import job_for
from hookline.core.ids import delivery_id
from hookline.core.progress import State
from hookline.core.resending import Known
from hookline.schemas.records import JobState

LIFE_MAX = 120  # turns of the loop before a kill
_LATER_MS = 2**53  # than the webhook was made


def world(seed: int, *, fails: float = 0.0, everything: bool = True) -> JobWorld:
    random = Random(seed)  # noqa: S311 - the same every time
    sizes = [random.randint(0, 60) for _ in range(random.randint(1, 5))]
    numbers = iter(range(sum(sizes)))
    partitions = [
        [event(next(numbers), account_id=random.choice(("acct_test", "acct_other"))) for _ in range(size)]
        for size in sizes
    ]
    to = subscription("https://example.com/", "order.created")
    job = job_for(to, everything=everything, rate=random.choice((20, 200, 1_000_000)))
    return JobWorld(job, to, ListedLog(partitions, random), random, fails)


def wanted(of: JobWorld) -> list[str]:
    return [each.event_id for events in of.log.partitions for each in events if each.account_id == "acct_test"]


async def lived(of: JobWorld, turns: int | None) -> None:
    """Carry the job out for so many turns of the loop, then kill it."""
    task = asyncio.ensure_future(of.run().run())
    if turns is not None:
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
    with suppress(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("seed", range(60))
async def test_kills_at_any_moment_leave_no_gap(seed: int) -> None:
    of = world(seed, fails=0.05)
    for _ in range(of.random.randint(1, 12)):
        await lived(of, of.random.randrange(LIFE_MAX))
    for _ in range(3):
        if of.job_now().state is not JobState.DONE:
            await lived(of, None)
    assert of.job_now().state is JobState.DONE
    assert set(wanted(of)) == {each.event_id for each in of.sent}
    assert {(each.run, each.job_id) for each in of.sent} <= {(of.job.run, of.job.job_id)}


@pytest.mark.parametrize("seed", range(20))
async def test_without_a_kill_each_is_sent_once_and_in_order(seed: int) -> None:
    of = world(seed)
    await lived(of, None)
    assert Counter(each.event_id for each in of.sent) == Counter(wanted(of))
    for events in of.log.partitions:
        ids = [each.event_id for each in events if each.account_id == "acct_test"]
        assert [each.event_id for each in of.sent if each.event_id in ids] == ids
    assert of.job_now().sent == len(wanted(of))
    assert of.job_now().looked_at == sum(map(len, of.log.partitions))


@pytest.mark.parametrize("seed", range(20))
async def test_a_record_of_a_former_process_that_comes_late_leaves_no_gap(seed: int) -> None:
    of = world(seed)
    await lived(of, of.random.randrange(LIFE_MAX))
    stale = of.saved[-1] if of.saved else of.job
    await lived(of, None)
    of.saved.append(stale)
    await lived(of, None)
    assert of.job_now().state is JobState.DONE
    assert set(wanted(of)) == {each.event_id for each in of.sent}


@dataclass(slots=True)
class Remembering:
    """A history store that knows what was before the job, and of what is sent all but the last so many, which failed for good."""

    of: JobWorld
    before: Mapping[str, Known]
    behind: int

    async def states(
        self, *, account_id: str, subscription_id: str, delivery_ids: Sequence[str]
    ) -> Mapping[str, Known]:
        await asyncio.sleep(0)
        on_record = self.of.sent[: max(0, len(self.of.sent) - self.behind)]
        since = {
            each.delivery_id: Known(State.EXHAUSTED, False, _LATER_MS, each.job_id, each.run) for each in on_record
        }
        known = {**self.before, **since}
        return {each: known[each] for each in delivery_ids if each in known}


@pytest.mark.parametrize("seed", range(60))
async def test_kills_of_a_replay_that_leaves_out_what_was_delivered_leave_no_gap_and_nothing_has_two_runs(
    seed: int,
) -> None:
    of = world(seed, fails=0.05, everything=False)
    states = (State.SUCCEEDED, State.RETRYING, State.EXHAUSTED, State.EXPIRED, State.CANCELLED)
    before = {
        delivery_id("acct_test", each, of.subscription.subscription_id): _drawn(of, of.random.choice(states))
        for each in wanted(of)
        if of.random.random() < 0.5
    }
    of.states = Remembering(of, before, behind=of.random.choice((0, 5, 1_000)))
    for _ in range(of.random.randint(1, 12)):
        await lived(of, of.random.randrange(LIFE_MAX))
    for _ in range(3):
        if of.job_now().state is not JobState.DONE:
            await lived(of, None)
    assert of.job_now().state is JobState.DONE
    needed = {each: run for each, run in ((each, _run(of, before, each)) for each in wanted(of)) if run is not None}
    assert {(each.event_id, each.run) for each in of.sent} == set(needed.items())


def _drawn(of: JobWorld, state: State) -> Known:
    run = of.random.choice((0, of.job.run + 5))
    return Known(state, state is State.SUCCEEDED, _LATER_MS, None, run)


def _run(of: JobWorld, before: Mapping[str, Known], event_id: str) -> int | None:
    """The run that it is to have; None: it is not sent."""
    known = before.get(delivery_id("acct_test", event_id, of.subscription.subscription_id))
    if known is None:
        return of.job.run
    return None if known.state in {State.SUCCEEDED, State.RETRYING} else max(of.job.run, known.run + 1)
