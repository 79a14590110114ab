"""What the real worker and sender do, whatever happens to writes and partitions."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from aiohttp import web

from fakes.configuration import delivery, short_settings, subscription
from fakes.dispatching import CODEC, SETTINGS, TOPICS, dispatching, until
from fakes.endpoint import after, endpoint
from hookline.runtime.log import KafkaRecord
from hookline.runtime.metrics import reading
from hookline.schemas.records import Outcome, SubscriptionStatus


async def test_a_failed_write_is_written_again_and_the_request_not_sent_again() -> None:
    async with endpoint(500) as (url, seen), dispatching() as running:
        to = subscription(url)
        running.configure(to)
        running.failures.left = Counter({TOPICS.retry(SETTINGS.retry_tiers[0]): 2, TOPICS.attempts: 2})
        running.deliver(delivery(to))
        await until(lambda: running.committed() == 1)
        (attempt,), (retry,) = running.attempts(), running.retries()
    assert len(seen) == 1
    assert (attempt.outcome, attempt.attempt, retry.attempt) == (Outcome.FAILED, 1, 2)


async def test_what_no_tier_takes_for_its_size_ends_on_record_and_is_counted() -> None:
    limits = {TOPICS.postponed(tier_ms): 2_000 for tier_ms in TOPICS.postponed_tiers_ms}
    async with dispatching(bytes_max=limits) as running:
        to = replace(subscription("http://127.0.0.1:1/"), status=SubscriptionStatus.PAUSED)
        running.configure(to)
        running.deliver(delivery(to, body=b'"' + b"x" * 3_000 + b'"'))
        await until(lambda: running.committed() == 1)
        (attempt,) = running.attempts()
        registry = running.metrics.registry
    assert (attempt.outcome, attempt.error) == (Outcome.CANCELLED, "too_large")
    counted = [
        reading(registry, "hookline_not_attempted_total", {"outcome": each}) for each in ("too_large", "postponed")
    ]
    assert counted == [1, 0]


async def test_the_retry_is_written_before_the_attempt_and_the_commit_comes_last() -> None:
    async with endpoint(500) as (url, seen), dispatching() as running:
        to = subscription(url)
        running.configure(to)
        running.failures.left = Counter({TOPICS.attempts: 3})
        running.deliver(delivery(to))
        await until(lambda: running.failures.left[TOPICS.attempts] < 3)
        assert running.committed() == 0
        await until(lambda: running.committed() == 1)
    assert len(seen) == 1
    assert running.failures.asked == [TOPICS.retry(SETTINGS.retry_tiers[0])] + [TOPICS.attempts] * 4


async def test_the_commit_never_passes_open_work() -> None:
    release = asyncio.Event()

    async def first_waits(_request: object) -> web.Response:
        await release.wait()
        return web.Response()

    async with endpoint(first_waits, 200) as (url, seen), dispatching() as running:
        to = subscription(url)
        running.configure(to)
        running.deliver(*(delivery(to) for _ in range(10)))
        await until(lambda: len(running.attempts()) == 9)
        await asyncio.sleep(5 * SETTINGS.commit_interval_ms / 1_000)  # several chances to commit wrongly
        assert running.committed() == 0
        release.set()
        await until(lambda: running.committed() == 10)
    assert len(seen) == 10


async def test_a_delivery_waits_for_a_view_that_is_held_back() -> None:
    async with endpoint(200) as (url, seen), dispatching() as running:
        to = subscription(url)
        running.deliver(delivery(to, config_offset=1))
        await asyncio.sleep(0.1)  # long enough to be cancelled, if it were not held
        assert (len(seen), running.attempts()) == (0, [])
        running.configure(to)
        await seen.wait_for(1)
        await until(lambda: running.committed() == 1)


async def test_a_late_result_is_on_record_but_neither_retried_nor_committed() -> None:
    async with endpoint(after(0.1, 500)) as (url, seen), dispatching() as running:
        to = subscription(url)
        running.configure(to)
        running.deliver(delivery(to))
        await seen.wait_for(1)
        running.reader.lose()
        await until(lambda: len(running.attempts()) == 1)
        (attempt,) = running.attempts()
    assert running.retries() == []
    assert running.committed() == 0
    assert attempt.outcome is Outcome.FAILED
    assert attempt.next_attempt_at_ms is not None  # the process that has the partition now makes this attempt again


async def test_nobody_but_a_member_sends() -> None:
    async with endpoint(200) as (url, seen), dispatching() as running:
        to = subscription(url)
        running.configure(to)
        running.reader.member = False
        running.deliver(delivery(to))
        await asyncio.sleep(0.1)  # long enough to be sent, if it were not held
        assert not len(seen)
        running.reader.member = True
        await seen.wait_for(1)


async def test_a_stop_finishes_what_is_in_flight_and_repeats_nothing() -> None:
    async with endpoint(after(0.1, 200)) as (url, seen), dispatching() as running:
        to = subscription(url)
        running.configure(to)
        running.deliver(*(delivery(to) for _ in range(5)))
        await seen.wait_for(5)
        await running.reader.stop()
        assert running.committed() == 5
        running.reader.start()
        running.deliver(delivery(to))
        await seen.wait_for(6)
        await until(lambda: running.committed() == 6)
    assert len(seen) == 6


async def test_a_full_window_pauses_its_partition_and_goes_on() -> None:
    settings = short_settings("memory", "t.", commit_interval_ms=10, window_records_max=3)
    async with endpoint(200) as (url, seen), dispatching(settings) as running:
        to = subscription(url)
        running.configure(to)
        running.deliver(*(delivery(to) for _ in range(50)))
        await until(lambda: running.committed() == 50)
    assert len(seen) == 50


async def test_more_bytes_than_the_window_holds_are_taken_a_part_at_a_time() -> None:
    settings = short_settings("memory", "t.", commit_interval_ms=10, window_bytes_max=2 * 1024 * 1024)
    async with endpoint(200) as (url, seen), dispatching(settings) as running:
        to = subscription(url)
        running.configure(to)
        running.deliver(*(delivery(to, b"x" * 256 * 1024) for _ in range(40)))
        await until(lambda: running.committed() == 40)
    assert len(seen) == 40


@pytest.mark.parametrize("url", ["http://[::1]x/", "http://", "nonsense", "http://127.0.0.1:99999/", "http://[/"])
async def test_a_url_that_none_can_call_is_a_failed_attempt_and_no_crash(url: str) -> None:
    async with dispatching() as running:
        to = subscription(url)
        running.configure(to)
        running.deliver(delivery(to))
        await until(lambda: running.committed() == 1)
        (attempt,) = running.attempts()
    assert (attempt.outcome, attempt.error) == (Outcome.FAILED, "address")


async def test_a_secret_that_does_not_open_is_a_failed_attempt_and_no_crash() -> None:
    async with endpoint(200) as (url, seen), dispatching() as running:
        to = subscription(url)
        running.configure(replace(to, secret=replace(to.secret, key_id="lost")))
        running.deliver(delivery(to))
        await until(lambda: running.committed() == 1)
        (attempt,) = running.attempts()
    assert not len(seen)
    assert (attempt.outcome, attempt.error) == (Outcome.FAILED, "secret")


async def test_a_window_full_of_unreadable_records_is_no_dead_end() -> None:
    settings = short_settings("memory", "t.", commit_interval_ms=10, window_records_max=3)
    async with endpoint(200) as (url, seen), dispatching(settings) as running:
        to = subscription(url)
        running.configure(to)
        for _ in range(20):
            running.broker.append(TOPICS.deliveries, b"k", b"nonsense")
        running.deliver(delivery(to))
        await seen.wait_for(1)
        await until(lambda: running.committed() == 21)
    assert len(running.broker.records(TOPICS.dead_letters)) == 20


async def test_slots_of_a_lost_partition_are_given_to_others() -> None:
    settings = short_settings("memory", "t.", commit_interval_ms=10, in_flight_max=4, endpoint_in_flight_max=100)
    async with endpoint(after(0.2, 200)) as (url, seen), dispatching(settings) as running:
        to = subscription(url)
        running.configure(to)
        running.deliver(*(delivery(to) for _ in range(3)))  # all of the lane's share
        await seen.wait_for(3)
        running.reader.lose()
        running.reader.start()  # the partition comes back at once; its records wait for slots
        await until(lambda: running.committed() == 3)


async def test_bytes_held_by_a_lost_partition_are_free_again() -> None:
    settings = short_settings("memory", "t.", commit_interval_ms=10, window_bytes_max=2 * 1024 * 1024)
    async with endpoint(after(0.2, 200)) as (url, seen), dispatching(settings) as running:
        to = subscription(url)
        running.configure(to)
        running.deliver(*(delivery(to, b"x" * 256 * 1024) for _ in range(20)))
        await seen.wait_for(1)
        running.reader.lose()
        running.reader.start()
        await until(lambda: running.committed() == 20)


@asynccontextmanager
async def raw_endpoint(answer: bytes, *, endless: bool) -> AsyncIterator[str]:
    """A server that writes these bytes to whoever connects, once or without end."""

    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            writer.write(answer)
            while endless:
                await writer.drain()
                writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


async def test_an_endless_row_of_interim_answers_ends_at_once_and_holds_up_nobody() -> None:
    interim = b"HTTP/1.1 100 Continue\r\n\r\n" * 100
    async with endpoint(200) as (url, seen), raw_endpoint(interim, endless=True) as hostile, dispatching() as running:
        bad, good = subscription(hostile), subscription(url)
        running.configure(bad, good)
        running.deliver(*(delivery(bad) for _ in range(4)), delivery(good))
        await seen.wait_for(1)
        await until(lambda: running.committed() == 5)
        failed = [each for each in running.attempts() if each.outcome is Outcome.FAILED]
    assert len(failed) == 4
    assert max(each.duration_ms for each in failed) < 4_000


async def test_a_few_interim_answers_are_no_hindrance() -> None:
    answer = b"HTTP/1.1 103 Early Hints\r\n\r\n" * 3 + b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
    async with raw_endpoint(answer, endless=False) as url, dispatching() as running:
        to = subscription(url)
        running.configure(to)
        running.deliver(delivery(to))
        await until(lambda: running.committed() == 1)
        (attempt,) = running.attempts()
    assert attempt.response_code == 200


async def test_numbers_that_no_delivery_has_are_buried() -> None:
    async with endpoint(200) as (url, seen), dispatching() as running:
        to = subscription(url)
        running.configure(to)
        running.deliver(replace(delivery(to), attempt=-100), replace(delivery(to), postponed=-50), delivery(to))
        await until(lambda: running.committed() == 3)
    assert len(seen) == 1
    assert len(running.broker.records(TOPICS.dead_letters)) == 2


async def test_a_change_that_bears_the_same_version_is_heeded() -> None:
    async with endpoint(200) as (url, seen), dispatching() as running:
        to = subscription(f"{url}/old")
        running.configure(to)
        running.deliver(delivery(to))
        await seen.wait_for(1)
        running.configure(replace(to, url=f"{url}/new"))
        running.deliver(delivery(to))
        requests = await seen.wait_for(2)
    assert [request.path for request in requests] == ["/old", "/new"]


async def test_a_subscription_of_a_newer_release_is_waited_for_and_not_cancelled() -> None:
    async with endpoint(200) as (url, seen), dispatching() as running:
        to = subscription(url)
        running.view.received(
            [KafkaRecord(TOPICS.subscriptions, 0, 0, 0, to.subscription_id.encode(), b"\xc3\x01" + bytes(8) + b"newer")]
        )
        running.deliver(delivery(to, config_offset=1))
        await until(lambda: running.committed() == 1)
        (attempt,) = running.attempts()
    assert attempt.outcome is Outcome.POSTPONED
    assert not len(seen)


async def test_what_waited_for_a_deleted_subscription_does_not_go_to_one_made_anew_with_its_id() -> None:
    async with endpoint(200) as (url, seen), dispatching() as running:
        before, again = subscription(f"{url}/before"), subscription(f"{url}/again")
        again = replace(again, subscription_id=before.subscription_id, secret=before.secret)
        running.configure(before)
        old = delivery(before, config_offset=running.view.applied)
        running.forget(before)
        running.view.received(
            [
                KafkaRecord(
                    TOPICS.subscriptions,
                    0,
                    running.view.applied,
                    0,
                    again.subscription_id.encode(),
                    CODEC.encode(again),
                )
            ]
        )
        running.deliver(old, delivery(again, config_offset=running.view.applied))
        await until(lambda: running.committed() == 2)
        outcomes = {each.delivery_id: each.outcome for each in running.attempts()}
    assert outcomes.pop(old.delivery_id) is Outcome.CANCELLED
    assert list(outcomes.values()) == [Outcome.SUCCEEDED]
    assert [request.path for request in seen] == ["/again"]
