"""A hundred receivers at a time that misbehave in every way we know, against the real dispatcher as a process."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from itertools import cycle, islice
from pathlib import Path

import pytest

from fakes.configuration import delivery, short_settings, subscription
from fakes.endpoint import endpoint
from fakes.hostile import ALL, TLS_SLOWLY, Manner, listening, never_answer, reset_at_once
from fakes.kafka import read, write
from fakes.road import CODEC, Road, road
from hookline.runtime.settings import Settings
from hookline.schemas.records import Attempt, Outcome, Subscription

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]
HOSTILE = 100
ROUNDS = 3
GROWTH_MIB_MAX = 50
OVERRUN_MS_MAX = 10_000  # a busy machine is late; without their own limit of 2 or 3 s they would take 30 s
BODY = b'{"event":"user.created","data":"' + b"x" * 16_384 + b'"}'
HANDSHAKES: Sequence[Manner] = (never_answer, TLS_SLOWLY, reset_at_once)


@dataclass(slots=True)
class Memory:
    """What a process holds, as the kernel says."""

    pid: int
    before_kib: int = 0
    peak_kib: int = 0
    stopped: asyncio.Event = field(default_factory=asyncio.Event)

    def now_kib(self) -> int:
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))

    async def watch(self) -> None:
        self.before_kib = self.peak_kib = self.now_kib()
        while not self.stopped.is_set():
            self.peak_kib = max(self.peak_kib, self.now_kib())
            await asyncio.sleep(0.02)

    @property
    def growth_mib(self) -> float:
        return (self.peak_kib - self.before_kib) / 1_024


def manners() -> Iterator[tuple[str, Manner]]:
    """Every manner by http, and those of a handshake by https."""
    return islice(cycle([("http", each) for each in ALL] + [("https", each) for each in HANDSHAKES]), HOSTILE)


@pytest.fixture
def settings(bootstrap: str, prefix: str) -> Settings:
    return short_settings(bootstrap, prefix, retry_tiers=(3_600_000,))  # one attempt each


async def test_a_hundred_hostile_receivers_cost_bounded_memory_and_end_in_time(
    settings: Settings, tmp_path: Path
) -> None:
    async with AsyncExitStack() as stack:
        url, _ = await stack.enter_async_context(endpoint(200))
        good, hostile = subscription(url), [await _subscribed(stack, *each) for each in manners()]
        running = await stack.enter_async_context(road(settings, tmp_path, roles=("dispatcher",)))
        await _configure(settings, [good, *hostile])
        await _deliver(running, [good], enough=1)
        memory = Memory(running.roles["dispatcher"].process.pid)
        watching = asyncio.create_task(memory.watch())
        for number in range(ROUNDS):
            await _deliver(running, hostile, enough=1 + HOSTILE * (number + 1))
        attempts = await _deliver(running, [good], enough=2 + HOSTILE * ROUNDS)
        memory.stopped.set()
        await watching
    limits_ms = {each.subscription_id: (each.timeout_s or 0) * 1_000 for each in hostile}
    overruns_ms = _overruns_ms(attempts, limits_ms)
    _report(attempts, memory, overruns_ms)
    assert len(overruns_ms) == HOSTILE * ROUNDS
    assert max(overruns_ms) <= OVERRUN_MS_MAX
    assert memory.growth_mib <= GROWTH_MIB_MAX
    assert (
        sum(each.outcome is Outcome.SUCCEEDED for each in attempts if each.subscription_id == good.subscription_id) == 2
    )


async def _subscribed(stack: AsyncExitStack, scheme: str, manner: Manner) -> Subscription:
    port = await stack.enter_async_context(listening(manner))
    return replace(subscription(f"{scheme}://127.0.0.1:{port}/"), timeout_s=2 + port % 2)


async def _configure(settings: Settings, subscriptions: Sequence[Subscription]) -> None:
    records = [(each.subscription_id.encode(), CODEC.encode(each)) for each in subscriptions]
    await asyncio.to_thread(write, settings.bootstrap_servers, settings.topics().subscriptions, records)


async def _deliver(running: Road, to: Sequence[Subscription], *, enough: int) -> Sequence[Attempt]:
    """One delivery to each, and all attempts so far once there are enough."""
    bootstrap, topics = running.settings.bootstrap_servers, running.settings.topics()
    records = [(each.subscription_id.encode(), CODEC.encode(delivery(each, BODY, config_offset=1))) for each in to]
    await asyncio.to_thread(write, bootstrap, topics.deliveries, records)
    async with asyncio.timeout(60):
        while True:
            lying = await asyncio.to_thread(read, bootstrap, topics.attempts)
            attempts = [CODEC.decode(each.value or b"", Attempt) for each in lying]
            made = [each for each in attempts if each.outcome in {Outcome.SUCCEEDED, Outcome.FAILED}]
            if len(made) >= enough:
                return made
            await asyncio.sleep(0.2)


def _overruns_ms(attempts: Sequence[Attempt], limits_ms: Mapping[str, int]) -> Sequence[int]:
    return [
        each.duration_ms - limits_ms[each.subscription_id] for each in attempts if each.subscription_id in limits_ms
    ]


def _report(attempts: Sequence[Attempt], memory: Memory, overruns_ms: Sequence[int]) -> None:
    errors = sorted({each.error or "none" for each in attempts})
    print(
        f"\n{len(attempts)} attempts, {HOSTILE} hostile receivers at a time, up to {_at_once(attempts)} of them in flight"
        f"\nresident: {memory.before_kib / 1_024:.1f} MiB before, {memory.peak_kib / 1_024:.1f} MiB at most,"
        f" grew by {memory.growth_mib:.1f} MiB (at most {GROWTH_MIB_MAX})"
        f"\nworst attempt: {max(overruns_ms)} ms over its time limit (at most {OVERRUN_MS_MAX})"
        f"\noutcomes: {', '.join(errors)}"
    )


def _at_once(attempts: Sequence[Attempt]) -> int:
    return max(
        sum(other.started_at_ms <= each.started_at_ms < other.started_at_ms + other.duration_ms for other in attempts)
        for each in attempts
    )
