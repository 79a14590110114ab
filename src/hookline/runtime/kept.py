"""What Kafka still has of a delivery: a run's first record, read at the place that was put on record of it.

Payloads lie in `webhooks.deliveries` and `webhooks.replays` alone, for as long as those topics keep them.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from hookline.runtime.kafka_places import Places
from hookline.runtime.log import KafkaRecord
from hookline.runtime.topic_retention import TopicRetention
from hookline.schemas.codec import Codec
from hookline.schemas.errors import ContractError
from hookline.schemas.records import Delivery, Place
from hookline.schemas.topics import Topics

_ANSWER_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptDelivery:
    """A run's first record. Its topic keeps it until `until_ms` at least; None: it removes nothing for its age."""

    delivery: Delivery
    until_ms: int | None


@dataclass(frozen=True, slots=True)
class KeptTopic:
    """A topic that bodies lie in, and for how long."""

    places: Places
    retention: TopicRetention


class KeptDeliveries:
    """Reads first records of deliveries' runs, of the account that asks and no other."""

    def __init__(self, *, deliveries: KeptTopic, replays: KeptTopic, codec: Codec) -> None:
        self._deliveries = deliveries
        self._replays = replays
        self._codec = codec

    async def delivery(self, place: Place, *, account_id: str, delivery_id: str) -> KeptDelivery | None:
        """The record of this delivery of this account at this place; None if it is not there, or no longer. NotYet.

        At its place another's may lie by now: in a topic that was made anew, say. That is as good as none.
        """
        topic = self._replays if place.in_replays else self._deliveries
        record = await topic.places.at(place)
        found = None if record is None else self._read(record)
        if record is None or found is None or (found.account_id, found.delivery_id) != (account_id, delivery_id):
            return None
        kept_ms = await topic.retention.ms()
        since_ms = record.timestamp_ms if record.timestamp_ms > 0 else found.created_at_ms
        return KeptDelivery(delivery=found, until_ms=None if kept_ms is None else since_ms + kept_ms)

    def _read(self, record: KafkaRecord) -> Delivery | None:
        try:
            return None if record.value is None else self._codec.decode(record.value, Delivery)
        except ContractError:
            return None


@asynccontextmanager
async def open_kept(
    bootstrap_servers: str, *, topics: Topics, codec: Codec, answer_s: float = _ANSWER_S
) -> AsyncIterator[KeptDeliveries]:
    """A reader for the block; each reading takes at most `answer_s`."""
    specified_ms = {each.name: each.retention_ms for each in topics.specifications()}
    async with AsyncExitStack() as stack:

        def kept(topic: str) -> KeptTopic:
            places = Places(bootstrap_servers, topic, answer_s=answer_s)
            places.start()
            stack.push_async_callback(places.close)
            return KeptTopic(places, TopicRetention(bootstrap_servers, topic, specified_ms=specified_ms[topic]))

        yield KeptDeliveries(deliveries=kept(topics.deliveries), replays=kept(topics.replays), codec=codec)
