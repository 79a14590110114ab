"""Joins whose left side is read first, and the right side by an index for each of its rows.

SQLite keeps to the order of a CROSS JOIN, and would choose its own otherwise: by its guesses it walks over all of a table to
save a sort. PostgreSQL is told by its settings (`history_database`).
"""

from typing import Any

from sqlalchemy import ColumnElement, FromClause, Join
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler


class InOrder(Join):
    """`left` joined with `right`, in this order."""

    inherit_cache = True

    def __init__(self, left: FromClause, right: FromClause, on: ColumnElement[bool]) -> None:
        super().__init__(left, right, on)


@compiles(InOrder, "sqlite")
def _cross_join(join: InOrder, compiler: SQLCompiler, **given: Any) -> str:
    sides = [compiler.process(each, **{**given, "asfrom": True}) for each in (join.left, join.right)]
    condition: Any = join.onclause
    on = compiler.process(condition, **{name: each for name, each in given.items() if name != "asfrom"})
    return f"{sides[0]} CROSS JOIN {sides[1]} ON {on}"
