"""A bad link between the road and its broker, under load: late while it lasts, and nothing lost."""

from functools import partial
from pathlib import Path

import pytest

from fakes.chaos_asked import Asked
from fakes.chaos_kafka import Spoiled, spoil
from fakes.chaos_run import Run, run_on
from fakes.chaos_scene import Site
from fakes.cluster import broker_behind
from fakes.toxiproxy import built, toxiproxy
from hookline.runtime.broker_node import HOST, free_port

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(900)]
RATE = 200  # what connections of 100 kB/s can carry
PROCESSES = ("api", "fanout", "dispatcher-1", "dispatcher-2", "history")
BOTH = ("upstream", "downstream")
SPOILED = (
    Spoiled("latency of 200 ms +- 50", "latency", ("downstream",), {"latency": 200, "jitter": 50}),
    Spoiled("10 resets", "reset_peer", ("downstream",), {"timeout": 0}, lasts_s=0.3, times=10, between_s=2.0),
    Spoiled("100 kB/s a connection", "bandwidth", BOTH, {"rate": 100}, lasts_s=25.0),
    Spoiled("nothing comes through", "timeout", BOTH, {"timeout": 0}, is_cut=True),
)


async def test_a_bad_link_to_the_broker_loses_nothing(asked: Asked, tmp_path: Path, cache_dir: Path) -> None:
    program, port = built(cache_dir), free_port(str(tmp_path))
    async with (
        broker_behind(port, tmp_path / "kafka", cache_dir) as door,
        toxiproxy(program, listen=port, upstream=door.port) as link,
    ):
        site = Site(bootstrap_servers=door.bootstrap_servers, road_servers=f"{HOST}:{port}")
        run = Run(
            title=f"a bad link to the broker: seed {asked.seed}",
            seed=asked.seed,
            rate_per_s=asked.rate_per_s or RATE,
            processes=PROCESSES,
            happenings=[partial(spoil, link=link, how=each) for each in SPOILED],
        )
        table = await run_on(site, run, folder=tmp_path, say=print)
    asked.keep(table)
    assert not table.is_void()
    assert not table.broken()
