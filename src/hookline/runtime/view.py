"""The live view: accounts, keys, subscriptions and what was judged of their endpoints, followed from the start by all who need it."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

from hookline.core.accounts import Accounts
from hookline.core.jobs import Asked, Jobs
from hookline.core.judgements import Judgements
from hookline.core.matching import SubscriptionIndex
from hookline.runtime.kafka_client import ReaderConfig
from hookline.runtime.kafka_reader import KafkaReader, reading
from hookline.runtime.log import Commit, KafkaRecord, Position, TopicPartition
from hookline.runtime.metrics import Metrics
from hookline.runtime.settings import Settings
from hookline.schemas.codec import Codec
from hookline.schemas.errors import ContractError, NotYet, UnknownSchema
from hookline.schemas.records import Account, ApiKey, Disabling, EndpointHealth, Job, JobWish, Record, Subscription
from hookline.schemas.topics import Topics

_log = logging.getLogger("hookline.view")
_DELETED_MAX = 100_000  # Kafka keeps tombstones for 7 days, longer than anything waits


class View:
    """A `Handler` of the compacted topics. Lives on the event loop; reading it never waits."""

    def __init__(self, *, topics: Topics, codec: Codec, metrics: Metrics) -> None:
        self._topics = topics
        self._codec = codec
        self._metrics = metrics
        self._index = SubscriptionIndex()
        self._judgements = Judgements()
        self._accounts = Accounts()
        self._jobs = Jobs()
        self._applied = dict.fromkeys(self.followed(), 0)
        self._unread = set(self.followed())
        self._waiting: dict[asyncio.Future[None], tuple[str, int]] = {}
        self._ready = asyncio.Event()
        self._unreadable: set[str] = set()
        self._newer: set[tuple[str, str]] = set()  # by topic and key
        self._deleted: dict[str, int] = {}  # where it was deleted last, by subscription
        self._cancelled: dict[str, int] = {}  # where its retries were cancelled last, by subscription

    def followed(self) -> Sequence[str]:
        """The topics to read, each of one partition."""
        return (self._topics.subscriptions, self._topics.accounts, self._topics.endpoint_state, self._topics.jobs)

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

    def subscription_by_uid(self, account_id: str, uid: str) -> Subscription | None:
        """The account's subscription that bears this uid of theirs."""
        return self._index.subscription_by_uid(account_id, uid)

    def cannot_read(self, record_id: str) -> bool:
        """Whether the last record of a subscription, an account, a key or a job is of a schema that this process does not know.

        It is there all the same; what the view has of it, if anything, is older.
        """
        return record_id in self._unreadable

    def newer_records(self) -> Sequence[str]:
        """The keys of all records but jobs whose last one a newer release wrote, in order: what is in them is not in this view."""
        return sorted(key for topic, key in self._newer if topic != self._topics.jobs)

    def was_deleted_since(self, subscription_id: str, config_offset: int) -> bool:
        """Whether it has been deleted since the configuration ended there; it may be there again, made anew with the same id."""
        return config_offset <= self._deleted.get(subscription_id, -1)

    def retries_cancelled_at(self, subscription_id: str) -> int:
        """The offset of the configuration where its retries were cancelled last, -1: never.

        When Kafka has kept only a later change of it, and this process began after that, it is the offset of that one.
        """
        return self._cancelled.get(subscription_id, -1)

    def subscriptions(self) -> Sequence[Subscription]:
        """The subscriptions of all accounts, in no order."""
        return self._index.subscriptions()

    def subscriptions_of(self, account_id: str) -> Sequence[Subscription]:
        """All of an account's subscriptions, in order of creation."""
        return self._index.subscriptions_of(account_id)

    def matching(self, account_id: str, event_type: str) -> Sequence[Subscription]:
        """The subscriptions of this account that want this event type, and are neither paused nor disabled."""
        return self._index.matching(account_id, event_type)

    def health(self, subscription_id: str) -> EndpointHealth | None:
        """What dispatchers last judged of its endpoint; None if nothing, or nothing that still counts."""
        subscription = self._index.subscription(subscription_id)
        return None if subscription is None else self._judgements.health(subscription)

    def disabling(self, subscription_id: str) -> Disabling | None:
        """Why and since when it is disabled; None if it is not."""
        subscription = self._index.subscription(subscription_id)
        return None if subscription is None else self._judgements.disabling(subscription)

    def healths(self) -> Sequence[EndpointHealth]:
        """What `health` says of all subscriptions, in no order."""
        said = (self._judgements.health(each) for each in self._index.subscriptions())
        return [each for each in said if each is not None]

    def disablings(self) -> Sequence[Disabling]:
        """What `disabling` says of all subscriptions, in no order."""
        said = (self._judgements.disabling(each) for each in self._index.subscriptions())
        return [each for each in said if each is not None]

    def api_key(self, key_id: str) -> ApiKey | None:
        return self._accounts.key(key_id)

    def keys(self) -> Sequence[ApiKey]:
        """All API keys, in order of creation."""
        return self._accounts.keys()

    def keys_of(self, account_id: str) -> Sequence[ApiKey]:
        """All of an account's API keys, in order of creation; of "" those that are of none."""
        return self._accounts.keys_of(account_id)

    def account(self, account_id: str) -> Account | None:
        return self._accounts.account(account_id)

    def accounts(self) -> Sequence[Account]:
        """All accounts, in order of creation."""
        return self._accounts.accounts()

    def marker(self, account_id: str) -> Account | None:
        """The record of an account that is erased; to `account` it is none."""
        return self._accounts.marker(account_id)

    def markers(self) -> Sequence[Account]:
        """Those of all that are, in order of creation."""
        return self._accounts.markers()

    def job(self, job_id: str) -> Asked | None:
        """A job, and what its customer wants of it."""
        return self._jobs.job(job_id)

    def is_cancelled(self, job_id: str) -> bool:
        """Whether this job was cancelled, so that nothing of it is sent any more."""
        return self._jobs.is_cancelled(job_id)

    def jobs_of(self, subscription_id: str) -> Sequence[Asked]:
        """A subscription's jobs, in order of creation; also of one that is gone."""
        return self._jobs.jobs_of(subscription_id)

    def jobs(self) -> Sequence[Asked]:
        """The jobs of all accounts, in order of creation."""
        return self._jobs.jobs()

    def open_jobs_of(self, subscription_id: str) -> Sequence[Asked]:
        """A subscription's jobs that are not over, in order of creation."""
        return self._jobs.open_jobs_of(subscription_id)

    def open_jobs(self) -> Sequence[Asked]:
        """The jobs of all accounts that are not over, in order of creation."""
        return self._jobs.open_jobs()

    def wishes(self) -> Sequence[JobWish]:
        """The last wish about each job, also of jobs that are gone."""
        return tuple(self._jobs.wishes())

    # -- Handler ------------------------------------------------------------------------------------------------------

    def assigned(self, _positions: Sequence[Position]) -> None:
        """Nothing to prepare: reading is from the start."""

    def received(self, records: Sequence[KafkaRecord]) -> None:
        for record in records:
            self._apply(record)
        self._reached(records[-1].topic, records[-1].offset + 1)

    def passed(self, partition: TopicPartition, offset: int) -> None:
        """Reading is there; offsets below it that bore no record for us (compacted, aborted, markers) count as applied."""
        self._reached(partition.topic, offset)

    def ended(self, partition: TopicPartition, offset: int) -> None:
        """The end was reached, as it was then."""
        self._unread.discard(partition.topic)
        self.passed(partition, offset)
        if not self._unread:
            self._ready.set()
            self._trim()

    async def revoking(self, _partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, Commit]:
        return {}  # without a group nothing is committed

    def lost(self, _partitions: Sequence[TopicPartition]) -> None:
        """Without a group nothing is ever lost."""

    # -- applying -----------------------------------------------------------------------------------------------------

    def _apply(self, record: KafkaRecord) -> None:
        is_remembered = record.topic != self._topics.endpoint_state
        self._newer.discard((record.topic, _text(record.key)))
        if is_remembered:
            self._unreadable.discard(_text(record.key))
        if record.value is None:
            self._remove(record.topic, record.key or b"", record.offset)
            return
        try:
            self._put(self._codec.decode_any(record.value), record)
        except ContractError as error:
            # Skipped on purpose: one bad record must not stop every process that follows the configuration.
            if is_remembered:
                self._unreadable.add(_text(record.key))
            if isinstance(error, UnknownSchema):
                self._newer.add((record.topic, _text(record.key)))
            _log.error(
                "view.record_unreadable", extra={"topic": record.topic, "offset": record.offset, "error": str(error)}
            )

    def _put(self, decoded: Record, record: KafkaRecord) -> None:
        match decoded:
            case Subscription():
                self._judgements.claim(decoded.subscription_id)
                self._note_cancelled(decoded, record.offset)
                self._place(decoded)
            case EndpointHealth() | Disabling():
                self._judge(decoded)
            case Account() | ApiKey():
                self._accounts.put(decoded)
            case Job() | JobWish():
                self._jobs.put(decoded)
            case _:
                _log.error("view.record_unexpected", extra={"topic": record.topic, "offset": record.offset})

    def _judge(self, judgement: EndpointHealth | Disabling) -> None:
        subscription = self._index.subscription(judgement.subscription_id)
        if subscription is None:
            self._judgements.put_stray(judgement)
            self._trim()
            return
        self._judgements.put(judgement)
        self._place(subscription)

    def _trim(self) -> None:
        if self.ready:  # before that most subscriptions may still be to come
            self._judgements.trim()

    def _place(self, subscription: Subscription) -> None:
        self._index.put(subscription)
        if self._judgements.disabling(subscription) is not None:
            self._index.withhold(subscription.subscription_id)

    def _remove(self, topic: str, key: bytes, offset: int) -> None:
        if topic == self._topics.subscriptions:
            self._note_deleted(_text(key), offset)
            self._cancelled.pop(_text(key), None)
            self._index.remove(_text(key))
            self._judgements.forget(_text(key))
        elif topic == self._topics.endpoint_state:
            self._unjudge(key)
        elif topic == self._topics.jobs:
            self._jobs.remove(_text(key))
        else:
            self._accounts.remove(_text(key))

    def _note_deleted(self, subscription_id: str, offset: int) -> None:
        self._deleted.pop(subscription_id, None)  # so that the newest are the last
        self._deleted[subscription_id] = offset
        if len(self._deleted) > _DELETED_MAX:
            del self._deleted[next(iter(self._deleted))]

    def _note_cancelled(self, subscription: Subscription, offset: int) -> None:
        before = self._index.subscription(subscription.subscription_id)
        if subscription.cancelled_before_ms > (0 if before is None else before.cancelled_before_ms):
            self._cancelled[subscription.subscription_id] = offset

    def _unjudge(self, key: bytes) -> None:
        subscription_id = self._judgements.remove(key)
        subscription = None if subscription_id is None else self._index.subscription(subscription_id)
        if subscription is not None:
            self._place(subscription)

    def _reached(self, topic: str, offset: int) -> None:
        self._applied[topic] = max(self._applied[topic], offset)
        if topic == self._topics.subscriptions:
            self._metrics.view_offset.set(offset)
        for future, (waiting_topic, waiting_offset) in self._waiting.items():
            if waiting_topic == topic and waiting_offset < self._applied[topic] and not future.done():
                future.set_result(None)


def _text(key: bytes | None) -> str:
    return (key or b"").decode(errors="replace")


@asynccontextmanager
async def open_view(
    settings: Settings, *, topics: Topics, codec: Codec, metrics: Metrics, on_fatal: Callable[[BaseException], None]
) -> AsyncIterator[View]:
    """A view that follows Kafka while the block runs; it may not be `ready` yet."""
    view = View(topics=topics, codec=codec, metrics=metrics)
    config = ReaderConfig(bootstrap_servers=settings.bootstrap_servers, group=None, topics=view.followed())
    reader = KafkaReader(config, view, metrics=metrics, on_fatal=on_fatal, ended=view.ended, passed=view.passed)
    async with reading(reader):
        yield view
