"""Changing subscriptions: a record to the compacted topic, read back through the live view, and only then an answer."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

from hookline.api.ports import Directory
from hookline.api.problems import unavailable
from hookline.runtime.log import Writer, Written
from hookline.schemas.codec import Codec
from hookline.schemas.errors import NotYet
from hookline.schemas.records import Subscription, disabling_key
from hookline.schemas.topics import Topics

_log = logging.getLogger("hookline.api")
KAFKA_ANSWER_S = 10.0  # a broker that elects a new leader needs a few seconds; a client waits no longer than this
RETRY_AFTER_S = 5


class Configuration:
    """Writes subscriptions. What it has returned from holds for every event produced afterwards."""

    def __init__(
        self, *, view: Directory, writer: Writer, codec: Codec, topics: Topics, answer_s: float = KAFKA_ANSWER_S
    ) -> None:
        self._view = view
        self._writer = writer
        self._codec = codec
        self._topic = topics.subscriptions
        self._judgements_topic = topics.endpoint_state
        self._answer_s = answer_s
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def alone(self, owner_id: str) -> AsyncIterator[None]:
        """Read, judge and write without another change of the same account or subscription in between.

        Refused with 503 when those before take too long. This holds within the process. What fences replicas off each other (a transaction around the block, read to the
        end first) belongs here and nowhere else.
        """
        lock = self._locks.setdefault(owner_id, asyncio.Lock())
        await self._acquired(lock)
        try:
            yield
        finally:
            lock.release()

    async def put(self, subscription: Subscription) -> None:
        """Write a new or changed subscription; Refused with 503 when Kafka does not confirm it."""
        await self._confirmed(subscription.subscription_id, self._codec.encode(subscription))

    async def remove(self, subscription_id: str) -> None:
        """Delete a subscription; Refused with 503 when Kafka does not confirm it.

        What was judged of it is deleted as well, without waiting: nobody heeds the judgements of what is gone.
        """
        await self._confirmed(subscription_id, None)
        for key in (subscription_id.encode(), disabling_key(subscription_id)):
            self._writer.write(self._judgements_topic, key=key, value=None).add_done_callback(_tell_failed)

    async def _acquired(self, lock: asyncio.Lock) -> None:
        try:
            async with asyncio.timeout(self._answer_s):
                await lock.acquire()
        except TimeoutError as error:
            raise unavailable(
                "Other changes are still waiting for Kafka. Nothing was changed.", retry_after_s=RETRY_AFTER_S
            ) from error

    async def _confirmed(self, subscription_id: str, value: bytes | None) -> None:
        written = await confirmed(
            self._writer, self._topic, key=subscription_id.encode(), value=value, answer_s=self._answer_s
        )
        try:
            await self._view.wait_applied(self._topic, written.offset, timeout_s=self._answer_s)
        except NotYet as error:
            raise unavailable(
                "Kafka has the change, but could not be read back in time. It will take effect.",
                retry_after_s=RETRY_AFTER_S,
            ) from error


def _tell_failed(deleted: "asyncio.Future[Written]") -> None:
    if not deleted.cancelled() and (error := deleted.exception()) is not None:
        _log.warning("judgement.not_deleted", extra={"error": str(error)})


async def confirmed(writer: Writer, topic: str, *, key: bytes, value: bytes | None, answer_s: float) -> Written:
    """Write one record; Refused with 503 when the broker does not say yes in time."""
    try:
        async with asyncio.timeout(answer_s):
            return await writer.write(topic, key=key, value=value)
    except (NotYet, TimeoutError) as error:
        raise unavailable(
            "Kafka did not confirm the write in time. Whether it took effect is not known: look before you try again.",
            retry_after_s=RETRY_AFTER_S,
        ) from error
