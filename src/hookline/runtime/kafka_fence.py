"""The fence of the configuration: a transactional producer whose name all processes share. Everything here blocks.

Whoever takes it shuts out whoever had it, and what that one left open is aborted. So nobody else's transaction can end
while it is held.
"""

import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from hookline.runtime.changes import Write
from hookline.runtime.kafka_client import at, is_end, place_of, ungrouped
from hookline.runtime.kafka_consumer import OwnedConsumer
from hookline.runtime.kafka_producer import producer_configuration
from hookline.runtime.log import TopicPartition
from hookline.schemas.errors import NotYet, TooLarge

# Longer than a change may take; after it, and up to 10 s more, the broker itself aborts what nobody ended.
_TRANSACTION_S = 15.0
# While another's transaction is open the client asks again only after 500 ms; a new client takes 20 ms (measured).
_PATIENCE_S = 0.1
_ABORT_S = 1.0
_POLL_S = 0.05
_FETCH_WAIT_MS = 10
_PURGED = {KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT}  # noqa: SLF001 - their public names


class NotWritten(NotYet):
    """Nothing of the transaction is or will be there."""


class TopicMissing(NotWritten):
    """Nothing was written, and another try would do no better: the broker has no topic of that name."""


class InDoubt(NotYet):
    """All of the transaction is there or will be, or nothing: the commit was not answered."""

    def __init__(self, reason: str, sent: "Sequence[Sent]") -> None:
        super().__init__(reason)
        self.sent = sent


class Sent(NamedTuple):
    """A record of a transaction, and the place that the broker gave it."""

    write: Write
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Deadline:
    """When an answer is due."""

    at_s: float

    @classmethod
    def after(cls, seconds: float) -> "Deadline":
        return cls(time.monotonic() + seconds)

    def left_s(self) -> float:
        return max(0.0, self.at_s - time.monotonic())


@dataclass(frozen=True, slots=True, kw_only=True)
class FenceConfig:
    """Where the fence is, and its name. `topic`: one that is written to, so that its leader is known when it is taken."""

    bootstrap_servers: str
    name: str
    topic: str


class Fence:
    """Held from `taken` until another process takes it. It is good for another `write` only while `is_sound`.

    So that nothing old can come after something new: a client that failed, or whose connection broke, may have a request on
    its way that was meant for an earlier transaction, and the broker takes it for one of the present.
    """

    def __init__(self, config: FenceConfig) -> None:
        self._config = config
        self._troubles: list[KafkaError] = []
        self._is_spent = False
        # Being shut out is everyday here, and the client would print it in big letters whatever its log level.
        unheard = logging.Logger("unheard", logging.CRITICAL + 1)  # noqa: LOG001 - nobody is to find it
        # Never its `close`: that aborts without a time limit. Letting go takes a millisecond, also without a broker.
        self._producer: Producer | None = Producer(
            _configuration(config) | {"error_cb": self._troubles.append}, logger=unheard
        )

    @property
    def is_sound(self) -> bool:
        """Whether all went well so far."""
        return not (self._is_spent or self._troubles)

    def connect(self, deadline: Deadline) -> None:
        """Get to know the brokers. KafkaException."""
        # Without a connection the client asks for the coordinator, is told nothing, and asks again after 500 ms. The first
        # answer may come through the connection that only finds the brokers; the second does not.
        for _ in range(2):
            self._client.list_topics(self._config.topic, timeout=deadline.left_s())

    def take(self, within_s: float) -> bool:
        """Whether it was taken in time. KafkaException when that can't be."""
        try:
            self._client.init_transactions(within_s)
        except KafkaException as error:
            if error.args[0].code() != KafkaError._TIMED_OUT:  # noqa: SLF001 - its public name
                raise
            return False
        self._hear()
        self._troubles.clear()  # of finding brokers; what counts is what comes now
        return True

    def write(self, writes: Sequence[Write], *, ends: Mapping[str, int], deadline: Deadline) -> Sequence[Sent]:
        """Write all of it. NotWritten, InDoubt, or TooLarge.

        `ends`: where topics that only the holder writes to ended when the decision was made. Should a record of ours come to
        lie elsewhere, something came in between, and nothing is written.
        """
        self._is_spent = True  # until all of it has succeeded
        sent = _Sending(writes)
        try:
            self._send(sent, deadline.left_s() / 2)  # the other half is for another try
        except (KafkaException, SystemError) as error:
            # SystemError: a fatal error and a report in the same poll; the client's binding trips over the two.
            raise NotWritten(f"the transaction failed: {self._reason(error)}") from error
        places = self._answered(sent, deadline)
        _check_ends(places, ends)
        self._commit(places, deadline)
        self._is_spent = False
        return places

    def give_up(self) -> None:
        """Abort what is open, so that it holds up no reader, and let go."""
        if self._producer is not None:
            with suppress(KafkaException, SystemError):
                self._producer.abort_transaction(_ABORT_S)
        self.let_go()

    def let_go(self) -> None:
        """End the client. What it had open is aborted by whoever takes the fence next, or by the broker after a while."""
        self._producer = None

    @property
    def _client(self) -> Producer:
        if self._producer is None:
            raise NotWritten("the fence was let go")
        return self._producer

    def _send(self, sent: "_Sending", within_s: float) -> None:
        self._client.begin_transaction()
        for number, write in enumerate(sent.writes):
            try:
                self._client.produce(write.topic, write.value, write.key, on_delivery=partial(sent.note, number))
            except BufferError:
                raise TooLarge(
                    f"a change of {len(sent.writes)} records is more than the client's queue takes"
                ) from None
            except KafkaException as error:
                _refuse_if_too_large(write, error.args[0])
                raise
        self._client.flush(within_s)

    def _answered(self, sent: "_Sending", deadline: Deadline) -> Sequence[Sent]:
        """Where all of it lies; NotWritten if the broker has not said so of each, TooLarge if it refused one for good."""
        sent.check_refused()
        unanswered = sent.unanswered()
        if unanswered:
            self._check_there(unanswered, deadline)
            raise NotWritten(f"{unanswered[0]}: the broker did not say yes in time")
        return sent.places()

    def _check_there(self, topics: Sequence[str], deadline: Deadline) -> None:
        """TopicMissing: for the sake of one topic that is missing, those of the whole transaction have no answer."""
        within_s = (deadline.left_s() - _ABORT_S) / 2  # giving up has its own time
        with suppress(KafkaException):
            known = self._client.list_topics(timeout=within_s).topics if within_s > 0 else topics
            missing = [topic for topic in topics if topic not in known]
            if missing:
                raise TopicMissing(f"{missing[0]}: the broker has no such topic")

    def _commit(self, places: Sequence[Sent], deadline: Deadline) -> None:
        within_s = deadline.left_s() / 2  # the other half is for finding out, should there be no answer
        if not within_s:
            raise NotWritten("the time was up before the commit")
        try:
            self._client.commit_transaction(within_s)
        except (KafkaException, SystemError) as error:
            # Also when it says that we were shut out: that may be the answer to a second request after a first that was heeded.
            reason = f"the commit was not confirmed: {self._reason(error)}"
            self.let_go()  # or it would go on asking
            raise InDoubt(reason, places) from error
        self._hear()

    def _hear(self) -> None:
        """Let the client hand out the troubles that it met."""
        with suppress(KafkaException, SystemError):
            self._client.poll(0)

    def _reason(self, error: BaseException) -> str:
        if isinstance(error, KafkaException):
            return str(error.args[0].str())
        with suppress(SystemError):
            try:
                self._client.begin_transaction()  # refused, with the reason
            except KafkaException as fatal:
                return str(fatal.args[0].str())
        return "the client failed for good"


def taken(config: FenceConfig, deadline: Deadline) -> Fence:
    """Take the fence; when this returns nothing of others is open, and what they had committed is there. NotYet."""
    patience_s = _PATIENCE_S
    while deadline.left_s():
        fence = Fence(config)
        try:
            if _is_taken(fence, patience_s, deadline):
                return fence
        except KafkaException as error:
            fence.let_go()
            raise NotYet(f"the fence could not be taken: {error.args[0].str()}") from error
        fence.let_go()  # or it would go on asking, and shut out whoever has it then
        patience_s *= 2
    raise NotYet("the fence could not be taken: the broker did not give it in time")


def _is_taken(fence: Fence, patience_s: float, deadline: Deadline) -> bool:
    began_s = time.monotonic()
    fence.connect(deadline)
    connected_s = time.monotonic() - began_s
    return fence.take(min(max(patience_s, 2 * connected_s), deadline.left_s()))


def is_there(config: FenceConfig, sent: Sequence[Sent], deadline: Deadline) -> bool:
    """Whether a transaction of unknown fate was committed. NotYet.

    To be asked by who has taken the fence since: then it is settled, and what can be read at its places is it, or no record.
    """
    open_places = {TopicPartition(each.write.topic, each.partition): each for each in reversed(sent)}
    with closing(OwnedConsumer(_reading(config))) as consumer:
        try:
            consumer.assign([at(partition, each.offset) for partition, each in open_places.items()])
            while open_places:
                message = _next(consumer, deadline)
                each = open_places.get(place_of(message))
                if each is not None and _is_it(message, each):
                    return True
                if each is not None and (message.offset() or 0) > each.offset:  # a later record, or a later end
                    del open_places[place_of(message)]
        except KafkaException as error:
            raise NotYet(f"a transaction's records could not be looked for: {error.args[0].str()}") from error
    return False


def _next(consumer: OwnedConsumer, deadline: Deadline) -> Message:
    """The next record, or the news that an end was reached."""
    while left_s := deadline.left_s():
        message = consumer.poll(min(left_s, _POLL_S))
        if message is None:
            continue
        error = message.error()
        if error is not None and not is_end(message):
            raise KafkaException(error)
        return message
    raise NotYet("a transaction's records could not be looked for in time")


def _is_it(message: Message, sent: Sent) -> bool:
    return (
        message.error() is None
        and message.offset() == sent.offset
        and (message.key(), message.value()) == (sent.write.key, sent.write.value)
    )


class _Sending:
    """The records of a transaction, and what the broker says of each."""

    def __init__(self, writes: Sequence[Write]) -> None:
        self.writes = writes
        self._reports: list[tuple[KafkaError | None, Message] | None] = [None] * len(writes)

    def note(self, number: int, error: KafkaError | None, message: Message) -> None:
        """Called while the client waits, sometimes with an exception on its way: so nothing is asked here."""
        self._reports[number] = error, message

    def check_refused(self) -> None:
        """NotWritten if the broker said no to one, TooLarge if it did so for good."""
        for write, error in self._refused():
            _refuse_if_too_large(write, error)
            raise NotWritten(f"{write.topic}: the broker did not say yes: {error.str()}")

    def unanswered(self) -> Sequence[str]:
        """The topics of those that the broker has said nothing of."""
        pairs = zip(self.writes, self._reports, strict=True)
        return [write.topic for write, report in pairs if report is None]

    def places(self) -> Sequence[Sent]:
        """Where all of it lies, once it is answered; NotWritten if a place is lost."""
        reports = [report for report in self._reports if report is not None]
        return [_place(write, message) for write, (_, message) in zip(self.writes, reports, strict=True)]

    def _refused(self) -> Sequence[tuple[Write, KafkaError]]:
        """First those that say why the others were not taken either."""
        pairs = zip(self.writes, self._reports, strict=True)
        refused = [(write, report[0]) for write, report in pairs if report is not None and report[0] is not None]
        return sorted(refused, key=lambda pair: pair[1].code() in _PURGED)


def _place(write: Write, message: Message) -> Sent:
    partition, offset = message.partition(), message.offset()
    if partition is None or offset is None or offset < 0:
        raise NotWritten(f"{write.topic}: the broker's first answer was lost, and with it the place")
    return Sent(write, partition, offset)


def _check_ends(places: Sequence[Sent], ends: Mapping[str, int]) -> None:
    for topic, end in ends.items():
        first = min((each.offset for each in places if each.write.topic == topic), default=end)
        if first != end:
            raise NotWritten(f"{topic} ended at {end} when the change was decided, and at {first} when it was written")


def _refuse_if_too_large(write: Write, error: KafkaError) -> None:
    if error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
        size_bytes = len(write.key) + len(write.value or b"")
        raise TooLarge(f"{write.topic}: the record's {size_bytes} bytes are over the topic's limit")


def _configuration(config: FenceConfig) -> dict[str, str | int | bool]:
    return producer_configuration(config.bootstrap_servers, linger_ms=0, answer_s=_TRANSACTION_S) | {
        "transactional.id": config.name,
        "transaction.timeout.ms": round(_TRANSACTION_S * 1_000),
        # The broker refuses a batch for what is too large in it. A change of 300 records takes 70 ms instead of 4 (measured).
        "batch.num.messages": 1,
        # Half of it is a pause between the first connection and the second: with the default of 100 the fence took 60 ms.
        "reconnect.backoff.ms": 10,
    }


def _reading(config: FenceConfig) -> dict[str, str | int | bool]:
    """Read-committed, as by default."""
    return {
        **ungrouped(config.bootstrap_servers),
        "fetch.wait.max.ms": _FETCH_WAIT_MS,  # the news of an end comes with an empty answer
    }
