"""What a mutant is: one wrong line, and the tests that must find it. The old text has to be in its file exactly once."""

from dataclasses import dataclass

UNIT, PROPERTY, CONTRACT = "tests/unit", "tests/property", "tests/contract"
CORE = "src/hookline/core"
PARTITION = f"{PROPERTY}/test_machines.py::test_long_runs_that_are_always_the_same[Partition]"
ISOLATED = f"{PROPERTY}/test_machines.py::test_long_runs_that_are_always_the_same[Isolated]"
HEALTH = f"{PROPERTY}/test_machines.py::test_long_runs_that_are_always_the_same[EndpointHealth]"
LIVES = f"{PROPERTY}/test_dispatch_scripts.py::test_so_does_it_in_a_long_run"
WORKER = f"{CONTRACT}/test_worker.py"
ASSIGNMENTS = f"{CONTRACT}/test_worker_assignments.py"


@dataclass(frozen=True, slots=True)
class Mutant:
    """A patch: `name` says what is wrong then."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


def rule(name: str, file: str, old: str, new: str, *tests: str) -> Mutant:
    return Mutant(name, f"{CORE}/{file}", old, new, tests)


def shell(name: str, file: str, old: str, new: str, *tests: str) -> Mutant:
    return Mutant(name, f"dispatchers/{file}", old, new, tests)
