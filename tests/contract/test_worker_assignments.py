"""What a worker hands to whoever has its partitions next, and what it leaves to them."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from fakes.configuration import delivery, short_settings, subscription
from fakes.dispatching import SETTINGS, Dispatching, dispatching, until
from fakes.dns import Names, name_server
from fakes.endpoint import after, endpoint, when
from hookline.runtime.metrics import Metrics
from hookline.runtime.settings import Settings
from hookline.schemas.records import Outcome, Subscription

NAME = "hook.test"


@asynccontextmanager
async def looking_up(url: str, settings: Settings = SETTINGS) -> AsyncIterator[tuple[Dispatching, Names, Subscription]]:
    """A worker that has to ask a name server for this endpoint of 127.0.0.1 before it has a connection."""
    async with (
        name_server({NAME: ["127.0.0.1"]}) as names,
        dispatching(replace(settings, dns_servers=names.address)) as running,
    ):
        to = subscription(url.replace("127.0.0.1", NAME))
        running.configure(to)
        yield running, names, to


def open_bytes(metrics: Metrics) -> dict[str, float]:
    (shown,) = metrics.open_bytes.collect()
    return {sample.labels["lane"]: sample.value for sample in shown.samples}


async def test_what_was_done_beyond_an_open_record_is_not_sent_again_by_who_comes_next() -> None:
    release = asyncio.Event()
    async with endpoint(when(release), 200) as (url, seen), dispatching() as running:
        to = subscription(url)
        running.configure(to)
        running.deliver(*(delivery(to) for _ in range(10)))
        await until(lambda: len(running.done_beyond()) == 9)
        running.reader.lose()
        running.reader.start()
        await seen.wait_for(11)  # the first once more
        release.set()
        await until(lambda: running.committed() == 10)
    assert len(seen) == 11


async def test_a_stop_commits_nothing_of_what_was_lost_meanwhile() -> None:
    settings = short_settings("memory", "t.", commit_interval_ms=60_000)
    async with endpoint(200, after(0.2, 200)) as (url, seen), dispatching(settings) as running:
        to = subscription(url)
        running.configure(to)
        running.deliver(delivery(to))
        await until(lambda: len(running.attempts()) == 1)
        running.deliver(delivery(to))
        await seen.wait_for(2)
        stopping = asyncio.create_task(running.reader.stop())
        await asyncio.sleep(0)
        running.reader.lose()
        await stopping
        await until(lambda: len(running.attempts()) == 2)
    assert running.committed() == 0


async def test_a_late_result_gives_back_no_bytes_that_were_given_back_before() -> None:
    async with endpoint(after(0.1, 200)) as (url, seen), dispatching() as running:
        to = subscription(url)
        running.configure(to)
        running.deliver(delivery(to))
        await seen.wait_for(1)
        running.reader.lose()
        await until(lambda: len(running.attempts()) == 1)
        assert open_bytes(running.metrics) == {"fresh": 0, "second": 0, "replays": 0}


async def test_what_had_no_connection_when_the_process_was_paused_waits_for_membership_and_then_goes() -> None:
    async with endpoint(200) as (url, seen), looking_up(url) as (running, names, to):
        names.before_answer = lambda: setattr(running.reader, "member", False)
        running.deliver(delivery(to))
        await until(lambda: names.asked[NAME] > 0)
        await asyncio.sleep(0.2)  # long enough to be sent, if it were not held
        assert not len(seen)
        running.reader.member = True
        await until(lambda: running.committed() == 1)
    assert (len(seen), [each.outcome for each in running.attempts()]) == (1, [Outcome.SUCCEEDED])


async def test_what_waits_for_membership_after_a_pause_holds_no_slot_and_counts_against_no_endpoint() -> None:
    async with endpoint(200) as (url, _), looking_up(url) as (running, names, to):
        names.before_answer = lambda: setattr(running.reader, "member", False)
        running.deliver(delivery(to))
        await until(lambda: names.asked[NAME] > 0)
        await until(lambda: running.gauge("hookline_in_flight_requests") == 0)
        assert running.gauge("hookline_waiting_records") == 1
        running.reader.member = True
        await until(lambda: running.committed() == 1)


async def test_what_had_no_connection_when_its_partition_was_lost_is_left_to_who_has_it_next() -> None:
    async with endpoint(200) as (url, seen), looking_up(url) as (running, names, to):
        names.before_answer = running.reader.lose
        running.deliver(delivery(to))
        await until(lambda: names.asked[NAME] > 0)
        await until(lambda: running.gauge("hookline_in_flight_requests") == 0)
    assert (len(seen), running.attempts()) == (0, [])


async def test_what_the_pause_itself_cut_off_before_it_had_a_connection_is_no_failure_and_goes_later() -> None:
    async with (
        endpoint(200) as (url, seen),
        looking_up(url, replace(SETTINGS, request_timeout_s=1, lookup_timeout_s=5)) as (running, names, to),
    ):

        def pause() -> None:
            names.before_answer = _nothing
            running.reader.member = False
            time.sleep(1.5)  # all of the process stands still, for longer than a request may take

        names.before_answer = pause
        running.deliver(delivery(to))
        await until(lambda: not running.reader.member)
        await asyncio.sleep(0.2)  # long enough to be put on record, if it were
        running.reader.member = True
        await until(lambda: running.committed() == 1)
    assert (len(seen), [each.outcome for each in running.attempts()]) == (1, [Outcome.SUCCEEDED])
    assert running.retries() == []


async def test_what_failed_while_the_process_was_paused_is_tried_again_only_by_who_has_its_partition() -> None:
    release = asyncio.Event()
    async with endpoint(when(release, 500)) as (url, seen), dispatching() as running:
        to = subscription(url)
        running.configure(to)
        running.deliver(delivery(to))
        await seen.wait_for(1)
        running.reader.member = False
        release.set()
        await asyncio.sleep(0.2)  # long enough for a retry to be written, if it were
        assert running.retries() == []
        running.reader.lose()
        await until(lambda: len(running.attempts()) == 1)
    assert running.retries() == []


async def test_a_refused_connection_of_who_lost_the_partition_is_left_to_who_has_it_next() -> None:
    async with looking_up("http://127.0.0.1:1/") as (running, names, to):
        names.before_answer = running.reader.lose
        running.deliver(delivery(to))
        await until(lambda: names.asked[NAME] > 0)
        await until(lambda: running.gauge("hookline_in_flight_requests") == 0)
    assert running.attempts() == []


def _nothing() -> None:
    pass
