"""Three nodes under load, one killed at a time: the road goes on with two, and loses nothing."""

from functools import partial
from pathlib import Path

import pytest

from fakes.chaos_asked import Asked
from fakes.chaos_kafka import kill_node
from fakes.chaos_run import Run, run_on
from fakes.chaos_scene import Site
from fakes.cluster import NODES, REPLICAS, cluster

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(900)]
RATE = 300
# The default: a session that outlasts the choice of a new coordinator. With 6 s it is over meanwhile, and Kafka's client may
# then fence itself; its process ends and is started again, but that takes seconds.
CHANGES = {"session_timeout_s": 10}
PROCESSES = ("api", "fanout", "dispatcher-1", "dispatcher-2", "history")


async def test_a_node_that_is_killed_delays_deliveries_and_loses_none(
    asked: Asked, tmp_path: Path, cache_dir: Path
) -> None:
    async with cluster(tmp_path / "cluster", cache_dir) as kafka:
        site = Site(bootstrap_servers=kafka.bootstrap_servers, road_servers=kafka.bootstrap_servers, replicas=REPLICAS)
        run = Run(
            title=f"three nodes, {REPLICAS} copies: seed {asked.seed}",
            seed=asked.seed,
            rate_per_s=asked.rate_per_s or RATE,
            processes=PROCESSES,
            changes=CHANGES,
            happenings=[partial(kill_node, kafka=kafka, node_id=each) for each in NODES],
        )
        table = await run_on(site, run, folder=tmp_path, say=print)
    asked.keep(table)
    assert not table.is_void()
    assert not table.broken()
