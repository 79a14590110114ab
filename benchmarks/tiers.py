"""How late the 1 s tier is: what was written to its topic at 1,000 a second, from the broker's append time to the request's start.

Only the dispatcher, the broker, a writer and a receiver run. `make tiers`.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from load import Receiver, Verdicts, broker, configure, fresh, helper, line_of, machine_s, percentile, receiving, tell

from fakes.configuration import short_settings, subscription
from fakes.kafka import read
from fakes.road import CODEC, road
from hookline.runtime.settings import Settings
from hookline.schemas.records import Attempt, Subscription
from hookline.schemas.tiers import tier_name
from hookline.schemas.topics import RETRY_TIERS_MS

TIER_MS, LATE_P99_MAX_MS, HELD_MIN = RETRY_TIERS_MS[0], 100, 0.95
_ENDPOINTS, _WARM_S = 100, 3


async def measure(
    settings: Settings, folder: Path, asked: argparse.Namespace
) -> tuple[Mapping[str, int], list[Attempt]]:
    """The append time of each delivery, and all attempts that were made."""
    async with AsyncExitStack() as stack:
        receiver = await stack.enter_async_context(receiving(_ENDPOINTS))
        running = await stack.enter_async_context(road(settings, folder, roles=("dispatcher",)))
        to = [subscription(f"{receiver.at(f'127.0.1.{number + 1}')}{number}") for number in range(_ENDPOINTS)]
        configure(running.settings, *to)
        topics = running.settings.topics()
        writer = await stack.enter_async_context(
            helper("tier_writer.py", settings.bootstrap_servers, topics.retry(TIER_MS))
        )
        await written(writer, receiver, to, rate=asked.rate, count=asked.rate * _WARM_S)
        before = machine_s()
        appended = await written(writer, receiver, to, rate=asked.rate, count=asked.rate * asked.seconds)
        busy_s, had_s = (now - then for now, then in zip(machine_s(), before, strict=True))
        print(f"machine busy {busy_s / had_s:.0%}")
        return appended, await on_record(running.settings, appended)


async def written(
    writer: asyncio.subprocess.Process, receiver: Receiver, to: Sequence[Subscription], *, rate: int, count: int
) -> Mapping[str, int]:
    """Have so many written, and wait until all came."""
    await receiver.stats("?reset")
    names = [(each.subscription_id, each.account_id) for each in to]
    await tell(writer, {"rate": rate, "count": count, "subscriptions": names})
    appended = taken(Path((await line_of(writer)).strip()))
    await receiver.received(appended, within_s=60)
    return appended


def taken(file: Path) -> Mapping[str, int]:
    """What the file says, and no file left."""
    found: dict[str, int] = json.loads(file.read_text())
    file.unlink()
    return found


async def on_record(settings: Settings, appended: Mapping[str, int]) -> list[Attempt]:
    """The attempts of these deliveries, once all have one, or after half a minute."""
    until_s = time.monotonic() + 30
    while True:
        records = await asyncio.to_thread(read, settings.bootstrap_servers, settings.topics().attempts)
        made = [CODEC.decode(record.value, Attempt) for record in records]
        ours = [each for each in made if each.delivery_id in appended]
        if len({each.delivery_id for each in ours}) == len(appended) or time.monotonic() > until_s:
            return ours
        await asyncio.sleep(1)


def judged(appended: Mapping[str, int], attempts: Sequence[Attempt], rate: int) -> tuple[Verdicts, dict[str, float]]:
    late_ms = [float(each.started_at_ms - appended[each.delivery_id] - TIER_MS) for each in attempts]
    starts_ms = [each.started_at_ms for each in attempts]
    figures = {
        "written": len(appended),
        "requests": len(attempts),
        "written_per_s": per_s(list(appended.values())),
        "requests_per_s": per_s(starts_ms),
        "late_least_ms": min(late_ms),
        "late_p50_ms": percentile(late_ms, 50),
        "late_p99_ms": percentile(late_ms, 99),
        "late_most_ms": max(late_ms),
    }
    for name, value in figures.items():
        print(f"  {name.replace('_', ' ')}: {value:,.6g}")
    verdicts = Verdicts()
    missing = len(appended.keys() - {each.delivery_id for each in attempts})
    verdicts.claim("deliveries without an attempt", missing, at_most=0)
    verdicts.claim("share of the rate held", figures["written_per_s"] / rate, at_least=HELD_MIN)
    verdicts.claim(f"the earliest after append time + {tier_name(TIER_MS)}, ms", min(late_ms), at_least=0)
    verdicts.claim("p99 of how late, ms", figures["late_p99_ms"], at_most=LATE_P99_MAX_MS)
    return verdicts, figures


def per_s(times_ms: Sequence[int]) -> float:
    lasted_ms = max(times_ms) - min(times_ms)
    return len(times_ms) / lasted_ms * 1_000 if lasted_ms else float("nan")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=int, default=1_000, help="deliveries written a second")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, broker(Path(folder)) as bootstrap:
        settings = short_settings(bootstrap, "", retry_tiers=RETRY_TIERS_MS, session_timeout_s=10)
        appended, attempts = asyncio.run(measure(fresh(settings), Path(folder), asked))
    verdicts, figures = judged(appended, attempts, asked.rate)
    if asked.json is not None:
        asked.json.write_text(json.dumps(figures, indent=2) + "\n")
    sys.exit(verdicts.status())


if __name__ == "__main__":
    main()
