"""One node under load, and everything on it that can be killed, stopped, frozen or closed: nothing is lost."""

from pathlib import Path

import pytest

from fakes.chaos_asked import Asked
from fakes.chaos_plan import full_plan, short_plan
from fakes.chaos_run import run_chaos

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(1_800)]
RATE = 1_000


async def test_whatever_is_killed_every_event_is_delivered(asked: Asked, tmp_path: Path, cache_dir: Path) -> None:
    counts = {"dispatchers": asked.dispatchers, "fanouts": asked.fanouts}
    if asked.is_full:
        plan = full_plan(asked.seed, rate_per_s=asked.rate_per_s or RATE, **counts)
    else:
        plan = short_plan(asked.seed, rate_per_s=asked.rate_per_s, **counts)
    table = await run_chaos(plan, folder=tmp_path, cache_dir=cache_dir, say=print)
    asked.keep(table)
    assert not table.is_void()
    assert not table.broken()
