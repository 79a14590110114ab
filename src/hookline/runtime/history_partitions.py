"""PostgreSQL's partitions of the history store: made before rows need them, and dropped as a whole."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import Table, text
from sqlalchemy.ext.asyncio import AsyncConnection

from hookline.runtime.history_database import Database
from hookline.runtime.history_tables import DAY_MS, PARTITIONED
from hookline.schemas.errors import NotYet

_LOCK = 0x70617274  # of PostgreSQL's advisory locks: "part"; who makes or drops partitions does so alone
_MADE_AHEAD = 2  # partitions behind the one of now
_LOCK_WAIT_MS = 500  # questions queue behind a drop that waits for one of them
_LOCK_NOT_AVAILABLE = "55P03"
_THERE = text(
    "SELECT child.relname FROM pg_inherits JOIN pg_class AS child ON child.oid = inhrelid"
    " WHERE inhparent = to_regclass(:parent) ORDER BY child.relname"
)


class Partition(NamedTuple):
    """One partition: its rows' times are from `start_ms` to before `end_ms`."""

    table: Table
    start_ms: int
    end_ms: int

    @property
    def name(self) -> str:
        """Its table's name, with the day that it begins with."""
        return f"{self.table.name}_{datetime.fromtimestamp(self.start_ms / 1_000, UTC):%Y%m%d}"


def partition_of(table: Table, time_ms: int) -> Partition:
    """The partition of a row with this time."""
    _, days = PARTITIONED[table]
    span_ms = days * DAY_MS
    start_ms = time_ms // span_ms * span_ms
    return Partition(table, start_ms, start_ms + span_ms)


class Partitions:
    """Makes partitions, and remembers which are there."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._there: set[Partition] = set()

    async def ensure(self, times_ms: Mapping[Table, Iterable[int]]) -> None:
        """Have the partitions for rows with these times."""
        wanted = {partition_of(table, each) for table, times in times_ms.items() for each in times}
        missing = sorted(wanted - self._there, key=lambda each: each.name)
        if missing:
            async with self._database.writing() as connection:
                await _alone(connection)
                for each in missing:
                    await _make(connection, each)
            self._there.update(missing)

    async def ensure_ahead(self, now_ms: int) -> None:
        """Have the partitions of now and of the time to come."""
        await self.ensure(
            {
                table: [now_ms + ahead * days * DAY_MS for ahead in range(_MADE_AHEAD + 1)]
                for table, (_, days) in PARTITIONED.items()
            }
        )

    def forget(self) -> None:
        """Look anew which partitions are there: another process may have dropped some."""
        self._there.clear()

    async def drop(self, table: Table, before_ms: int) -> Sequence[str]:
        """Drop the table's partitions whose rows are all older; returns their names. One that is in use stays for now."""
        keep_from = partition_of(table, before_ms).name
        there = [row.relname for row in await self._database.rows(_THERE, {"parent": table.name})]
        old = [name for name in there if name < keep_from]
        self._there = {each for each in self._there if each.name not in old}
        return [name for name in old if await self._drop(name)]

    async def _drop(self, name: str) -> bool:
        try:
            async with self._database.writing() as connection:
                await _alone(connection)
                await connection.execute(text(f"SET LOCAL lock_timeout = {_LOCK_WAIT_MS}"))
                await connection.execute(text(f"DROP TABLE IF EXISTS {name}"))
        except NotYet as error:
            if getattr(error.__cause__, "sqlstate", None) != _LOCK_NOT_AVAILABLE:
                raise
            return False
        return True


async def _alone(connection: AsyncConnection) -> None:
    await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})


async def _make(connection: AsyncConnection, partition: Partition) -> None:
    """Attached, and not made as a partition: that would wait for all questions to end, and they for it."""
    table, name = partition.table.name, partition.name
    if (await connection.execute(text("SELECT to_regclass(:name)"), {"name": name})).scalar() is not None:
        return
    await connection.execute(text(f"CREATE TABLE {name} (LIKE {table} INCLUDING ALL)"))
    bounds = f"FOR VALUES FROM ({partition.start_ms}) TO ({partition.end_ms})"
    await connection.execute(text(f"ALTER TABLE {table} ATTACH PARTITION {name} {bounds}"))
