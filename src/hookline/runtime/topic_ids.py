"""Which topic a name stands for now: one that is deleted and made anew has another id, and its offsets mean other records."""

import asyncio
from collections.abc import Iterable, Mapping

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient

from hookline.runtime.kafka_client import RECONNECT_MS
from hookline.schemas.errors import NotYet

_ANSWER_S = 30.0


class TopicIds:
    """Asks the brokers, from any event loop."""

    def __init__(self, bootstrap_servers: str, *, answer_s: float = _ANSWER_S) -> None:
        self._answer_s = answer_s
        self._client = AdminClient(
            {"bootstrap.servers": bootstrap_servers, "reconnect.backoff.max.ms": RECONNECT_MS, "log_level": 0}
        )

    async def of(self, topics: Iterable[str]) -> Mapping[str, str]:
        """The id of each of these topics that is there; NotYet when the broker does not answer."""
        asked = self._client.describe_topics(TopicCollection(list(topics)), request_timeout=self._answer_s)
        found: dict[str, str] = {}
        for topic, future in asked.items():
            try:
                found[topic] = str((await asyncio.wrap_future(future)).topic_id)
            except KafkaException as error:
                if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                    raise NotYet(f"the broker did not say which topic {topic} is: {error.args[0].str()}") from error
        return found
