"""The configuration, as commands read and change it: through the same live view and the same fence as the API."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from prometheus_client import CollectorRegistry

from hookline.cli.options import require_kafka
from hookline.core.audit import shown
from hookline.runtime import draw
from hookline.runtime.catalogue import load_catalogue
from hookline.runtime.changes import Changes, Decision, Result, Write
from hookline.runtime.clock import SystemClock
from hookline.runtime.kafka_changes import open_changes
from hookline.runtime.metrics import Metrics
from hookline.runtime.settings import Settings
from hookline.runtime.view import View, open_view
from hookline.schemas.codec import Codec
from hookline.schemas.errors import NotYet
from hookline.schemas.records import AuditEntry
from hookline.schemas.topics import Topics

_READ_S = 60.0  # 100,000 records are read in a second; a broker that starts may take a while
_ANSWER_S = 30.0
_ACTOR = "cli"


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuring:
    """What a command works with."""

    view: View
    changes: Changes
    codec: Codec
    topics: Topics

    async def change(self, decide: Callable[[], Decision[Result]]) -> Result:
        """As `Changes.make`."""
        return await self.changes.make(decide)

    def audit(self, operation: str, subject: str, *, account_id: str = "", after: Mapping[str, Any]) -> Write:
        """The record that says what a command did."""
        entry = AuditEntry(
            audit_id=draw.audit_id(),
            at_ms=SystemClock().now_ms(),
            account_id=account_id,
            actor=_ACTOR,
            request_id="",
            operation=operation,
            subject=subject,
            before=None,
            after=shown(after),
        )
        return Write(topic=self.topics.audit, key=account_id.encode(), value=self.codec.encode(entry))


@asynccontextmanager
async def configuring(settings: Settings) -> AsyncIterator[Configuring]:
    """The configuration, read to its end; NotYet if Kafka does not show it in time."""
    require_kafka(settings)
    metrics, codec, topics = Metrics(CollectorRegistry()), Codec(load_catalogue()), settings.topics()
    failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    failed.add_done_callback(lambda done: done.exception())  # it may come when nobody waits for it any more

    def fail(error: BaseException) -> None:
        if not failed.done():
            failed.set_exception(error)

    async with open_view(settings, topics=topics, codec=codec, metrics=metrics, on_fatal=fail) as view:
        await _read(view, failed)
        opened = open_changes(settings.bootstrap_servers, topics=topics, view=view, metrics=metrics, answer_s=_ANSWER_S)
        async with opened as changes:
            yield Configuring(view=view, changes=changes, codec=codec, topics=topics)


async def _read(view: View, failed: asyncio.Future[None]) -> None:
    reading = asyncio.ensure_future(view.wait_ready())
    try:
        done, _ = await asyncio.wait({reading, failed}, timeout=_READ_S, return_when=asyncio.FIRST_COMPLETED)
    finally:
        reading.cancel()
    if failed in done:
        failed.result()
    if not done:
        raise NotYet(
            f"Kafka did not show the configuration within {_READ_S:.0f} s; is it there, with its topics"
            " (`hookline topics diff`)?"
        )


def as_json(values: Mapping[str, Any]) -> str:
    """For scripts."""
    return json.dumps(values)
