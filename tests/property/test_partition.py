"""One partition's windows, offsets and repeats under every interleaving (tests/fakes/partition_machine.py)."""

from fakes.machines import stateful
from fakes.partition_machine import Partition

TestPartition = stateful(Partition)
