"""For how long a topic keeps its records, as the broker says: an operator may have changed it."""

import asyncio
from time import monotonic

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

_ANSWER_S = 2.0
_KEPT_S = 600.0
_AGAIN_S = 60.0  # who may not ask, or gets no answer, is not kept waiting each time
_FOR_EVER = -1


class TopicRetention:
    """Asks once in ten minutes. Without an answer what was known before holds, and at first what is specified."""

    def __init__(self, bootstrap_servers: str, topic: str, *, specified_ms: int | None) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._topic = topic
        self._ms = specified_ms
        self._until_s = float("-inf")
        self._lock = asyncio.Lock()

    async def ms(self) -> int | None:
        """In milliseconds; None: no record is removed for its age."""
        async with self._lock:
            if monotonic() >= self._until_s:
                await self._look()
            return self._ms

    async def _look(self) -> None:
        try:
            found = await asyncio.to_thread(self._asked)
        except (KafkaException, TimeoutError):
            self._until_s = monotonic() + _AGAIN_S
        else:
            self._until_s = monotonic() + _KEPT_S
            self._ms = None if found == _FOR_EVER else found

    def _asked(self) -> int:
        resource = ConfigResource(ResourceType.TOPIC, self._topic)
        client = AdminClient({"bootstrap.servers": self._bootstrap_servers, "log_level": 0})
        (answer,) = client.describe_configs([resource], request_timeout=_ANSWER_S).values()
        return int(answer.result(_ANSWER_S)["retention.ms"].value)
