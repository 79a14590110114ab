"""The table of known tricks to reach what must not be called (tests/cases/ssrf.tsv)."""

import ast
import csv
import re
from collections.abc import Sequence
from typing import NamedTuple

from fakes.documents import ROOT

_TABLE = ROOT / "tests" / "cases" / "ssrf.tsv"


class Case(NamedTuple):
    """One line: its id, what is asked for, what the name resolves to, and the verdict."""

    name: str
    written: str
    resolved: str
    expected: str


def cases(*kinds: str) -> Sequence[Case]:
    """The cases of these kinds."""
    return [
        Case(row["id"], _written(row["input"]), row["resolves_to"], row["expected"])
        for row in _rows()
        if row["kind"] in kinds
    ]


def kinds() -> Sequence[str]:
    """The kind of each case."""
    return [row["kind"] for row in _rows()]


def _rows() -> Sequence[dict[str, str]]:
    with _TABLE.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))


def _written(text: str) -> str:
    """The table writes what can't be seen as in Python, and nothing else with a backslash but URLs that have one."""
    return re.sub(r"\\(u[0-9a-f]{4}|x[0-9a-f]{2}|r|n)", lambda found: str(ast.literal_eval(f'"{found[0]}"')), text)
