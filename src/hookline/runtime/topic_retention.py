"""For how long a topic keeps its records, as the broker says: an operator may have changed it."""

import asyncio
from collections.abc import Collection, Mapping
from time import monotonic

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, ConfigEntry, ConfigResource, ResourceType

from hookline.schemas.errors import NotYet

_ANSWER_S = 2.0
_KEPT_S = 600.0
_AGAIN_S = 60.0  # who may not ask, or gets no answer, is not kept waiting each time
_FOR_EVER = -1
_ASKED_S = 10.0


def longest_ms(bootstrap_servers: str, topics: Collection[str]) -> Mapping[str, int | None]:
    """For how long a record can lie in each of these topics that are there; None: for ever. NotYet.

    A file of records goes as a whole: the first of them waits until the last one's time is over.
    """
    asked = [ConfigResource(ResourceType.TOPIC, each) for each in topics]
    client = AdminClient({"bootstrap.servers": bootstrap_servers, "log_level": 0})
    found: dict[str, int | None] = {}
    try:
        for resource, answer in client.describe_configs(asked, request_timeout=_ASKED_S).items():
            found[resource.name] = _longest_ms(answer.result(_ASKED_S))
    except (KafkaException, TimeoutError) as error:
        raise NotYet(f"Kafka does not say for how long it keeps records: {error}") from error
    return found


def _longest_ms(configs: Mapping[str, ConfigEntry]) -> int | None:
    kept_ms = int(configs["retention.ms"].value or _FOR_EVER)
    return None if kept_ms == _FOR_EVER else kept_ms + int(configs["segment.ms"].value or 0)


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
