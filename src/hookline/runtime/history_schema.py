"""Whether the history store's tables are those of this release, and making them so."""

import asyncio
import logging
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from hookline.runtime.history_database import Conflict, Database, is_damaged, translated
from hookline.runtime.history_tables import HEAD
from hookline.schemas.errors import ConfigError, NotYet

_log = logging.getLogger("hookline.history")
_FOLDER = Path(__file__).parent / "history_migrations"
_LOCK = 0x686F6F6B  # of PostgreSQL's advisory locks: "hook"
_AGAIN = 50
_AGAIN_S = 0.1


async def migrate(database: Database) -> bool:
    """Make the tables those of this release; False if they are. Who comes second waits, and finds nothing to do."""
    async with database.writing() as connection:
        if database.is_postgres:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        before = await connection.run_sync(_revision)
        if before == HEAD:
            return False
        _refuse_newer(before)
        await connection.run_sync(upgrade)
    _log.info("history.migrated", extra={"before": before or "-", "after": HEAD})
    return True


async def migrate_file(database: Database) -> None:
    """Make the tables of the embedded store. History and the API may both be the first: who comes second finds the file locked.

    SQLite's own patience (busy timeout) does not cover the change to WAL.
    """
    for attempt in range(_AGAIN):
        try:
            await migrate(database)
        except (NotYet, Conflict) as error:
            _refuse_damaged(database, error)
            if attempt == _AGAIN - 1:
                raise NotYet("the history store is locked by another process") from error
            await asyncio.sleep(_AGAIN_S)
        else:
            return


async def require_migrated(database: Database) -> None:
    """ConfigError if the tables are not those of this release; NotYet if the database does not answer."""
    try:
        async with translated(), database.engine.connect() as connection:
            found = await connection.run_sync(_revision)
    except NotYet as error:
        _refuse_damaged(database, error)
        raise
    _refuse_newer(found)
    if found != HEAD:
        what = "has no tables yet" if found is None else f"has the tables of an earlier release ({found})"
        raise ConfigError(f"the history store {what}; run `hookline history migrate`")


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return found


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Bring the tables up to a revision, in the connection's transaction."""
    from alembic import command  # only who migrates needs it
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    command.upgrade(config, revision)


def _refuse_newer(found: str | None) -> None:
    if found is not None and found > HEAD:
        raise ConfigError(f"the history store has the tables of a newer release ({found}); this one knows {HEAD}")


def _refuse_damaged(database: Database, error: Exception) -> None:
    if isinstance(error, NotYet) and is_damaged(error):
        raise ConfigError(
            f"{database.engine.url.database} is no SQLite database, or a damaged one;"
            " move it away, and history is made again from Kafka"
        ) from error
