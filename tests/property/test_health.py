"""Breakers, warnings and disabling under every row of results (tests/fakes/health_machine.py)."""

from fakes.health_machine import EndpointHealth
from fakes.machines import stateful

TestHealth = stateful(EndpointHealth)
