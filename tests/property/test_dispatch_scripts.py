"""The rules' invariants once more, on the real worker and forwarder: a right rule that nothing calls is found here."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random

import pytest
from aiohttp import ClientSession
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fakes.dispatch_world import PATHS, World, answer
from fakes.endpoint import Seen, endpoint
from fakes.watched_broker import SETTINGS
from hookline.runtime.outbound_session import open_session

_EXAMPLES, _STEPS_MIN, _STEPS_MAX = 50, 12, 30


@dataclass(slots=True)
class Place:
    """An endpoint and a session that all examples share."""

    runner: asyncio.Runner
    url: str
    seen: Seen
    session: ClientSession

    async def play(self, script: list[tuple[str, int]]) -> None:
        world = World(url=self.url, seen=self.seen, session=self.session)
        for step, number in script:
            await world.take(step, number)
        await world.settle()
        world.check()


@asynccontextmanager
async def place(runner: asyncio.Runner) -> AsyncIterator[Place]:
    async with (
        endpoint(answer) as (url, seen),
        open_session(reach=SETTINGS.reach(), timeout_s=5) as session,
    ):
        yield Place(runner, url, seen, session)


@pytest.fixture(scope="module")
def shared() -> Iterator[Place]:
    with asyncio.Runner() as runner:
        opened = place(runner)
        yield runner.run(opened.__aenter__())
        runner.run(opened.__aexit__(None, None, None))


@pytest.mark.timeout(600)
@pytest.mark.filterwarnings(
    "ignore:coroutine .* was never awaited:RuntimeWarning"
)  # what a kill cuts off had not begun
@settings(
    max_examples=_EXAMPLES,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(
    script=st.lists(
        st.tuples(st.sampled_from(World.STEPS), st.integers(0, 1 << 24)), min_size=_STEPS_MIN, max_size=_STEPS_MAX
    )
)
def test_whatever_happens_every_delivery_ends_on_record_and_none_is_sent_too_often(
    shared: Place, script: list[tuple[str, int]]
) -> None:
    shared.runner.run(shared.play(script))


def test_a_copy_of_what_an_earlier_process_did_is_not_sent(shared: Place) -> None:
    shared.runner.run(
        shared.play([("deliver", 0), ("wait", 3), ("wait", 3), ("wait", 3), ("clean_stop", 0), ("copy", 0)])
    )


def test_two_runs_that_end_in_dead_letters_have_one_each(shared: Place) -> None:
    shared.runner.run(shared.play([("deliver", 2), ("lower_a_limit", 4), ("wait", 3), ("wait", 3), ("resend", 0)]))


def test_what_comes_back_before_its_postponement_is_acknowledged_is_not_lost(shared: Place) -> None:
    late = [("pause", 0), ("hold_up_what_is_postponed_again", 0), ("deliver", 0)]
    shared.runner.run(shared.play([*late, *[("wait", 3)] * 12]))


def test_what_waits_when_a_breaker_opens_goes_with_its_probes(shared: Place) -> None:
    """The third attempts of replays to an endpoint that always fails: each probe lets one go, and then waits for longer."""
    bad = PATHS.index("bad")
    shared.runner.run(shared.play([("deliver", bad), ("wait", 3), *[("replay", 0)] * 7]))


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
def test_so_does_it_in_a_long_run(shared: Place, seed: int) -> None:
    random = Random(seed)  # noqa: S311 - a seed is what makes it replayable
    script = [(random.choice(World.STEPS), random.randrange(1 << 24)) for _ in range(100)]
    shared.runner.run(shared.play(script))
