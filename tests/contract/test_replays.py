"""Deliveries of jobs, in a lane of their own: the real worker and forwarder on the memory broker, real endpoints."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest

from fakes.configuration import delivery, short_settings, subscription
from fakes.dispatching import TOPICS, Dispatching, dispatching, until
from fakes.endpoint import after, endpoint, hang, when
from fakes.jobs import job, wish
from hookline.core.ids import attempt_id
from hookline.core.resending import resent
from hookline.schemas.records import (
    Attempt,
    Delivery,
    JobState,
    Outcome,
    Place,
    Subscription,
    SubscriptionStatus,
    Wanted,
)


def replays(to: Subscription, count: int, *, job_id: str = "job_1") -> Sequence[Delivery]:
    """New deliveries as a job of that id writes them."""
    made = [delivery(to) for _ in range(count)]
    return [
        resent(each, run=1_000, config_offset=0, now_ms=each.created_at_ms + number, job_id=job_id)
        for number, each in enumerate(made)
    ]


def ends(running: Dispatching) -> Counter[tuple[Outcome, str | None]]:
    return Counter((each.outcome, each.error) for each in running.attempts())


async def test_a_replay_is_sent_and_its_attempt_names_its_job_and_where_its_body_lies() -> None:
    async with endpoint(200) as (url, seen), dispatching() as running:
        to = subscription(url)
        running.configure(to)
        first, second = replays(to, 2)
        running.replay(first, second)
        await until(lambda: running.committed(TOPICS.replays) == 2)
        attempts = {each.delivery_id: each for each in running.attempts()}
    assert [request.headers["webhook-id"] for request in seen] == [first.delivery_id, second.delivery_id]
    assert [attempts[each.delivery_id].origin for each in (first, second)] == [
        Place(partition=0, offset=0, in_replays=True),
        Place(partition=0, offset=1, in_replays=True),
    ]
    assert {(each.job_id, each.run) for each in attempts.values()} == {("job_1", 1_000)}


async def test_a_lane_full_of_replays_that_hang_delays_no_live_delivery() -> None:
    settings = short_settings("memory", "t.", commit_interval_ms=10, in_flight_max=16)
    async with endpoint(hang) as (bad, hung), endpoint(200) as (good, seen), dispatching(settings) as running:
        stuck, healthy = [subscription(f"{bad}/{number}") for number in range(8)], subscription(good)
        running.configure(*stuck, healthy)
        running.replay(*(each for to in stuck for each in replays(to, 50)))
        await hung.wait_for(1)
        running.deliver(*(delivery(healthy) for _ in range(200)))
        running.deliver(*(delivery(healthy) for _ in range(50)), lane=TOPICS.redeliveries)
        await seen.wait_for(250)
        assert len(hung) <= 2  # the lane's own budget


async def test_live_deliveries_go_before_the_replays_of_their_endpoint() -> None:
    async with endpoint(after(0.02, 200)) as (url, seen), dispatching() as running:
        to = subscription(url)
        running.configure(to)
        running.replay(*replays(to, 300))
        await seen.wait_for(8)
        live = {each.delivery_id for each in _delivered(running, to, 100)}
        began = len(seen)
        await until(lambda: live <= {request.headers["webhook-id"] for request in seen})
        ids = [each.headers["webhook-id"] for each in list(seen)[began:]]
        last = max(number for number, each in enumerate(ids) if each in live)
        between = [each for each in ids[:last] if each not in live]
        # In flight before the live ones came, and after the last of them had started; and one for fifteen of them.
        assert len(between) <= 2 * 4 + len(live) // 15


async def test_thousands_of_replays_at_once_start_a_few_at_a_time_beside_live_traffic() -> None:
    async with endpoint(hang) as (bad, _), endpoint(200) as (good, seen), dispatching() as running:
        stuck, healthy, counts = [subscription(f"{bad}/{number}") for number in range(60)], subscription(good), [0.0]
        running.configure(healthy, *stuck)
        running.deliver(delivery(healthy))
        await seen.wait_for(1)
        running.replay(*(each for to in stuck for each in replays(to, 50)))
        while counts[-1] < 30:
            await asyncio.sleep(0)
            counts.append(running.gauge("hookline_in_flight_requests", "replays"))
    assert max(later - earlier for earlier, later in pairwise(counts)) <= 4


def _delivered(running: Dispatching, to: Subscription, count: int) -> Sequence[Delivery]:
    made = [delivery(to) for _ in range(count)]
    running.deliver(*made)
    return made


async def test_replays_start_in_the_order_of_the_log_also_those_that_waited_for_the_configuration() -> None:
    async with endpoint(200) as (url, seen), dispatching() as running:
        to = subscription(url)
        made = replays(to, 40)
        ahead = [replace(each, config_offset=1) for each in made[:20]]
        running.replay(*ahead)
        await until(lambda: running.gauge("hookline_open_records", "replays") == 20)
        running.configure(to)
        running.replay(*made[20:])
        await seen.wait_for(40)
        await until(lambda: len(running.attempts()) == 40)
        started = {each.delivery_id: each.started_at_ms for each in running.attempts()}
    in_order = [started[each.delivery_id] for each in made]
    assert in_order == sorted(in_order)


async def test_what_fails_of_a_job_comes_back_in_the_lane_of_replays() -> None:
    async with endpoint(500, 200) as (url, seen), dispatching(forwarding=True) as running:
        to = subscription(url)
        running.configure(to)
        running.replay(*replays(to, 1))
        await seen.wait_for(2)
        await until(lambda: running.committed(TOPICS.replays) == 2)
        attempts = running.attempts()
        assert not running.broker.records(TOPICS.redeliveries)
    assert [(each.attempt, each.job_id) for each in attempts] == [(1, "job_1"), (2, "job_1")]
    assert {each.origin for each in attempts} == {Place(partition=0, offset=0, in_replays=True)}


@pytest.mark.parametrize("by_wish", [True, False])
async def test_a_job_that_is_cancelled_midway_ends_on_record_and_holds_nobody_up(by_wish: bool) -> None:
    async with endpoint(after(0.02, 200)) as (url, seen), dispatching() as running:
        to = subscription(url)
        asked = job(to)
        running.configure(to)
        running.ask(asked, job(to, "job_2"))
        behind = replays(to, 3, job_id="job_2")
        running.replay(*replays(to, 400), *behind)
        await seen.wait_for(8)
        running.ask(wish(asked, Wanted.CANCEL) if by_wish else replace(asked, state=JobState.CANCELLED))
        await until(lambda: running.committed(TOPICS.replays) == 403)
        found = ends(running)
        attempts = running.attempts()
    assert {each.delivery_id for each in attempts if each.outcome is Outcome.SUCCEEDED} >= {
        each.delivery_id for each in behind
    }
    assert found[Outcome.CANCELLED, "job_cancelled"] + found[Outcome.SUCCEEDED, None] == 403
    assert len(seen) < 100
    assert all(each.detail for each in attempts if each.outcome is Outcome.CANCELLED)


async def test_what_is_on_its_way_of_a_paused_job_still_goes() -> None:
    async with endpoint(200) as (url, seen), dispatching() as running:
        to = subscription(url)
        running.configure(to)
        running.ask(job(to), wish(job(to), Wanted.PAUSE))
        running.replay(*replays(to, 5))
        await seen.wait_for(5)


async def test_a_cancelled_job_s_deliveries_are_not_held_back_for_a_paused_webhook() -> None:
    async with endpoint(200) as (url, seen), dispatching() as running:
        to = subscription(url, status=SubscriptionStatus.PAUSED)
        running.configure(to)
        running.ask(job(to, state=JobState.CANCELLED))
        running.replay(*replays(to, 5))
        await until(lambda: ends(running) == {(Outcome.CANCELLED, "job_cancelled"): 5})
    assert not len(seen)
    assert running.parked() == []


async def test_what_waits_for_an_endpoint_that_hangs_ends_when_its_job_is_cancelled() -> None:
    async with endpoint(hang) as (url, _), dispatching() as running:
        to = subscription(url)
        running.configure(to)
        running.ask(job(to))
        running.replay(*replays(to, 200))
        await until(lambda: running.gauge("hookline_doubtful_in_flight_requests", "replays") == 1)
        running.ask(job(to, state=JobState.CANCELLED))
        await until(lambda: ends(running) == {(Outcome.CANCELLED, "job_cancelled"): 199})


async def test_retries_that_were_cancelled_end_as_whoever_cancelled_them_says() -> None:
    async with endpoint(200) as (url, seen), dispatching() as running:
        to, made = subscription(url), [delivery(subscription(url)) for _ in range(4)]
        before_ms = to.created_at_ms
        running.configure(replace(to, cancelled_before_ms=before_ms))
        old, retried, postponed, young = (replace(each, subscription_id=to.subscription_id) for each in made)
        old = replace(old, created_at_ms=before_ms - 1)
        retried, postponed = (
            replace(retried, created_at_ms=before_ms - 1),
            replace(postponed, created_at_ms=before_ms - 1),
        )
        retried, postponed = replace(retried, attempt=3), replace(postponed, postponed=2)
        young = replace(young, created_at_ms=before_ms, attempt=2)
        running.deliver(old)
        running.deliver(retried, postponed, young, lane=TOPICS.redeliveries)
        await until(lambda: len(running.attempts()) == 4)
        ended = {each.delivery_id: each for each in running.attempts() if each.outcome is Outcome.CANCELLED}
    assert sorted(request.headers["webhook-id"] for request in seen) == sorted([old.delivery_id, young.delivery_id])
    assert ended.keys() == {retried.delivery_id, postponed.delivery_id}
    for each in (retried, postponed):
        _check_cancelled(ended[each.delivery_id], each, before_ms)


def _check_cancelled(found: Attempt, of: Delivery, before_ms: int) -> None:
    assert (found.error, found.started_at_ms, found.duration_ms) == ("retries_cancelled", before_ms, 0)
    assert found.attempt_id == attempt_id(of.delivery_id, of.run, of.attempt, before_ms)
    assert (found.run, found.attempt, found.next_attempt_at_ms) == (of.run, of.attempt, None)
    assert found.detail


async def test_cancelled_retries_that_wait_for_a_rate_limit_end_at_once() -> None:
    async with endpoint(200) as (url, _), dispatching() as running:
        to = replace(subscription(url), rate_limit=1)
        running.configure(to)
        waiting = [replace(delivery(to), attempt=2, created_at_ms=to.created_at_ms) for _ in range(150)]
        running.deliver(*waiting, lane=TOPICS.redeliveries)
        await until(lambda: running.gauge("hookline_open_records", "second") == 149)
        running.configure(replace(to, cancelled_before_ms=to.created_at_ms + 1))
        await until(lambda: ends(running)[Outcome.CANCELLED, "retries_cancelled"] >= 148)


async def test_a_stop_finishes_replays_in_flight_and_repeats_none() -> None:
    release = asyncio.Event()
    async with endpoint(when(release, 200)) as (url, seen), dispatching() as running:
        to = subscription(url)
        running.configure(to)
        running.replay(*replays(to, 5))
        await seen.wait_for(1)
        stopping = asyncio.create_task(running.reader.stop())
        release.set()
        await stopping
        running.reader.start()
        await until(lambda: running.committed(TOPICS.replays) == 5)
    assert len(seen) == 5
