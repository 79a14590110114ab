"""Every interleaving that hypothesis thinks of; what must hold is in the machines (tests/fakes/*_machine.py)."""

import pytest

from fakes.health_machine import EndpointHealth
from fakes.isolation_machine import Isolated
from fakes.machines import Machine, run, stateful
from fakes.partition_machine import Partition

TestPartition = stateful(Partition)
TestIsolation = stateful(Isolated)
TestHealth = stateful(EndpointHealth)


@pytest.mark.parametrize("kind", [Partition, Isolated, EndpointHealth])
def test_long_runs_that_are_always_the_same(kind: type[Machine]) -> None:
    assert sum(run(kind, seed=seed, steps=400) for seed in range(30)) > 1_000
