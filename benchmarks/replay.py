"""How fast a replay reads a log of which it wants nothing, and how fast it writes when nothing slows it down. `make replay`.

The replay process and the broker run, and what commits in the place of dispatchers; all events are as the contract's sample.
"""

import argparse
import asyncio
import tempfile
import time
from pathlib import Path

from load import broker

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
    job_for,
    publish,
    replayer,
    until_job,
    until_over,
)
from fakes.road import sample
from hookline.runtime.settings import Settings
from hookline.schemas.records import Event, Job, JobState, Subscription

_UNCAPPED = 1_000_000


async def timed(running: Replayer, settings: Settings, job: Job) -> tuple[Job, float, float]:
    """The job's end, how long it took from its first record on, and the process's CPU seconds."""
    before_s = await running.metric("process_cpu_seconds_total")
    ask(settings, job)
    await until_job(settings, job, lambda each: each.state is not JobState.WAITING)
    began_s = time.monotonic()
    ended = await until_over(settings, job, timeout_s=600)
    took_s = time.monotonic() - began_s
    return ended, took_s, await running.metric("process_cpu_seconds_total") - before_s


async def measure(settings: Settings, asked: argparse.Namespace) -> None:
    """Print the two figures."""
    make_topics(settings.bootstrap_servers, settings.topics())
    to, other = subscription("http://127.0.0.1:1/", "order.*"), "acct_other"
    configure(settings, to)
    fill(settings, asked.events, other)
    fill(settings, asked.deliveries, to.account_id)
    commit_all(settings)
    async with replayer(settings) as running, dispatchers_that_keep_up(settings):
        unwanted = job_for(nobody(settings), rate=_UNCAPPED)
        ended, took_s, cpu_s = await timed(running, settings, unwanted)
        print(f"read {ended.looked_at:,} events, none wanted: {_figures(ended.looked_at, took_s, cpu_s)}")
        for name, everything in (("states asked for", False), ("everything", True)):
            job = job_for(to, rate=_UNCAPPED, everything=everything)
            ended, took_s, cpu_s = await timed(running, settings, job)
            print(f"wrote {ended.sent:,} of {ended.looked_at:,} ({name}): {_figures(ended.sent, took_s, cpu_s)}")


def _figures(count: int, took_s: float, cpu_s: float) -> str:
    return f"{count / took_s:,.0f} a second, {cpu_s / count * 1e6:.1f} us of CPU each"


def nobody(settings: Settings) -> Subscription:
    """A subscription of an account to which nothing happens."""
    made = subscription("http://127.0.0.1:1/", "order.*", account_id="acct_nobody")
    configure(settings, made)
    return made


def fill(settings: Settings, count: int, account_id: str) -> None:
    def made() -> Event:
        return sample("order.created", account_id=account_id)

    for _ in range(0, count, 10_000):
        publish(settings, (made() for _ in range(10_000)), at_ms=NOW_MS - HOUR_MS)


def main() -> None:
    """Measure as the command line asks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=400_000, help="of an account that asks for nothing")
    parser.add_argument("--deliveries", type=int, default=50_000, help="that are written")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, broker(Path(folder)) as bootstrap:
        settings = short_settings(bootstrap, "bench.", data_dir=Path(folder) / "data")
        asyncio.run(measure(settings, asked))


if __name__ == "__main__":
    main()
