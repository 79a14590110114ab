"""What was asked of a chaos run on the command line (`tests/conftest.py`)."""

from dataclasses import dataclass
from pathlib import Path

from fakes.chaos_table import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """`rate_per_s` None: what the run's size has. `table` is the file that verdicts are added to."""

    is_full: bool
    seed: int
    rate_per_s: int | None
    dispatchers: int
    fanouts: int
    table: Path | None

    def keep(self, table: Table) -> None:
        """Print a verdict, and add it to the file that was asked for."""
        print(f"\n{table.text()}")
        if self.table is not None:
            with self.table.open("a", encoding="utf-8") as file:
                file.write(f"{table.text()}\n\n")
