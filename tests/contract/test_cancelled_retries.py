"""What `cancel-retries` ends, and what history says of it: the real worker on the memory broker, real endpoints."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from functools import reduce

import pytest

from fakes.configuration import delivery, subscription
from fakes.dispatching import CODEC, TOPICS, Dispatching, dispatching, until
from fakes.endpoint import endpoint, when
from fakes.jobs import job
from fakes.judgements import disabling
from hookline.core.ids import attempt_id
from hookline.core.progress import State, joined, progress
from hookline.core.resending import Known, needs_sending
from hookline.runtime.clock import SystemClock
from hookline.schemas.records import (
    Attempt,
    Delivery,
    JobState,
    Outcome,
    Subscription,
    SubscriptionStatus,
    disabling_key,
)

MINUTES_MS = 60_000


def known(attempts: Sequence[Attempt]) -> Known:
    """What history knows of one delivery."""
    said = reduce(joined, map(progress, attempts))
    return Known(said.state, said.is_delivered, said.furthest.at_ms, said.origin.job_id or None, said.furthest.run)


def is_replayed(running: Dispatching, of: Delivery, to: Subscription) -> bool:
    """Whether a replay would send it now."""
    attempts = [each for each in running.attempts() if each.delivery_id == of.delivery_id]
    return needs_sending(known(attempts), to, everything=False, is_cancelled=lambda _: False)


def ends(running: Dispatching) -> list[tuple[Outcome, int, str | None]]:
    return [(each.outcome, each.attempt, each.error) for each in running.attempts()]


async def test_what_fails_while_retries_are_cancelled_ends_at_once_as_whoever_cancelled_them_says() -> None:
    release = asyncio.Event()
    async with endpoint(when(release, 503)) as (url, seen), dispatching() as running:
        to = subscription(url)
        running.configure(to)
        made = delivery(to)
        running.deliver(made)
        await seen.wait_for(1)
        to = replace(to, cancelled_before_ms=made.created_at_ms + 1)
        running.configure(to)
        release.set()
        await until(lambda: running.committed() == 1)
        assert is_replayed(running, made, to)
    ended, failed = running.attempts()  # what follows comes first, as always
    assert (failed.outcome, failed.attempt, failed.next_attempt_at_ms) == (Outcome.FAILED, 1, None)
    assert (ended.outcome, ended.attempt, ended.error) == (Outcome.CANCELLED, 2, "retries_cancelled")
    assert ended.attempt_id == attempt_id(made.delivery_id, 0, 2, to.cancelled_before_ms)
    assert ended.origin == failed.origin
    assert (len(running.retries()), known(running.attempts()).state) == (0, State.CANCELLED)


async def test_what_was_made_before_retries_were_cancelled_has_one_attempt_however_late_it_comes() -> None:
    async with endpoint(503) as (url, seen), dispatching() as running:
        cancelled_ms = SystemClock().now_ms() - 5 * MINUTES_MS
        to = replace(subscription(url), created_at_ms=0, cancelled_before_ms=cancelled_ms)
        made = replace(delivery(to), created_at_ms=cancelled_ms - 1)
        running.configure(to)
        running.deliver(made)
        await until(lambda: running.committed() == 1)
        assert is_replayed(running, made, to)
    assert len(seen) == 1
    assert ends(running) == [(Outcome.CANCELLED, 2, "retries_cancelled"), (Outcome.FAILED, 1, "status")]


async def test_what_was_made_before_retries_were_cancelled_and_has_to_wait_ends() -> None:
    async with endpoint(200) as (url, seen), dispatching() as running:
        to = subscription(url, status=SubscriptionStatus.PAUSED)
        old = delivery(to)
        to = replace(to, cancelled_before_ms=old.created_at_ms + 1)
        running.configure(to)
        young = delivery(to, config_offset=running.view.applied)
        running.deliver(old, young)
        await until(lambda: running.committed() == 2)
        assert is_replayed(running, old, to)
    assert not len(seen)
    assert sorted(ends(running)) == [(Outcome.CANCELLED, 1, "retries_cancelled"), (Outcome.POSTPONED, 1, "paused")]
    assert [each.delivery_id for each in running.parked()] == [young.delivery_id]


async def test_what_is_made_after_retries_were_cancelled_is_retried_whatever_clocks_say() -> None:
    async with endpoint(503, 200) as (url, _), dispatching(forwarding=True) as running:
        to = subscription(url)
        running.configure(replace(to, cancelled_before_ms=to.created_at_ms + 60 * MINUTES_MS))
        running.deliver(delivery(to, config_offset=running.view.applied))
        await until(lambda: running.committed(TOPICS.redeliveries) == 1)
    assert ends(running) == [(Outcome.FAILED, 1, "status"), (Outcome.SUCCEEDED, 2, None)]


@pytest.mark.parametrize(("is_deleted", "error"), [(True, None), (False, "job_cancelled")])
async def test_what_fails_while_its_webhook_is_deleted_or_its_job_cancelled_ends_at_once(
    is_deleted: bool, error: str | None
) -> None:
    release = asyncio.Event()
    async with endpoint(when(release, 503)) as (url, seen), dispatching() as running:
        to = subscription(url)
        running.configure(to)
        running.replay(replace(delivery(to), job_id="job_1"))
        await seen.wait_for(1)
        if is_deleted:
            running.forget(to)
        else:
            running.ask(job(to, state=JobState.CANCELLED))
        release.set()
        await until(lambda: running.committed(TOPICS.replays) == 1)
    assert ends(running) == [(Outcome.CANCELLED, 2, error), (Outcome.FAILED, 1, "status")]
    assert running.retries() == []


async def test_what_fails_while_its_webhook_is_disabled_waits_for_its_turn() -> None:
    """It may be enabled again by then."""
    release = asyncio.Event()
    async with endpoint(when(release, 503)) as (url, seen), dispatching() as running:
        to = subscription(url)
        running.configure(to)
        running.deliver(delivery(to))
        await seen.wait_for(1)
        key = disabling_key(to.subscription_id)
        running.broker.append(TOPICS.endpoint_state, key, CODEC.encode(disabling(to)))
        await until(lambda: running.view.disabling(to.subscription_id) is not None)
        release.set()
        await until(lambda: running.committed() == 1)
    assert ends(running) == [(Outcome.FAILED, 1, "status")]
    assert len(running.retries()) == 1
