"""How large a chaos run is, and what it is drawn from."""

from collections.abc import Callable
from pathlib import Path
from random import SystemRandom
from typing import Any

import pytest

from fakes.chaos_asked import Asked


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("chaos")
    group.addoption("--full", action="store_true", help="the whole run of about 10 minutes, not the one of 3")
    group.addoption("--seed", type=int, help="draw the same faults as the run that printed it; else new ones")
    group.addoption(
        "--rate", type=int, help="events a second; else 1,000 in a full run, and what is possible in a short"
    )
    group.addoption("--dispatchers", type=int, default=2, help="how many processes of that role")
    group.addoption("--fanouts", type=int, default=1, help="how many processes of that role")
    group.addoption("--table", type=Path, help="add the verdict to this file")


@pytest.fixture
def asked(request: pytest.FixtureRequest) -> Asked:
    """What was asked for; nothing, where the options are not known because this folder was not named."""
    option: Callable[[str, Any], Any] = request.config.getoption
    seed = option("--seed", None)
    return Asked(
        is_full=option("--full", False),
        seed=SystemRandom().randrange(1_000_000) if seed is None else seed,
        rate_per_s=option("--rate", None),
        dispatchers=option("--dispatchers", 2),
        fanouts=option("--fanouts", 1),
        table=option("--table", None),
    )
