"""The live view: accounts, keys and subscriptions as Kafka has them, followed from the start by every process that needs them."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

from hookline.core.matching import SubscriptionIndex
from hookline.runtime.kafka_client import ReaderConfig
from hookline.runtime.kafka_reader import KafkaReader, reading
from hookline.runtime.log import Commit, KafkaRecord, Position, TopicPartition
from hookline.runtime.metrics import Metrics
from hookline.runtime.settings import Settings
from hookline.schemas.codec import Codec
from hookline.schemas.errors import ContractError, NotYet
from hookline.schemas.records import Account, ApiKey, Subscription
from hookline.schemas.topics import Topics

_log = logging.getLogger("hookline.view")


class View:
    """A `Handler` of the compacted topics. Lives on the event loop; reading it never waits."""

    def __init__(self, *, topics: Topics, codec: Codec, metrics: Metrics) -> None:
        self._topics = topics
        self._codec = codec
        self._metrics = metrics
        self._index = SubscriptionIndex()
        self._accounts: dict[str, Account] = {}
        self._keys: dict[str, ApiKey] = {}
        self._applied = dict.fromkeys(self.followed(), 0)
        self._unread = set(self.followed())
        self._waiting: dict[asyncio.Future[None], tuple[str, int]] = {}
        self._ready = asyncio.Event()
        self._unreadable: set[str] = set()

    def followed(self) -> Sequence[str]:
        """The topics to read, each of one partition."""
        return (self._topics.subscriptions, self._topics.accounts)

    @property
    def ready(self) -> bool:
        """Whether everything that was there at the start has been read."""
        return self._ready.is_set()

    @property
    def applied(self) -> int:
        """Everything of `webhooks.subscriptions` below this offset has been applied."""
        return self._applied[self._topics.subscriptions]

    async def wait_ready(self) -> None:
        await self._ready.wait()

    async def wait_applied(self, topic: str, offset: int, *, timeout_s: float) -> None:
        """Return once the record at `offset` has been applied; NotYet after `timeout_s` seconds."""
        if self._applied[topic] > offset:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[future] = (topic, offset)
        try:
            await asyncio.wait_for(future, timeout_s)
        except TimeoutError as error:
            raise NotYet(f"{topic}: the live view is at offset {self._applied[topic]}, wanted past {offset}") from error
        finally:
            del self._waiting[future]

    def subscription(self, subscription_id: str) -> Subscription | None:
        return self._index.subscription(subscription_id)

    def cannot_read(self, subscription_id: str) -> bool:
        """Whether the subscription's last record is of a schema that this process does not know: it is there all the same."""
        return subscription_id in self._unreadable

    def subscriptions_of(self, account_id: str) -> Sequence[Subscription]:
        """All of an account's subscriptions, in order of creation."""
        return self._index.subscriptions_of(account_id)

    def matching(self, account_id: str, event_type: str) -> Sequence[Subscription]:
        """The active subscriptions of this account that want this event type."""
        return self._index.matching(account_id, event_type)

    def api_key(self, key_id: str) -> ApiKey | None:
        return self._keys.get(key_id)

    def account(self, account_id: str) -> Account | None:
        return self._accounts.get(account_id)

    # -- Handler ------------------------------------------------------------------------------------------------------

    def assigned(self, _positions: Sequence[Position]) -> None:
        """Nothing to prepare: reading is from the start."""

    def received(self, records: Sequence[KafkaRecord]) -> None:
        for record in records:
            self._apply(record)
        self._reached(records[-1].topic, records[-1].offset + 1)

    def ended(self, partition: TopicPartition, offset: int) -> None:
        """The end was reached; offsets below it that bore no record for us (compacted, markers) count as applied."""
        self._unread.discard(partition.topic)
        self._reached(partition.topic, offset)
        if not self._unread:
            self._ready.set()

    async def revoking(self, _partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, Commit]:
        return {}  # without a group nothing is committed

    def lost(self, _partitions: Sequence[TopicPartition]) -> None:
        """Without a group nothing is ever lost."""

    # -- applying -----------------------------------------------------------------------------------------------------

    def _apply(self, record: KafkaRecord) -> None:
        key = (record.key or b"").decode(errors="replace")
        self._unreadable.discard(key)
        if record.value is None:
            self._remove(record.topic, key)
            return
        try:
            decoded = self._codec.decode_any(record.value)
        except ContractError as error:
            # Skipped on purpose: one bad record must not stop every process that follows the configuration.
            self._unreadable.add(key)
            _log.error(
                "view.record_unreadable", extra={"topic": record.topic, "offset": record.offset, "error": str(error)}
            )
            return
        match decoded:
            case Subscription():
                self._index.put(decoded)
            case Account():
                self._accounts[decoded.account_id] = decoded
            case ApiKey():
                self._keys[decoded.key_id] = decoded
            case _:
                _log.error("view.record_unexpected", extra={"topic": record.topic, "offset": record.offset})

    def _remove(self, topic: str, key: str) -> None:
        if topic == self._topics.subscriptions:
            self._index.remove(key)
        else:
            self._accounts.pop(key, None)
            self._keys.pop(key, None)

    def _reached(self, topic: str, offset: int) -> None:
        self._applied[topic] = max(self._applied[topic], offset)
        if topic == self._topics.subscriptions:
            self._metrics.view_offset.set(offset)
        for future, (waiting_topic, waiting_offset) in self._waiting.items():
            if waiting_topic == topic and waiting_offset < self._applied[topic] and not future.done():
                future.set_result(None)


@asynccontextmanager
async def open_view(
    settings: Settings, *, topics: Topics, codec: Codec, metrics: Metrics, on_fatal: Callable[[BaseException], None]
) -> AsyncIterator[View]:
    """A view that follows Kafka while the block runs; it may not be `ready` yet."""
    view = View(topics=topics, codec=codec, metrics=metrics)
    config = ReaderConfig(bootstrap_servers=settings.bootstrap_servers, group=None, topics=view.followed())
    reader = KafkaReader(config, view, metrics=metrics, on_fatal=on_fatal, ended=view.ended)
    async with reading(reader):
        yield view
