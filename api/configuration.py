"""Changing the configuration for a request: decided on what every process has confirmed, written whole or not at all."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from aiohttp import web

from hookline.api.auth import Caller
from hookline.api.edge import FACTS
from hookline.api.ports import Draw
from hookline.api.problems import unavailable
from hookline.core.audit import shown
from hookline.runtime.changes import Changes, Decision, Unapplied, Unchanged, Unknown, Write, without_subscription
from hookline.runtime.clock import Clock
from hookline.runtime.log import Writer, Written
from hookline.schemas.codec import Codec
from hookline.schemas.errors import NotYet
from hookline.schemas.records import (
    Account,
    ApiKey,
    AuditEntry,
    Job,
    JobWish,
    Subscription,
    wish_key,
)
from hookline.schemas.topics import Topics

KAFKA_ANSWER_S = 10.0  # a broker that elects a new leader needs a few seconds; a client waits no longer than this
RETRY_AFTER_S = 5

_Result = TypeVar("_Result")

# Whether whoever asked still may: looked at again when their change is decided, for a body can take its time.
AGAIN: web.RequestKey[Callable[[], Caller]] = web.RequestKey("again")


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """What the audit will say was done; `before` and `after` as the API shows the subject, without secrets."""

    operation: str
    subject: str
    account_id: str
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None


class Configuration:
    """Makes changes. What it has returned from holds for every event produced afterwards."""

    def __init__(self, *, changes: Changes, codec: Codec, topics: Topics, clock: Clock, draw: Draw) -> None:
        self._changes = changes
        self._codec = codec
        self._topics = topics
        self._clock = clock
        self._draw = draw

    async def change(self, request: web.Request, decide: Callable[[Caller], Decision[_Result]]) -> _Result:
        """Have `decide` look at the view and write what it decided; Refused with 503 when Kafka does not confirm it.

        `decide` gets the caller as they are known at that moment, and may be called more than once.
        """
        try:
            return await self._changes.make(lambda: decide(request[AGAIN]()))
        except Unapplied as error:
            raise unavailable(
                "Kafka has the change, but it could not be read back in time. It will take effect.",
                retry_after_s=RETRY_AFTER_S,
            ) from error
        except Unknown as error:
            raise _unknown() from error
        except Unchanged as error:
            raise unavailable("Kafka does not answer now. Nothing was changed.", retry_after_s=RETRY_AFTER_S) from error

    def subscription(self, subscription: Subscription) -> Write:
        """The record of a new or changed subscription."""
        return self._put(self._topics.subscriptions, subscription.subscription_id, self._codec.encode(subscription))

    def no_subscription(self, subscription_id: str) -> tuple[Write, ...]:
        """The tombstones of a deleted subscription, and of all that was judged of it."""
        return without_subscription(self._topics, subscription_id)

    def account(self, account: Account) -> Write:
        """The record of a new or changed account."""
        return self._put(self._topics.accounts, account.account_id, self._codec.encode(account))

    def api_key(self, key: ApiKey) -> Write:
        """The record of a new API key."""
        return self._put(self._topics.accounts, key.key_id, self._codec.encode(key))

    def no_api_key(self, key_id: str) -> Write:
        """The tombstone of a revoked API key."""
        return self._put(self._topics.accounts, key_id, None)

    def job(self, job: Job) -> Write:
        """The record of a new job; whoever works on it writes the ones that follow."""
        return self._put(self._topics.jobs, job.job_id, self._codec.encode(job))

    def job_wish(self, wish: JobWish) -> Write:
        """The record of what is wanted of a job now."""
        return Write(topic=self._topics.jobs, key=wish_key(wish.job_id), value=self._codec.encode(wish))

    def audit(self, request: web.Request, caller: Caller, deed: Deed) -> Write:
        """The record that says who did what."""
        entry = AuditEntry(
            audit_id=self._draw.audit_id(),
            at_ms=self._clock.now_ms(),
            account_id=deed.account_id,
            actor=caller.actor,
            request_id=request[FACTS]["request_id"],
            operation=deed.operation,
            subject=deed.subject,
            before=None if deed.before is None else shown(deed.before),
            after=None if deed.after is None else shown(deed.after),
        )
        return self._put(self._topics.audit, deed.account_id, self._codec.encode(entry))

    @staticmethod
    def _put(topic: str, key: str, value: bytes | None) -> Write:
        return Write(topic=topic, key=key.encode(), value=value)


async def confirmed(writer: Writer, write: Write, *, answer_s: float) -> Written:
    """Write one record beside the configuration; Refused with 503 when the broker does not say yes in time."""
    try:
        async with asyncio.timeout(answer_s):
            return await writer.write(write.topic, key=write.key, value=write.value)
    except (NotYet, TimeoutError) as error:
        raise _unknown() from error


def _unknown() -> Exception:
    return unavailable(
        "Kafka did not confirm the write in time. Whether it took effect is not known: look before you try again.",
        retry_after_s=RETRY_AFTER_S,
    )
