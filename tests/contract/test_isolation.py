"""One endpoint's trouble stays its own: the real worker and forwarder on the memory broker, real endpoints."""

import asyncio
from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest

from fakes.configuration import delivery, short_settings, subscription
from fakes.dispatching import SETTINGS, dispatching, until
from fakes.endpoint import after, endpoint, hang, when
from hookline.schemas.records import Disabling, DisablingReason, EndpointHealth, Outcome, SubscriptionStatus


async def test_a_hanging_endpoint_holds_two_requests_and_nobody_else() -> None:
    settings = short_settings("memory", "t.", commit_interval_ms=10, in_flight_max=40)
    async with endpoint(hang) as (bad, hung), endpoint(200) as (good, seen), dispatching(settings) as running:
        stuck, healthy = subscription(bad), subscription(good)
        running.configure(stuck, healthy)
        running.deliver(*(delivery(each) for _ in range(300) for each in (stuck, healthy)))
        await seen.wait_for(300)
        assert len(hung) == 2


async def test_many_hanging_endpoints_leave_room_for_one_that_is_new() -> None:
    settings = short_settings("memory", "t.", commit_interval_ms=10, in_flight_max=40)
    async with endpoint(hang) as (bad, hung), endpoint(200) as (good, seen), dispatching(settings) as running:
        stuck, healthy = [subscription(f"{bad}/{number}") for number in range(8)], subscription(good)
        running.configure(*stuck, healthy)
        running.deliver(*(delivery(each) for _ in range(10) for each in stuck))
        await hung.wait_for(16)
        await until(lambda: running.gauge("hookline_doubtful_in_flight_requests") == 16)  # more than half of 30
        running.deliver(*(delivery(healthy) for _ in range(100)))
        await seen.wait_for(100)
        assert len(hung) == 16


async def test_what_a_hanging_endpoint_does_not_take_in_time_is_parked() -> None:
    settings = short_settings("memory", "t.", commit_interval_ms=10, doubt_held_s=1)
    async with endpoint(hang) as (bad, hung), dispatching(settings) as running:
        stuck = subscription(bad)
        running.configure(stuck)
        running.deliver(*(delivery(stuck) for _ in range(200)))
        await until(lambda: running.gauge("hookline_doubtful_in_flight_requests") == 2)
        assert running.parked() == []  # it may be well again in a moment
        await until(lambda: [each.error for each in running.attempts()].count("doubtful") == 198)
    assert len(hung) == 2


async def test_what_waits_for_a_hanging_endpoint_is_put_on_record_soon_after_its_webhook_is_deleted() -> None:
    async with endpoint(hang) as (bad, hung), dispatching() as running:
        stuck = subscription(bad)
        running.configure(stuck)
        running.deliver(*(delivery(stuck) for _ in range(200)))
        await until(lambda: running.gauge("hookline_doubtful_in_flight_requests") == 2)
        running.forget(stuck)
        await until(lambda: [each.outcome for each in running.attempts()].count(Outcome.CANCELLED) == 198)
    assert len(hung) == 2


async def test_thousands_to_be_parked_at_once_are_written_a_few_at_a_time() -> None:
    async with endpoint(200) as (url, _), dispatching() as running:
        to, counts = replace(subscription(url), rate_limit=1), [0]
        running.configure(to)
        running.deliver(*(delivery(to) for _ in range(3_000)))
        while counts[-1] < 2_900:
            await asyncio.sleep(0)
            counts.append(running.parked_count())
    assert 0 < max(later - earlier for earlier, later in pairwise(counts)) <= 64


async def test_a_burst_for_a_healthy_endpoint_is_not_parked() -> None:
    async with endpoint(after(0.02, 200)) as (url, seen), dispatching() as running:
        to = subscription(url)
        running.configure(to)
        running.deliver(*(delivery(to) for _ in range(500)))
        await until(lambda: running.committed() == 500)
        assert (len(seen), len(running.parked())) == (500, 0)


async def test_a_rate_limit_spaces_requests_and_parks_the_rest() -> None:
    async with endpoint(200) as (url, seen), dispatching() as running:
        to = replace(subscription(url), rate_limit=20)
        running.configure(to)
        running.deliver(*(delivery(to) for _ in range(600)))
        requests = await seen.wait_for(30)
        await until(lambda: len(running.parked()) >= 200)
    gaps_s = [later.at_s - earlier.at_s for earlier, later in zip(requests, requests[20:], strict=False)]
    assert (
        min(gaps_s) >= 0.8
    )  # twenty in a second; a busy receiver reads its clock unevenly (`make postponing` is exact)
    assert {each.error for each in running.attempts() if each.outcome is Outcome.POSTPONED} == {"rate_limited"}


async def test_what_was_parked_comes_back_and_is_delivered_the_oldest_first() -> None:
    settings = short_settings("memory", "t.", commit_interval_ms=10, window_records_max=384)
    async with endpoint(200) as (url, seen), dispatching(settings, forwarding=True) as running:
        to = replace(subscription(url), rate_limit=100)
        running.configure(to)
        made = [
            replace(delivery(to), created_at_ms=1_900_000_000_000 + number) for number in range(400)
        ]  # half a window is more than two seconds' work
        running.deliver(*made)
        await until(lambda: running.committed() == 400)
        await seen.wait_for(400)
        assert len(running.parked()) > 0
    sent = Counter(request.headers["webhook-id"] for request in seen)
    assert sent == Counter(each.delivery_id for each in made)


async def test_silence_opens_the_breaker_and_a_probe_closes_it() -> None:
    opened = asyncio.Event()
    settings = short_settings("memory", "t.", commit_interval_ms=10, doubt_held_s=3)
    async with endpoint(when(opened, 200)) as (url, seen), dispatching(settings, forwarding=True) as running:
        to = replace(subscription(url), timeout_s=1)
        running.configure(to)
        running.deliver(*(delivery(to) for _ in range(20)))
        await until(lambda: any(isinstance(each, EndpointHealth) and each.opened == 1 for each in running.judgements()))
        await until(lambda: "breaker_open" in {each.error for each in running.attempts()})
        opened.set()
        await until(lambda: any(isinstance(each, EndpointHealth) and not each.opened for each in running.judgements()))
        await until(lambda: sum(each.outcome is Outcome.SUCCEEDED for each in running.attempts()) == 20)
        outcomes = Counter(each.outcome for each in running.attempts())
    assert 5 <= outcomes[Outcome.FAILED] <= 6  # five silences open it; one more may be on its way
    assert len(seen) == 20 + outcomes[Outcome.FAILED]


async def test_an_endpoint_that_is_gone_is_disabled_and_its_deliveries_cancelled() -> None:
    async with endpoint(410) as (url, seen), dispatching() as running:
        to = subscription(url)
        running.configure(to)
        running.deliver(delivery(to))
        await until(lambda: running.committed() == 1)
        running.deliver(*(delivery(to) for _ in range(5)))
        await until(lambda: running.committed() == 6)
        outcomes = Counter(each.outcome for each in running.attempts())
        disabled = [each for each in running.judgements() if isinstance(each, Disabling)]
    assert len(seen) == 1
    assert outcomes == {Outcome.FAILED: 1, Outcome.CANCELLED: 5}
    assert [each.reason for each in disabled] == [DisablingReason.GONE]


async def test_five_days_of_failure_disable_and_warn_before() -> None:
    # 15 attempts within the three seconds: 20 would open the breaker, which is silent for longer than is left.
    settings = short_settings("memory", "t.", commit_interval_ms=10, disable_after_s=3, retry_tiers=(200,) * 20)
    async with endpoint(500) as (url, _), dispatching(settings, forwarding=True) as running:
        to = subscription(url)
        running.configure(to)
        running.deliver(delivery(to))
        await until(lambda: any(isinstance(each, Disabling) for each in running.judgements()))
        (disabling,) = [each for each in running.judgements() if isinstance(each, Disabling)]
        warnings = [each.warnings for each in running.judgements() if isinstance(each, EndpointHealth)]
    assert disabling.reason is DisablingReason.FAILING
    assert max(warnings) == 2
    assert warnings == sorted(warnings)


async def test_a_test_delivery_is_sent_to_a_disabled_endpoint_and_judged_by_nobody() -> None:
    async with endpoint(410) as (url, seen), dispatching() as running:
        to = subscription(url)
        running.configure(to)
        running.deliver(delivery(to, is_test=True), delivery(to, is_test=True))
        await until(lambda: running.committed() == 2)
        assert running.judgements() == []
    assert len(seen) == 2


async def test_a_new_process_repeats_only_what_was_open() -> None:
    release = asyncio.Event()
    async with endpoint(when(release, 200), 200) as (url, seen), dispatching() as running:
        to = subscription(url)
        running.configure(to)
        running.deliver(*(delivery(to) for _ in range(20)))
        await until(lambda: len(running.attempts()) == 19)
        await until(lambda: len(running.done_beyond()) == 19)
        running.reader.lose()  # as after a kill: nothing more is committed
        running.reader.start()
        await seen.wait_for(21)
        release.set()
        await until(lambda: running.committed() == 20)
    repeated = [name for name, count in Counter(each.headers["webhook-id"] for each in seen).items() if count > 1]
    assert repeated == [seen[0].headers["webhook-id"]]


async def test_what_has_not_started_makes_room_in_a_tight_window() -> None:
    settings = short_settings("memory", "t.", commit_interval_ms=10, window_records_max=20)
    async with endpoint(hang) as (bad, _), endpoint(200) as (good, seen), dispatching(settings) as running:
        stuck, healthy = subscription(bad), subscription(good)
        running.configure(stuck, healthy)
        running.deliver(*(delivery(stuck) for _ in range(10)), *(delivery(healthy) for _ in range(17)))
        await seen.wait_for(17 - 9)  # as many as the window lets in behind the two that hang
        await until(lambda: len(running.parked()) > 0)


async def test_a_paused_subscription_holds_its_deliveries_and_nobody_elses() -> None:
    async with endpoint(200) as (url, seen), dispatching(SETTINGS) as running:
        paused, active = subscription(url, status=SubscriptionStatus.PAUSED), subscription(url)
        running.configure(paused, active)
        running.deliver(*(delivery(each) for _ in range(20) for each in (paused, active)))
        await until(lambda: running.committed() == 40)
        assert (len(seen), len(running.parked())) == (20, 20)
    assert {each.error for each in running.attempts() if each.outcome is Outcome.POSTPONED} == {"paused"}


@pytest.mark.parametrize("bytes_each", [64 * 1024])
async def test_large_bodies_for_a_slow_endpoint_leave_memory_to_others(bytes_each: int) -> None:
    settings = short_settings("memory", "t.", commit_interval_ms=10, window_bytes_max=4 * 1024 * 1024)
    async with endpoint(hang) as (bad, _), endpoint(200) as (good, seen), dispatching(settings) as running:
        stuck, healthy = subscription(bad), subscription(good)
        running.configure(stuck, healthy)
        running.deliver(*(delivery(stuck, b"x" * bytes_each) for _ in range(60)))
        running.deliver(*(delivery(healthy) for _ in range(50)))
        await seen.wait_for(50)
