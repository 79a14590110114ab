"""A dry run counts what a replay would send: the same as the replay then sends."""

from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path

import pytest

from fakes.configuration import short_settings, subscription
from fakes.kafka import make_topics
from fakes.replaying import (
    HOUR_MS,
    NOW_MS,
    ask,
    commit_all,
    configure,
    events,
    job_for,
    outcome,
    publish,
    replayer,
    sent,
    until_over,
)
from fakes.road import CODEC
from hookline.runtime.event_log import EventLog
from hookline.runtime.history import open_history
from hookline.runtime.replay_counting import ReplayCounting, open_counting
from hookline.runtime.settings import Settings
from hookline.schemas.errors import NotYet
from hookline.schemas.records import Outcome, Subscription

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(120)]
WINDOW = {"since_ms": NOW_MS - HOUR_MS, "until_ms": NOW_MS}


@pytest.fixture
def settings(bootstrap: str, prefix: str, tmp_path: Path) -> Settings:
    made = short_settings(bootstrap, prefix, data_dir=tmp_path)
    make_topics(bootstrap, made.topics())
    return made


async def happened(settings: Settings) -> Subscription:
    """10 events that it got, 20 that it did not, 5 of another account, 5 too early, and bytes that are none, of each."""
    to = subscription("http://127.0.0.1:1/", "order.*", "user.created")
    got = events(10)
    missed = [*events(12), *events(5, "order.completed"), *events(3, "user.created")]
    publish(settings, events(5), at_ms=NOW_MS - 3 * HOUR_MS)
    broken = [b"none", b"none of acct_other", b"none of acct_test"]
    publish(settings, [*got, *missed, *events(5, account_id="acct_other"), *broken], at_ms=NOW_MS - HOUR_MS)
    async with open_history(settings) as store:
        await store.ingest([outcome(each, to, at_ms=NOW_MS - HOUR_MS) for each in got], {})
    return to


async def test_a_replay_sends_what_was_counted(settings: Settings) -> None:
    to = await happened(settings)
    async with counting_with_history(settings) as counting:
        counted = await counting.count(to, **WINDOW, events=(), everything=False)
        all_of_them = await counting.count(to, **WINDOW, events=(), everything=True)
        orders = await counting.count(to, **WINDOW, events=("order.created",), everything=False)
    assert (counted.wanted, counted.left_out, counted.unreadable, counted.is_whole) == (20, 10, 1, True)
    assert counted.by_type == {"order.completed": 5, "order.created": 12, "user.created": 3}
    assert (all_of_them.wanted, all_of_them.left_out) == (30, 0)
    assert orders.by_type == {"order.created": 12}
    configure(settings, to)
    commit_all(settings)
    job = job_for(to, since_ms=WINDOW["since_ms"], until_ms=WINDOW["until_ms"])
    async with replayer(settings):
        ask(settings, job)
        ended = await until_over(settings, job)
    assert (ended.sent, ended.left_out, ended.looked_at) == (counted.wanted, counted.left_out, counted.looked_at)
    assert len(sent(settings)) == counted.wanted


async def test_counting_ends_at_its_bound_and_says_so(settings: Settings) -> None:
    to = subscription("http://127.0.0.1:1/", "order.*")
    publish(settings, events(2_000), at_ms=NOW_MS - HOUR_MS)
    counting = counting_of(settings, records_max=500)
    counted = await counting.count(to, **WINDOW, events=(), everything=True)
    assert (counted.is_whole, 500 <= counted.wanted < 2_000) == (False, True)


async def test_a_broker_that_is_away_is_said_so(settings: Settings) -> None:
    to = subscription("http://127.0.0.1:1/", "order.*")
    counting = counting_of(replace(settings, bootstrap_servers="127.0.0.1:1"))
    with pytest.raises(NotYet):
        await counting.count(to, **WINDOW, events=(), everything=True)


async def test_what_a_cancelled_job_left_waiting_is_counted_as_to_be_sent(settings: Settings) -> None:
    to = replace(subscription("http://127.0.0.1:1/", "order.*"), created_at_ms=NOW_MS - 2 * HOUR_MS)
    waiting = events(4)
    publish(settings, waiting, at_ms=NOW_MS - HOUR_MS)
    failed = [
        replace(outcome(each, to, Outcome.FAILED, at_ms=NOW_MS - HOUR_MS, next_ms=NOW_MS), job_id=job_id)
        for each, job_id in zip(waiting, ["job_cancelled", "job_runs", None, None], strict=True)
    ]
    async with open_history(settings) as store:
        await store.ingest(failed, {})
    async with counting_with_history(settings, cancelled="job_cancelled") as counting:
        counted = await counting.count(to, **WINDOW, events=(), everything=False)
        called_off = replace(to, cancelled_before_ms=NOW_MS)
        after = await counting.count(called_off, **WINDOW, events=(), everything=False)
    assert (counted.wanted, counted.left_out) == (1, 3)
    assert (after.wanted, after.left_out) == (4, 0)


def counting_with_history(
    settings: Settings, *, cancelled: str | None = None
) -> AbstractAsyncContextManager[ReplayCounting]:
    return open_counting(
        settings, is_cancelled=lambda job_id: job_id == cancelled, topics=settings.topics(), codec=CODEC
    )


def counting_of(settings: Settings, *, records_max: int = 1_000_000) -> ReplayCounting:
    """Counting without a history store, for who counts everything."""
    return ReplayCounting(
        log=EventLog(settings.bootstrap_servers),
        states=None,  # type: ignore[arg-type]
        is_cancelled=lambda _: False,
        topics=settings.topics(),
        codec=CODEC,
        records_max=records_max,
    )
