"""History stores for tests: a database of its own for each, on SQLite or on PostgreSQL."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import Table, select, text
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import create_async_engine

from hookline.runtime.history import migrate_history
from hookline.runtime.history_database import open_database
from hookline.runtime.history_tables import METADATA
from hookline.runtime.settings import Settings

_TEMPLATE = "hookline_template"


def written(url: URL) -> str:
    """A URL as a setting."""
    return url.render_as_string(hide_password=False)


def make_template(server: URL) -> str:
    """A migrated database that others are copied from; its name."""
    name = f"{_TEMPLATE}_{uuid.uuid4().hex[:8]}"
    asyncio.run(_make_template(server, name))
    return name


@asynccontextmanager
async def database(server: URL, template: str = "template1") -> AsyncIterator[str]:
    """The address of a new database on the server; it goes with the block."""
    name = f"hookline_{uuid.uuid4().hex[:12]}"
    await command(server, f'CREATE DATABASE {name} TEMPLATE "{template}"')
    try:
        yield written(server.set(database=name))
    finally:
        await command(server, f"DROP DATABASE {name} WITH (FORCE)")


async def command(server: URL, statement: str) -> None:
    """Run one statement outside of a transaction."""
    engine = create_async_engine(server, isolation_level="AUTOCOMMIT")
    try:
        async with engine.connect() as connection:
            await connection.execute(text(statement))
    finally:
        await engine.dispose()


async def _make_template(server: URL, name: str) -> None:
    await command(server, f"CREATE DATABASE {name}")
    await migrate_history(Settings(history_url=written(server.set(database=name))))


async def dumped(settings: Settings, *tables: Table) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of the store (or of these tables), table by table in the order of their keys."""
    found = open_database(settings.history_address())
    try:
        return {
            table.name: [tuple(row) for row in await found.rows(select(table).order_by(*table.primary_key.columns))]
            for table in tables or METADATA.sorted_tables
        }
    finally:
        await found.close()
