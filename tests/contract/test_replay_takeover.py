"""Of several replay processes one carries out the jobs, and another takes over: nothing is missing, and a clean stop repeats nothing."""

import asyncio
import signal
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from fakes.configuration import short_settings, subscription
from fakes.kafka import make_topics
from fakes.replaying import (
    HOUR_MS,
    NOW_MS,
    Replayer,
    ask,
    commit_all,
    configure,
    dispatchers_that_keep_up,
    event_ids,
    events,
    job_for,
    publish,
    records_of,
    replayer,
    sent,
    until_job,
    until_over,
)
from hookline.runtime.settings import Settings
from hookline.schemas.records import Event, Job, JobState

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]
COUNT = 600


@pytest.fixture
def settings(bootstrap: str, prefix: str, tmp_path: Path) -> Settings:
    made = short_settings(bootstrap, prefix, data_dir=tmp_path)
    make_topics(bootstrap, made.topics())
    return made


def prepared(settings: Settings, *, rate: int) -> tuple[Job, Sequence[Event]]:
    to, happened = subscription("http://127.0.0.1:1/", "order.created"), events(COUNT)
    configure(settings, to)
    publish(settings, happened, at_ms=NOW_MS - HOUR_MS)
    commit_all(settings)
    return job_for(to, rate=rate), happened


async def worker(*processes: Replayer) -> Replayer:
    """The one that carries out a job."""
    async with asyncio.timeout(30):
        while True:
            for each in processes:
                if await each.metric("hookline_replay_deliveries_total"):
                    return each
            await asyncio.sleep(0.05)


async def test_another_process_takes_over_from_one_that_is_killed(settings: Settings) -> None:
    job, happened = prepared(settings, rate=150)
    async with replayer(settings) as one, replayer(settings) as other:
        ask(settings, job)
        await until_job(settings, job, lambda each: each.sent >= 200)
        killed = await worker(one, other)
        await killed.kill()
        ended = await until_over(settings, job)
    found = sent(settings)
    assert set(event_ids(found)) == set(event_ids(happened))
    assert {(each.run, each.job_id) for each in found} == {(job.run, job.job_id)}
    repeats = len(found) - COUNT
    assert 0 <= repeats <= 300  # of one second, and the batch on its way
    ids = {each.event_id: set[str]() for each in found}
    for each in found:
        ids[each.event_id].add(each.delivery_id)
    assert all(len(each) == 1 for each in ids.values())
    assert (ended.state, ended.sent) == (JobState.DONE, COUNT)


async def test_a_clean_stop_hands_over_at_once_and_repeats_nothing(settings: Settings) -> None:
    job, happened = prepared(settings, rate=150)
    async with replayer(settings) as one, replayer(settings) as other:
        ask(settings, job)
        await until_job(settings, job, lambda each: each.sent >= 200)
        stopped = await worker(one, other)
        assert await stopped.stop() == 0
        left = len(sent(settings))  # by now the other one may be at work already
        async with asyncio.timeout(settings.session_timeout_s - 1):
            while len(sent(settings)) == left:
                await asyncio.sleep(0.05)
        await until_over(settings, job)
    counted = Counter(event_ids(sent(settings)))
    assert set(counted) == set(event_ids(happened))
    assert set(counted.values()) == {1}


async def test_a_process_that_was_paused_undoes_nothing_that_its_successor_did(settings: Settings) -> None:
    job, happened = prepared(settings, rate=100)
    async with replayer(settings) as one, replayer(settings) as other:
        ask(settings, job)
        await until_job(settings, job, lambda each: each.sent >= 150)
        paused = await worker(one, other)
        paused.process.send_signal(signal.SIGSTOP)
        await until_over(settings, job)
        written = len(records_of(settings, job))
        paused.process.send_signal(signal.SIGCONT)
        async with asyncio.timeout(30):
            while "job.ended" not in paused.log() or not await is_idle(paused):
                await asyncio.sleep(0.1)
    records = records_of(settings, job)
    assert records[-1].state is JobState.DONE
    assert len(records) - written <= 3  # what was on its way, and what ends it again
    found = sent(settings)
    assert set(event_ids(found)) == set(event_ids(happened))
    assert {each.run for each in found} == {job.run}


async def is_idle(process: Replayer) -> bool:
    return await process.metric("hookline_replay_jobs") == 0


async def test_jobs_survive_kills_again_and_again(settings: Settings) -> None:
    job, happened = prepared(settings, rate=120)
    async with AsyncExitStack() as stack, dispatchers_that_keep_up(settings):
        running = await stack.enter_async_context(replayer(settings))
        ask(settings, job)
        for goal in (80, 220, 380):
            await until_job(settings, job, lambda each, goal=goal: each.sent >= goal)  # type: ignore[misc]
            await running.kill()
            running = await stack.enter_async_context(replayer(settings, awaits_ready=False))
        ended = await until_over(settings, job, timeout_s=120)
    found = sent(settings)
    assert set(event_ids(found)) == set(event_ids(happened))
    assert {(each.run, each.job_id) for each in found} == {(job.run, job.job_id)}
    assert ended.sent == COUNT
