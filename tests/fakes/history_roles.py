"""History processes for tests, and what lies in their stores."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from fakes.fanout import CODEC
from fakes.kafka import write
from fakes.role_process import role_process
from fakes.stores import dumped
from hookline.runtime.history import HistoryStore
from hookline.runtime.history_rows import kinds_of
from hookline.runtime.settings import Settings
from hookline.schemas.records import Attempt, AuditEntry

_STOP_S = 30
_STORED_S = 120


@asynccontextmanager
async def history(settings: Settings, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A `hookline history` process; killed at the block's end if it is still there. What it says is in `history.log`."""
    settings.data_dir.mkdir(exist_ok=True)
    async with role_process(settings, log_of(settings), "history", *arguments) as process:
        yield process


async def stop(process: asyncio.subprocess.Process) -> None:
    """End it in order."""
    process.send_signal(signal.SIGTERM)
    status = await asyncio.wait_for(process.wait(), _STOP_S)
    assert status in {0, -signal.SIGTERM}  # the latter if there was nothing left to read, and it had hardly begun


async def rebuild(settings: Settings) -> None:
    """Run `hookline history rebuild` to its end."""
    async with history(settings, "rebuild", "--yes") as process:
        status = await asyncio.wait_for(process.wait(), _STORED_S)
    assert status == 0, log_of(settings).read_text(encoding="utf-8")


def log_of(settings: Settings) -> Path:
    """What its history processes said."""
    return settings.data_dir / "history.log"


def record(settings: Settings, attempts: Iterable[Attempt], entries: Iterable[AuditEntry] = ()) -> None:
    """Write records as dispatchers and the API do; returns when the broker has them."""
    topics = settings.topics()
    write(
        settings.bootstrap_servers,
        topics.attempts,
        [(each.subscription_id.encode(), CODEC.encode(each)) for each in attempts],
    )
    write(
        settings.bootstrap_servers,
        topics.audit,
        [(each.account_id.encode(), CODEC.encode(each)) for each in entries],
    )


async def until_read(store: HistoryStore, settings: Settings, *, attempts: int, entries: int = 0) -> None:
    """Wait until the store says that so many records have been read."""
    topics = settings.topics()
    async with asyncio.timeout(_STORED_S):
        while await _read(store, topics.attempts) < attempts or await _read(store, topics.audit) < entries:
            await asyncio.sleep(0.05)


async def rows(settings: Settings) -> dict[str, list[tuple[object, ...]]]:
    """All rows of the store; of `kinds` those that it must have, for it may also have what a delivery was on its way."""
    found: dict[str, list[tuple[object, ...]]] = {name: list(each) for name, each in (await dumped(settings)).items()}
    kinds = {row[:-1] for row in found["kinds"]}
    found["kinds"] = sorted({row[:-1] for row in _kinds(found)}, key=repr)
    assert set(found["kinds"]) <= kinds
    return found


def _kinds(found: dict[str, list[tuple[object, ...]]]) -> Iterable[tuple[object, ...]]:
    """The kinds of the rows that are there, with their times."""
    for row, at_ms in kinds_of(found["attempts"], found["deliveries"]):
        yield (*row, at_ms)


async def _read(store: HistoryStore, topic: str) -> int:
    return sum((await store.offsets(topic)).values())
