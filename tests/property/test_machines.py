"""Every interleaving that hypothesis thinks of; what must hold is in the machines (tests/fakes/*_machine.py)."""

from fakes.health_machine import EndpointHealth
from fakes.isolation_machine import Isolated
from fakes.machines import stateful
from fakes.partition_machine import Partition

TestPartition = stateful(Partition)
TestIsolation = stateful(Isolated)
TestHealth = stateful(EndpointHealth)
