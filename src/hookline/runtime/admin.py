"""Topics as `schemas/topics.py` wants them: made, compared and corrected, never shrunk or removed (docs/decisions/0025)."""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from enum import StrEnum
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ConfigSource,
    NewPartitions,
    NewTopic,
    ResourceType,
)

from hookline.core.topic_differences import PARTITIONS, RETENTION, Difference, Partitions, as_told, compared, is_harmful
from hookline.schemas.errors import ConfigError, NotYet
from hookline.schemas.topics import Topic

_CALL_S = 15.0


class Size(StrEnum):
    """Which column of the topics table counts."""

    PRODUCTION = "production"
    EMBEDDED = "embedded"


class TopicAdmin:
    """Compares and applies topic specifications. All calls block; NotYet when the broker does not answer in time."""

    def __init__(self, bootstrap_servers: str, *, size: Size, replication: int = 1) -> None:
        if not bootstrap_servers:
            raise ConfigError("HOOKLINE_BOOTSTRAP_SERVERS is empty; it must name Kafka, such as 127.0.0.1:9092")
        self._client = AdminClient({"bootstrap.servers": bootstrap_servers, "log_level": 0})
        self._size = size
        self._replication = replication

    def diff(self, topics: Iterable[Topic]) -> Sequence[Difference]:
        """What differs from the specification, topic by topic."""
        specified = list(topics)
        partitions = self._partitions()
        there = [topic for topic in specified if topic.name in partitions]
        configs = self._configs([topic.name for topic in there])
        found = [self._absent(topic) for topic in specified if topic.name not in partitions]
        for topic in there:
            has, wanted = partitions[topic.name], self._count(topic)
            found.extend(compared(topic, partitions=has, wanted=wanted, config=configs[topic.name]))
        return found

    def unfit(self, topics: Iterable[Topic]) -> Sequence[Difference]:
        """Of the tiers' topics that exist, what would lose waiting records or send them early."""
        waiting = [topic for topic in topics if topic.append_time]
        return [each for each in self.diff(waiting) if each.found is not None and is_harmful(each)]

    def apply(self, topics: Iterable[Topic], *, partitions: Partitions = Partitions.REFUSE) -> Sequence[Difference]:
        """Make it so; returns what was different. No topic is removed, and none keeps records for a shorter time than before.

        ConfigError, and nothing is changed, if a topic would have to grow and `partitions` is to refuse that.
        """
        specified = {topic.name: topic for topic in topics}
        differences = as_told(self.diff(specified.values()), partitions)
        absent = [specified[each.topic] for each in differences if each.found is None]
        if absent:
            self._settle(
                self._client.create_topics([self._new(topic) for topic in absent]), fine=KafkaError.TOPIC_ALREADY_EXISTS
            )
        for each in differences:
            if each.found is not None and not each.left:
                self._change(each)
        return differences

    def _count(self, topic: Topic) -> int:
        return topic.partitions if self._size is Size.PRODUCTION else topic.partitions_embedded

    def _absent(self, topic: Topic) -> Difference:
        return Difference(topic.name, PARTITIONS, None, str(self._count(topic)))

    def _new(self, topic: Topic) -> NewTopic:
        return NewTopic(
            topic.name,
            num_partitions=self._count(topic),
            replication_factor=self._replication,
            config=dict(topic.config()),
        )

    def _change(self, difference: Difference) -> None:
        if difference.what == PARTITIONS:
            grown = NewPartitions(difference.topic, int(difference.wanted))
            self._settle(self._client.create_partitions([grown]))
            return
        entry = ConfigEntry(difference.what, difference.wanted, incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ResourceType.TOPIC, difference.topic, incremental_configs=[entry])
        self._settle(self._client.incremental_alter_configs([resource]))

    def _partitions(self) -> Mapping[str, int]:
        try:
            known = self._client.list_topics(timeout=_CALL_S).topics
        except KafkaException as error:
            raise NotYet(f"Kafka does not answer: {error.args[0].str()}") from error
        return {name: len(topic.partitions) for name, topic in known.items()}

    def _configs(self, names: Sequence[str]) -> Mapping[str, Mapping[str, str]]:
        if not names:
            return {}
        asked = self._client.describe_configs([ConfigResource(ResourceType.TOPIC, name) for name in names])
        own = ConfigSource.DYNAMIC_TOPIC_CONFIG.value
        return {
            resource.name: {
                entry.name: entry.value
                for entry in _answer(answer).values()
                if entry.source == own or entry.name == RETENTION  # the broker's own keeps records as well
            }
            for resource, answer in asked.items()
        }

    def _settle(self, asked: Mapping[Any, "Future[Any]"], *, fine: int | None = None) -> None:
        for name, answer in asked.items():
            try:
                _answer(answer)
            except KafkaException as error:
                if error.args[0].code() != fine:
                    raise ConfigError(f"{name}: Kafka refused: {error.args[0].str()}") from error


def topic_names(bootstrap_servers: str) -> frozenset[str]:
    """The topics that there are; NotYet when the broker does not answer."""
    client = AdminClient({"bootstrap.servers": bootstrap_servers, "log_level": 0})
    try:
        return frozenset(client.list_topics(timeout=_CALL_S).topics)
    except KafkaException as error:
        raise NotYet(f"Kafka does not answer: {error.args[0].str()}") from error


def members_of(bootstrap_servers: str, group: str) -> int:
    """How many processes a consumer group has; NotYet when the broker does not answer. One that was killed counts for a while."""
    client = AdminClient({"bootstrap.servers": bootstrap_servers, "log_level": 0})
    try:
        found = _answer(client.describe_consumer_groups([group], request_timeout=_CALL_S)[group])
    except KafkaException as error:
        if error.args[0].code() == KafkaError.GROUP_ID_NOT_FOUND:
            return 0
        raise NotYet(f"Kafka does not answer: {error.args[0].str()}") from error
    return len(found.members)


def _answer(future: "Future[Any]") -> Any:
    try:
        return future.result(_CALL_S)
    except TimeoutError as error:
        raise NotYet(f"Kafka does not answer within {_CALL_S:.0f} s") from error
