"""Budgets, caps, rate limits and postponing under every interleaving (tests/fakes/isolation_machine.py)."""

from fakes.isolation_machine import Isolated
from fakes.machines import stateful

TestIsolation = stateful(Isolated)
