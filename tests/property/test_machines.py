"""Every interleaving that hypothesis thinks of; what must hold is in the machines (tests/fakes/*_machine.py)."""

import pytest

from fakes.health_machine import EndpointHealth
from fakes.isolation_machine import ENDPOINTS, Isolated
from fakes.machines import Machine, Picks, run, stateful, take
from fakes.partition_machine import Partition
from hookline.core.limits import LANES, LIVE, REPLAYS

TestPartition = stateful(Partition)
TestIsolation = stateful(Isolated)
TestHealth = stateful(EndpointHealth)


@pytest.mark.parametrize("kind", [Partition, Isolated, EndpointHealth])
def test_long_runs_that_are_always_the_same(kind: type[Machine]) -> None:
    assert sum(run(kind, seed=seed, steps=400) for seed in range(30)) > 1_000


def test_many_replays_for_the_slowest_endpoint_are_waited_for() -> None:
    machine = Isolated(Picks(0))
    for lane in LIVE:
        take(machine, "lose", sorted(machine.model.windows).index((lane, 0)))
    take(machine, "limit", len(ENDPOINTS))  # one a second, for the first
    assert machine.limits[ENDPOINTS[0]].rate == 1
    for _ in range(40):
        assert take(machine, "offer", len(ENDPOINTS) * LANES.index(REPLAYS))
    machine.settle()
    assert machine.model.now_ms > 300_000
