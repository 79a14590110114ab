"""The page of invariants names tests that are there, and every check of the machines."""

import re

from fakes.documents import ROOT

PAGE = (ROOT / "docs" / "reference" / "invariants.md").read_text(encoding="utf-8")
MACHINES = (
    "partition_machine",
    "partition_model",
    "isolation_machine",
    "isolation_model",
    "health_machine",
    "dispatch_world",
    "watched_broker",
)


def test_every_check_that_the_page_names_is_there() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)
    missing = [
        f"{path}::{name}" for path, name in named if f"def {name}(" not in (ROOT / path).read_text(encoding="utf-8")
    ]
    assert (len(named) > 30, missing) == (True, [])


def test_the_page_names_every_check_of_the_machines() -> None:
    checks = {
        name
        for machine in MACHINES
        for name in re.findall(
            r"    def (check_\w+)\(", (ROOT / "tests" / "fakes" / f"{machine}.py").read_text(encoding="utf-8")
        )
    }
    model = (ROOT / "tests" / "fakes" / "partition_model.py").read_text(encoding="utf-8")
    checks |= set(re.findall(r"^def (\w+)\(here", model, re.MULTILINE))
    assert {name for name in checks if f"::{name}`" not in PAGE} == {"check_what_the_broker_saw"}  # all of its rows
