"""What recovery stands on: events to be counted, deliveries whose bodies are kept, jobs as the replay role leaves them."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from fakes.history import FAILED
from hookline.core.ids import delivery_id
from hookline.core.matching import wants
from hookline.core.progress import State
from hookline.core.resending import Counted, Known, needs_sending
from hookline.runtime.history_questions import DeliveryRow
from hookline.schemas.records import Delivery, Event, Job, JobKind, JobPosition, JobState, Place, Subscription

if TYPE_CHECKING:
    from fakes.api import Api, Reply

BODY = b'{"event":"order.completed","timestamp":"2023-06-20T15:40:30Z","data":{"id":"order_456"}}'
HOUR_MS = 3_600_000
_LATER_MS = 2**53  # than whatever was cancelled


@dataclass(slots=True)
class CountedInMemory:
    """A `Rehearsal` over a list of events, and the states of the deliveries that there are; it waits while `held` is set."""

    events: list[Event] = field(default_factory=list)
    states: dict[str, State] = field(default_factory=dict)
    is_whole: bool = True
    error: Exception | None = None
    held: asyncio.Event | None = None
    under_way: int = 0

    async def count(
        self, subscription: Subscription, *, since_ms: int, until_ms: int, events: tuple[str, ...], everything: bool
    ) -> Counted:
        if self.error is not None:
            raise self.error
        if self.held is not None:
            self.under_way += 1
            await self.held.wait()
        looked_at = [each for each in self.events if since_ms <= each.occurred_at.timestamp() * 1_000 < until_ms]
        asked = [each for each in looked_at if _is_asked_for(each, subscription, events)]
        wanted = [each for each in asked if self._is_needed(each, subscription, everything=everything)]
        return Counted(
            looked_at=len(looked_at),
            wanted=len(wanted),
            left_out=len(asked) - len(wanted),
            unreadable=0,
            by_type=Counter(each.type for each in wanted),
            is_whole=self.is_whole,
        )

    def _is_needed(self, event: Event, of: Subscription, *, everything: bool) -> bool:
        state = self.states.get(delivery_id(event.account_id, event.event_id, of.subscription_id))
        known = None if state is None else Known(state, state is State.SUCCEEDED, _LATER_MS, None, 0)
        return needs_sending(known, of, everything=everything, is_cancelled=lambda _: False)


def _is_asked_for(event: Event, subscription: Subscription, events: tuple[str, ...]) -> bool:
    is_of_account = event.account_id == subscription.account_id
    return is_of_account and wants(subscription.events, event.type) and (not events or wants(events, event.type))


async def kept_delivery(api: "Api", webhook_id: str, **changes: Any) -> DeliveryRow:
    """A delivery of this webhook that the history store knows, and whose body Kafka keeps; `changes` are of its row."""
    row = replace(FAILED, subscription_id=webhook_id, **changes)
    record = Delivery(
        delivery_id=row.delivery_id,
        account_id=api.account_id,
        subscription_id=webhook_id,
        event_id=row.event_id,
        event_type=row.event_type,
        body=BODY,
        config_offset=1,
        created_at_ms=row.first_at_ms,
        source_at_ms=row.first_at_ms - 5,
        is_test=row.is_test,
    )
    topic = api.parts.topics.deliveries
    written = await api.log.write(topic, key=webhook_id.encode(), value=api.parts.codec.encode(record))
    row = replace(row, origin=Place(partition=written.partition, offset=written.offset))
    others = [each for each in api.history.delivery_rows if each.delivery_id != row.delivery_id]
    api.history.delivery_rows = [*others, row]
    return row


async def job_written(api: "Api", webhook_id: str, **changes: Any) -> Job:
    """A job as it is in Kafka, known to the API; of the first account unless `changes` say otherwise."""
    values: Mapping[str, Any] = {
        "job_id": api.parts.draw.job_id(),
        "account_id": api.account_id,
        "subscription_id": webhook_id,
        "kind": JobKind.REPLAY,
        "state": JobState.RUNNING,
        "run": 1_687_275_630_000,
        "since_ms": 1_687_275_630_000 - HOUR_MS,
        "until_ms": 1_687_275_630_000,
        "events": (),
        "everything": False,
        "rate": 100,
        "created_at_ms": 1_687_275_630_000,
        "at_ms": 1_687_275_640_000,
    }
    job = Job(**{**values, **changes})
    topic = api.parts.topics.jobs
    written = await api.log.write(topic, key=job.job_id.encode(), value=api.parts.codec.encode(job))
    await api.view.wait_applied(topic, written.offset, timeout_s=5)
    return job


def jobs(api: "Api") -> list[Job]:
    """The jobs that were written, whoever wrote them."""
    records = [each for each in api.log.records if each.topic == api.parts.topics.jobs]
    found = [(each.key, api.parts.codec.decode_any(each.value or b"")) for each in records]
    assert all(isinstance(record, Job) and record.job_id.encode() == key for key, record in found)
    return [record for _, record in found if isinstance(record, Job)]


async def posted(api: "Api", made: Any, what: str, body: object = None, **more: Any) -> "Reply":
    """The answer to a request to do this with the webhook."""
    return await api.call("POST", f"/webhooks/{made['id']}/{what}", body, **more)


def position(start: int, reached: int, end: int) -> JobPosition:
    """How far one partition was read."""
    return JobPosition(topic="t.events.user", partition=0, start=start, position=reached, end=end)
