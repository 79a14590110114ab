"""Jobs do what is wished of them, keep their rate, and never run far ahead of the dispatchers."""

import asyncio
import time
from dataclasses import replace
from pathlib import Path

import pytest

from fakes.configuration import short_settings, subscription
from fakes.kafka import make_topics, read_until
from fakes.replaying import (
    HOUR_MS,
    NOW_MS,
    ask,
    commit_all,
    commit_ends,
    configure,
    dispatchers_that_keep_up,
    event_ids,
    events,
    job_for,
    publish,
    records_of,
    replayer,
    sent,
    unsubscribe,
    until_job,
    until_over,
    wish,
)
from hookline.runtime.settings import Settings
from hookline.schemas.records import JobState, Subscription, SubscriptionStatus, Wanted, wish_key

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(180)]


@pytest.fixture
def settings(bootstrap: str, prefix: str, tmp_path: Path) -> Settings:
    made = short_settings(bootstrap, prefix, data_dir=tmp_path)
    make_topics(bootstrap, made.topics())
    return made


def subscribed(settings: Settings, count: int, **changes: object) -> Subscription:
    """A subscription to events that happened an hour ago."""
    to = replace(subscription("http://127.0.0.1:1/", "order.created"), **changes)  # type: ignore[arg-type]
    configure(settings, to)
    publish(settings, events(count), at_ms=NOW_MS - HOUR_MS)
    commit_all(settings)
    return to


async def test_a_job_is_paused_slowed_down_and_resumed_without_a_repeat_or_a_gap(settings: Settings) -> None:
    to = subscribed(settings, 400)
    job = job_for(to, rate=40)
    async with replayer(settings):
        ask(settings, job)
        await until_job(settings, job, lambda each: each.sent >= 20)
        wish(settings, job, Wanted.PAUSE)
        paused = await until_job(settings, job, lambda each: each.state is JobState.WAITING)
        assert len(sent(settings)) == paused.sent < 400
        before = paused.sent
        wish(settings, job, Wanted.RUN, rate=5)
        slow = await until_job(settings, job, lambda each: each.sent > before)
        assert slow.sent - before <= 20
        wish(settings, job, Wanted.RUN, rate=1_000)
        ended = await until_over(settings, job)
    found = event_ids(sent(settings))
    assert (ended.state, ended.sent, len(found), len(set(found))) == (JobState.DONE, 400, 400, 400)


async def test_a_job_keeps_its_rate(settings: Settings) -> None:
    to = subscribed(settings, 150)
    job = job_for(to, rate=50)
    async with replayer(settings):
        began_s = time.monotonic()
        ask(settings, job)
        await until_over(settings, job)
        took_s = time.monotonic() - began_s
    assert took_s >= 2.5  # a quarter of a second may be caught up with


async def test_a_cancelled_job_sends_no_more_whether_it_runs_or_waits(settings: Settings) -> None:
    to = subscribed(settings, 400)
    running, waiting = job_for(to, rate=20), job_for(to, created_at_ms=to.created_at_ms + 1)
    async with replayer(settings):
        ask(settings, running, waiting)
        await until_job(settings, running, lambda each: each.sent > 0)
        wish(settings, waiting, Wanted.CANCEL)
        assert (await until_over(settings, waiting)).state is JobState.CANCELLED
        wish(settings, running, Wanted.CANCEL)
        ended = await until_over(settings, running)
    assert ended.state is JobState.CANCELLED
    assert ended.sent == len(sent(settings)) < 400
    assert sent(settings, job=waiting) == []


async def test_jobs_of_one_subscription_run_one_after_the_other_in_order_of_creation(settings: Settings) -> None:
    to = subscribed(settings, 30)
    first = job_for(to, rate=30)
    second = job_for(to, created_at_ms=to.created_at_ms + 1, run=NOW_MS + 1, everything=True)
    async with replayer(settings), dispatchers_that_keep_up(settings):
        ask(settings, second, first)
        await until_over(settings, second)
    lying = sent(settings)
    assert [each.job_id for each in lying] == [first.job_id] * 30 + [second.job_id] * 30


async def test_a_job_of_a_paused_subscription_waits_until_it_is_active_again(settings: Settings) -> None:
    to = subscribed(settings, 400)
    job = job_for(to, rate=20)
    async with replayer(settings):
        ask(settings, job)
        await until_job(settings, job, lambda each: each.sent > 0)
        configure(settings, replace(to, version=2, status=SubscriptionStatus.PAUSED))
        waiting = await until_job(settings, job, lambda each: each.state is JobState.WAITING)
        assert len(sent(settings)) == waiting.sent < 400
        configure(settings, replace(to, version=3))
        wish(settings, job, rate=1_000)
        ended = await until_over(settings, job)
    assert (ended.state, len(sent(settings))) == (JobState.DONE, 400)


async def test_a_job_of_a_subscription_that_is_deleted_ends_as_cancelled(settings: Settings) -> None:
    to = subscribed(settings, 400)
    job = job_for(to, rate=20)
    async with replayer(settings):
        ask(settings, job)
        await until_job(settings, job, lambda each: each.sent > 0)
        unsubscribe(settings, to)
        ended = await until_over(settings, job)
    assert ended.state is JobState.CANCELLED


async def test_a_job_is_never_far_ahead_of_the_dispatchers(settings: Settings) -> None:
    to = subscribed(settings, 3_000)
    job = job_for(to, rate=1_000_000)
    async with replayer(settings) as running:
        ask(settings, job)
        await until_job(settings, job, lambda each: each.sent >= 1_500)
        async with asyncio.timeout(30):
            while await running.metric("hookline_replay_ahead_records") < 1_500:
                await asyncio.sleep(0.05)
        held = await until_job(settings, job, lambda each: each.sent == len(sent(settings)))
        assert 1_500 <= held.sent <= 2_000
        commit_ends(settings, "dispatchers.replays", settings.topics().replays)
        ended = await until_over(settings, job)
    assert (ended.sent, len(sent(settings))) == (3_000, 3_000)


async def test_what_a_job_is_doing_is_on_record_about_every_second(settings: Settings) -> None:
    to = subscribed(settings, 100)
    job = job_for(to, rate=25)
    async with replayer(settings):
        ask(settings, job)
        await until_over(settings, job)
    said = [each.sent for each in records_of(settings, job)]
    assert said == sorted(said)
    assert 4 <= len(said) <= 12


async def test_a_job_that_ended_a_month_ago_leaves_the_topic_with_its_wish(settings: Settings) -> None:
    to = subscription("http://127.0.0.1:1/", "order.created")
    month_ms = 31 * 24 * HOUR_MS
    old = job_for(to, state=JobState.DONE, finished_at_ms=NOW_MS - month_ms)
    new = job_for(to, state=JobState.DONE, finished_at_ms=NOW_MS)
    ask(settings, old, new)
    wish(settings, old, Wanted.PAUSE)
    wish(settings, new, Wanted.PAUSE)
    async with replayer(settings):
        records = await asyncio.to_thread(
            read_until, settings.bootstrap_servers, settings.topics().jobs, lambda found: len(found) >= 6
        )
    gone = {record.key for record in records if record.value is None}
    assert gone == {old.job_id.encode(), wish_key(old.job_id)}
