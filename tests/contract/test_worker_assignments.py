"""What a worker hands to whoever has its partitions next, and what it leaves to them."""

import asyncio

from fakes.configuration import delivery, short_settings, subscription
from fakes.dispatching import dispatching, until
from fakes.endpoint import after, endpoint, when
from hookline.runtime.metrics import Metrics


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
