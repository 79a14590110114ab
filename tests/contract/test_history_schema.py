"""The history store's tables: migrated by whoever comes first, refused if they are another release's, taken over without loss."""

import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Table, inspect, text
from sqlalchemy.engine import URL

from fakes.audit import audit_entry
from fakes.documents import ROOT
from fakes.records import attempt, lives
from fakes.stores import database, dumped
from hookline.runtime.history import HistoryStore, migrate_history, open_history
from hookline.runtime.history_database import Database, open_database
from hookline.runtime.history_partitions import Partitions
from hookline.runtime.history_schema import require_migrated, upgrade
from hookline.runtime.history_tables import DELIVERIES, HEAD, METADATA, PARTITIONED, places
from hookline.runtime.log import TopicPartition
from hookline.runtime.settings import Settings, as_env
from hookline.schemas.errors import ConfigError

OLD = ROOT / "tests" / "cases" / "history_without_migrations.sql"  # written by the last release that had none
# What dispatchers wrote when the store's tables were those of 0001: without headers and jobs, and nothing lay in replays.
OF_0001 = [
    replace(each, request_headers=(), response_headers=(), job_id=None, origin=replace(each.origin, in_replays=False))
    for each in lives(60, seed=6)
]
MIGRATE = """
import asyncio, os
from hookline.runtime.history import migrate_history
from hookline.runtime.settings import Settings
print(asyncio.run(migrate_history(Settings.from_env(os.environ))))
"""


def described(connection: Connection) -> dict[str, object]:
    """Of every table its columns (and whether they may be null), its key, and its indexes."""
    found = inspect(connection)
    return {
        name: (
            [(each["name"], each["nullable"]) for each in found.get_columns(name)],
            found.get_pk_constraint(name)["constrained_columns"],
            {each["name"]: each["column_names"] for each in found.get_indexes(name)},
        )
        for name in METADATA.tables
    }


async def test_the_migrated_tables_are_those_that_statements_name(store: HistoryStore) -> None:
    async with store._database.engine.connect() as connection:
        found = await connection.run_sync(described)
    assert found == {
        name: (
            [(each.name, bool(each.nullable)) for each in table.columns],
            [each.name for each in table.primary_key.columns],
            {str(each.name): [column.name for column in each.columns] for each in table.indexes},
        )
        for name, table in METADATA.tables.items()
    }


def test_the_newest_migration_is_the_one_that_the_code_wants() -> None:
    folder = ROOT / "src" / "hookline" / "runtime" / "history_migrations"
    config = Config()
    config.set_main_option("script_location", str(folder))
    script = ScriptDirectory.from_config(config)
    assert script.get_heads() == [HEAD]
    assert [each.revision for each in script.walk_revisions()] == sorted(
        (each.revision for each in script.walk_revisions()), reverse=True
    )


async def test_a_store_is_migrated_once(store_settings: Settings) -> None:
    async with open_history(store_settings) as store:
        await store.ingest([attempt()], {TopicPartition("t", 0): 1})
    before = await dumped(store_settings)
    assert await migrate_history(store_settings) is False
    assert await dumped(store_settings) == before


async def test_the_embedded_store_migrates_itself_and_another_file_does_not(tmp_path: Path) -> None:
    other = Settings(history_url=f"sqlite:///{tmp_path / 'other.sqlite'}")
    async with open_history(Settings(data_dir=tmp_path)) as store:
        assert await store.offsets("t") == {}
    with pytest.raises(ConfigError, match="has no tables yet; run `hookline history migrate`"):
        async with open_history(other):
            pass
    assert await migrate_history(other) is True
    async with open_history(other) as store:
        assert await store.offsets("t") == {}


async def test_a_postgres_database_without_tables_names_the_command(empty_database: str) -> None:
    settings = Settings(history_url=empty_database)
    with pytest.raises(ConfigError, match="has no tables yet; run `hookline history migrate`"):
        async with open_history(settings):
            pass
    assert await migrate_history(settings) is True
    async with open_history(settings) as store:
        assert await store.offsets("t") == {}


async def test_a_store_of_a_newer_release_is_refused(store: HistoryStore) -> None:
    async with store._database.writing() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ConfigError, match="tables of a newer release"):
        await require_migrated(store._database)


async def test_a_store_of_an_earlier_release_names_the_command(store: HistoryStore) -> None:
    async with store._database.writing() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    with pytest.raises(ConfigError, match=r"an earlier release \(0000\); run `hookline history migrate`"):
        await require_migrated(store._database)


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_processes_that_migrate_at_once_do_no_harm(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, history_url=f"sqlite:///{tmp_path / 'history.sqlite'}")
    if kind == "postgres":
        settings = replace(settings, history_url=request.getfixturevalue("empty_database"))
    env = {"PYTHONPATH": ":".join(sys.path)} | dict(as_env(settings))
    command = [sys.executable, "-c", MIGRATE]
    running = [
        subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(4)
    ]
    said = [each.communicate(timeout=90) for each in running]
    assert sorted(out.strip() for out, _ in said) == ["False", "False", "False", "True"], said


async def test_a_file_of_the_release_without_migrations_is_taken_over_without_loss(tmp_path: Path) -> None:
    old, new = Settings(data_dir=tmp_path / "old"), Settings(data_dir=tmp_path / "new")
    old.data_dir.mkdir()
    with closing(sqlite3.connect(old.data_dir / "history.sqlite")) as file:
        file.executescript(OLD.read_text(encoding="utf-8"))
    async with open_history(new) as store:
        await store.ingest(OF_0001[:110], {TopicPartition("webhooks.attempts", 0): 111})
        entries = [audit_entry(number, account=f"acct_{number % 3}" if number % 3 else "") for number in range(8)]
        await store.ingest(entries, {TopicPartition("webhooks.audit", 2): 8})
    async with open_history(old) as store:
        assert await store.offsets("webhooks.attempts") == {0: 111}
    taken_over = await dumped(old)
    assert [name for name, rows in taken_over.items() if not rows] == ["erasures"]
    assert known_to_0001(taken_over) == known_to_0001(await dumped(new))


async def test_a_file_without_audit_entries_is_taken_over_and_gets_their_table(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "history.sqlite")) as file:
        file.executescript(OLD.read_text(encoding="utf-8"))
        file.execute("DROP TABLE audit")
    async with open_history(Settings(data_dir=tmp_path)) as store:
        await store.ingest([audit_entry()], {})
        assert len(await store.audit(account_id=None, subject=None, before=None, limit=9)) == 1


@pytest.fixture
async def old(kind_of_store: tuple[URL, str] | None, tmp_path: Path) -> AsyncIterator[Settings]:
    """Settings of a database without a table, of the same kind as the store."""
    if kind_of_store is None:
        yield Settings(history_url=f"sqlite:///{tmp_path / 'old.sqlite'}")
        return
    async with database(kind_of_store[0]) as address:
        yield Settings(history_url=address)


async def test_a_store_of_0001_is_brought_up_without_loss_and_goes_on(old: Settings, store_settings: Settings) -> None:
    half = len(OF_0001) // 2
    async with open_history(store_settings) as store:
        await store.ingest([*OF_0001[:half], audit_entry(1)], {TopicPartition("webhooks.attempts", 0): half})
        await make_0001(old, await dumped(store_settings))
        with pytest.raises(ConfigError, match=r"an earlier release \(0001\); run `hookline history migrate`"):
            async with open_history(old):
                pass
        assert await migrate_history(old) is True
        assert known_to_0001(await dumped(old)) == known_to_0001(await dumped(store_settings))
        async with open_history(old) as migrated:
            for each in (store, migrated):
                await each.ingest(lives(60, seed=6)[half:], {TopicPartition("webhooks.attempts", 0): 2 * half})
        assert known_to_0001(await dumped(old)) == known_to_0001(await dumped(store_settings))


def known_to_0001(rows: dict[str, list[tuple[Any, ...]]]) -> dict[str, list[tuple[Any, ...]]]:
    """Without what the rows of 0001 did not tell: whether a run before the furthest had succeeded."""
    (place,) = places(DELIVERIES, "delivered_before")
    return rows | {"deliveries": [(*row[:place], *row[place + 1 :]) for row in rows["deliveries"]]}


async def make_0001(settings: Settings, rows: dict[str, list[tuple[Any, ...]]]) -> None:
    """A store with the tables of 0001, filled with these rows as far as it has columns for them."""
    made = open_database(settings.history_address())
    try:
        async with made.writing() as connection:
            await connection.run_sync(upgrade, "0001")
        for table in METADATA.sorted_tables:
            await fill_0001(made, table, rows[table.name])
    finally:
        await made.close()


async def fill_0001(made: Database, table: Table, rows: list[tuple[Any, ...]]) -> None:
    async with made.engine.connect() as connection:
        there = await connection.run_sync(columns_of, table.name)
    if not there or not rows:
        return
    named = [dict(zip(table.columns.keys(), row, strict=True)) for row in rows]
    if made.is_postgres and table in PARTITIONED:
        await Partitions(made).ensure({table: [row[PARTITIONED[table][0]] for row in named]})
    places = ", ".join(f":{name}" for name in there)
    async with made.writing() as connection:
        statement = text(f"INSERT INTO {table.name} ({', '.join(there)}) VALUES ({places})")  # noqa: S608 - names of ours
        await connection.execute(statement, [{name: row[name] for name in there} for row in named])


def columns_of(connection: Connection, table: str) -> list[str]:
    found = inspect(connection)
    return [each["name"] for each in found.get_columns(table)] if found.has_table(table) else []
