"""Lookups, on a real name server on this machine."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
import uvloop
from prometheus_client import CollectorRegistry

from fakes.dns import Names, name_server
from hookline.core.address import Reach
from hookline.runtime.metrics import Metrics, reading
from hookline.runtime.outbound_guard import Guard
from hookline.runtime.outbound_resolver import NameServersSilentError, NameUnknownError, Resolver
from hookline.schemas.errors import ConfigError

KNOWN = {
    "good.example.com": ["127.0.0.1", "::1"],
    "other.example.com": ["127.0.0.2"],
    "good.example.org": ["127.0.0.3"],
    "good.silent.test.example.net": ["127.0.0.4"],
    "many.example.com": [f"127.0.1.{number}" for number in range(40)],
}


@dataclass(slots=True)
class Hands:
    """A clock that the test moves."""

    seconds: float = 1_000.0

    def now_ms(self) -> int:
        return round(self.seconds * 1_000)

    def monotonic_s(self) -> float:
        return self.seconds


@dataclass(slots=True)
class Looking:
    resolver: Resolver
    names: Names
    clock: Hands
    registry: CollectorRegistry

    async def addresses(self, host: str) -> Sequence[str]:
        return sorted(each["host"] for each in await self.resolver.resolve(host, 443, socket.AF_UNSPEC))

    def counted(self, outcome: str) -> float:
        return reading(self.registry, "hookline_lookups_total", {"outcome": outcome})


@asynccontextmanager
async def looking(*, timeout_s: float = 5, ttl_s: int = 300) -> AsyncIterator[Looking]:
    registry, clock = CollectorRegistry(), Hands()
    async with name_server(KNOWN, ttl_s=ttl_s) as names:
        resolver = Resolver(
            servers=names.address,
            timeout_s=timeout_s,
            guard=Guard(Reach(loopback=True)),
            clock=clock,
            metrics=Metrics(registry),
        )
        try:
            yield Looking(resolver, names, clock, registry)
        finally:
            await resolver.close()


async def test_a_name_has_its_addresses() -> None:
    async with looking() as at:
        assert await at.addresses("good.example.com") == ["127.0.0.1", "::1"]
        (found,) = await at.resolver.resolve("other.example.com", 8_443, socket.AF_INET)
        assert (found["host"], found["port"], found["family"]) == ("127.0.0.2", 8_443, socket.AF_INET)
        assert at.counted("found") == 2


async def test_a_name_that_does_not_exist_has_none() -> None:
    async with looking() as at:
        with pytest.raises(NameUnknownError):
            await at.addresses("nobody.example.com")
        assert at.counted("unknown") == 1


async def test_this_machine_s_own_names_need_no_server() -> None:
    async with looking() as at:
        assert "127.0.0.1" in await at.addresses("localhost")
        assert not at.names.asked


async def test_a_name_is_never_completed_with_the_machine_s_search_domains() -> None:
    async with looking() as at:
        for host in ("good", "good.example"):
            with pytest.raises(NameUnknownError):
                await at.addresses(host)
        assert await at.addresses("good.example.com.") == ["127.0.0.1", "::1"]
        assert set(at.names.asked) <= {"good", "good.example", "good.example.com"}


async def test_a_name_is_looked_up_once_for_all_who_ask() -> None:
    async with looking() as at:
        found = await asyncio.gather(*(at.addresses("good.example.com") for _ in range(50)))
        assert found == [["127.0.0.1", "::1"]] * 50
        assert at.names.asked["good.example.com"] == 1


async def test_who_stops_waiting_ends_the_lookup_for_nobody_else() -> None:
    async with looking() as at:
        first, second = (asyncio.ensure_future(at.addresses("good.example.com")) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        assert await second == ["127.0.0.1", "::1"]


@pytest.mark.parametrize(("ttl_s", "kept_s"), [(0, 5), (1, 5), (30, 30), (60, 60), (86_400, 60)])
async def test_what_was_found_is_kept_for_its_ttl_within_bounds(ttl_s: int, kept_s: int) -> None:
    async with looking(ttl_s=ttl_s) as at:
        await at.addresses("other.example.com")
        at.clock.seconds += kept_s - 0.01
        at.names.known["other.example.com"] = ["127.0.0.9"]
        assert await at.addresses("other.example.com") == ["127.0.0.2"]
        assert at.names.asked["other.example.com"] == 1
        at.clock.seconds += 0.01
        await at.addresses("other.example.com")
        assert at.counted("found") == 2
        await until_asked_again(at, "other.example.com")
        assert await at.addresses("other.example.com") == ["127.0.0.9"]


async def until_asked_again(at: Looking, host: str) -> None:
    """C-ares forgets within a second of real time what the test's clock says is long past."""
    async with asyncio.timeout(5):
        while at.names.asked[host] < 2:
            await at.addresses(host)
            at.clock.seconds += 60
            await asyncio.sleep(0.1)


async def test_a_failure_is_known_for_a_few_seconds() -> None:
    async with looking() as at:
        for _ in range(10):
            with pytest.raises(NameUnknownError):
                await at.addresses("soon.example.com")
        assert at.names.asked["soon.example.com"] == 1
        at.names.known["soon.example.com"] = ["127.0.0.5"]
        at.clock.seconds += 5
        assert await at.addresses("soon.example.com") == ["127.0.0.5"]


async def test_a_name_with_many_addresses_has_a_few_of_them() -> None:
    async with looking() as at:
        assert len(await at.addresses("many.example.com")) == 8


async def test_fifty_names_that_never_resolve_hold_up_no_other_and_end_in_time() -> None:
    async with looking(timeout_s=4) as at:
        started_s = time.monotonic()
        silent = [asyncio.ensure_future(at.addresses(f"host{number}.d{number}.silent.test")) for number in range(50)]
        async with asyncio.timeout(3):
            while reading(at.registry, "hookline_lookups_in_flight") < 50:
                await asyncio.sleep(0.01)
        asked_s = time.monotonic()
        assert await at.addresses("good.example.com") == ["127.0.0.1", "::1"]
        took_s = time.monotonic() - asked_s
        ended = await asyncio.gather(*silent, return_exceptions=True)
        ended_s = time.monotonic() - started_s
    print(f"a good name among 50 that never resolve: {took_s * 1_000:.1f} ms; the 50 ended after {ended_s:.2f} s")
    assert took_s < 3
    assert {type(each) for each in ended} == {NameServersSilentError}
    assert ended_s < 20


async def test_one_domain_s_names_take_few_of_the_lookups_and_wait_no_longer_than_one_may_take() -> None:
    async with looking(timeout_s=4) as at:
        names = [f"host{number}.silent.test" for number in range(30)]
        started_s = time.monotonic()
        silent = [asyncio.ensure_future(at.addresses(name)) for name in names]
        async with asyncio.timeout(3):
            while len(at.names.asked) < 8:
                await asyncio.sleep(0.01)
        assert await at.addresses("good.example.org") == ["127.0.0.3"]
        ended = await asyncio.gather(*silent, return_exceptions=True)
        assert time.monotonic() - started_s < 20
        assert len(at.names.asked) == 1 + 8
    assert {type(each) for each in ended} == {NameServersSilentError}
    assert at.counted("crowded") == 22


async def test_a_name_server_that_is_not_there_is_silent() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    resolver = Resolver(
        servers=f"127.0.0.1:{port}",
        timeout_s=1,
        guard=Guard(Reach()),
        clock=Hands(),
        metrics=Metrics(CollectorRegistry()),
    )
    with pytest.raises(NameServersSilentError):
        await resolver.resolve("good.example.com", 443)
    await resolver.close()


def test_the_roles_own_event_loop_serves_as_well() -> None:
    async def look_up() -> Sequence[str]:
        async with looking(timeout_s=1) as at:
            with pytest.raises(NameServersSilentError):
                await at.addresses("host.silent.test")
            assert "127.0.0.1" in await at.addresses("localhost")
            return await at.addresses("good.example.com")

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(look_up()) == ["127.0.0.1", "::1"]


async def test_closing_ends_what_is_being_looked_up() -> None:
    async with looking() as at:
        lookup = asyncio.ensure_future(at.addresses("host.silent.test"))
        await asyncio.sleep(0.05)
    with pytest.raises((OSError, asyncio.CancelledError)):
        await lookup


@pytest.mark.parametrize("servers", ["nonsense", "1.2.3.4:99999", "1.2.3.4.5", "\u00fc"])
async def test_servers_that_are_no_addresses_are_refused(servers: str) -> None:
    with pytest.raises(ConfigError, match="HOOKLINE_DNS_SERVERS"):
        Resolver(
            servers=servers, timeout_s=1, guard=Guard(Reach()), clock=Hands(), metrics=Metrics(CollectorRegistry())
        )
