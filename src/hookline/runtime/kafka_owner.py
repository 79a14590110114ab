"""The one thread that owns a confluent-kafka consumer, and is the only one to touch it.

From version 2.16 on, a call from another thread waits for ever behind a busy poll. So wishes reach the thread through a
queue, and records cross to the event loop a batch at a time.
"""

import itertools
import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TypeVar

import confluent_kafka
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message

from hookline.runtime.kafka_client import (
    ReaderConfig,
    at,
    bare,
    configuration_of,
    is_end,
    is_fatal,
    is_out_of_range,
    is_outage,
    offsets_of,
    partition_of,
    partitions_of,
    place_of,
    record_of,
)
from hookline.runtime.kafka_commands import Command, CommitAll, LoopSide, Pause, Resume, Stop
from hookline.runtime.kafka_consumer import OwnedConsumer
from hookline.runtime.kafka_positions import Found, checked, committed_by_group, said, watermarks
from hookline.runtime.log import Commit, KafkaRecord, Position, TopicPartition
from hookline.runtime.membership import Membership

_log = logging.getLogger("hookline.kafka")
_POLL_S = 0.05  # how long a wish waits at most when nothing is read; idle cost is 20 wake-ups a second
_ASK_AGAIN_S = 0.5
_SAY_AGAIN_S = 30.0
_BATCHES_MAX = 4  # batches on their way to the loop; more would be memory without a bound
_HIGHS_EVERY_S = 2.0
# At more than 500 records a second they cross to the loop a few at a time: a wake-up for each costs more than the record.
_PACE_S = 0.002
_STUCK_S = 5.0
_OUTAGE_REMEMBERED_S = 60.0

_T = TypeVar("_T")


class Owner(threading.Thread):
    """Polls, obeys commands, and carries out rebalances."""

    def __init__(self, config: ReaderConfig, loop_side: LoopSide, generations: "itertools.count[int]") -> None:
        super().__init__(name=f"kafka-reader-{config.group}", daemon=True)
        self.commands: queue.SimpleQueue[Command] = queue.SimpleQueue()
        self.membership = Membership(config.session_timeout_s)
        self._config = config
        self._loop_side = loop_side
        self._generations = generations
        self._generation: dict[TopicPartition, int] = {}
        self._assignment: dict[TopicPartition, int] = {}  # the generation that it began with
        self._slots = threading.Semaphore(_BATCHES_MAX)
        self._passed: dict[TopicPartition, int] = {}  # the positions that were told
        self._astray: dict[TopicPartition, int] = {}  # their positions are none of theirs, and nothing is read of them
        self._look_s = 0.0
        self._stopping = False
        self._alive_s = time.monotonic()
        self._said = ("", 0.0)
        self._highs_s = 0.0
        self._handed_s = 0.0
        self._away_s = float("-inf")  # when the brokers were last out of reach
        self._is_shut_out = False

    def run(self) -> None:
        try:
            while not self._stopping:
                self._read(OwnedConsumer(configuration_of(self._config, self._on_error, self._on_commit)))
        except BaseException as error:  # noqa: BLE001 - whatever it is, the role must end and not go on deaf
            self._loop_side.tell_fatal(error)

    def _read(self, consumer: Consumer) -> None:
        """Read until it is to stop; or until the group has shut this consumer out, and another has to begin anew."""
        self._is_shut_out = False
        self._subscribe(consumer)
        while not (self._stopping or self._is_shut_out):
            self._turn(consumer)
        if not self._is_shut_out:
            consumer.close()  # revokes, and so drains and commits; after a failure the process just ends
            return
        partitions = tuple(self._generation)
        self._loop_side.tell_lost(partitions)
        self._forget(partitions)
        with suppress(KafkaException):
            consumer.close()

    def silent_s(self) -> float:
        """For how long the thread has given no sign of life; also one that waits for a broker or a drain gives them."""
        return time.monotonic() - self._alive_s

    def _turn(self, consumer: Consumer) -> None:
        self._alive_s = time.monotonic()
        self._obey(consumer)
        if not self._slots.acquire(timeout=_POLL_S):
            return  # the loop is behind: it gets nothing more for now, and starts nothing while we do not poll
        message = consumer.poll(_POLL_S)
        self.membership.polled(time.monotonic())
        if message is None:
            self._slots.release()
        else:
            time.sleep(max(0.0, self._handed_s + _PACE_S - time.monotonic()))
            self._handed_s = time.monotonic()
            # consume(n, t) would wait out t; after a poll, 0 takes what is there.
            self._hand_over([message, *consumer.consume(self._config.batch_max - 1, 0)])
        self._tell_passed(consumer)
        self._find_again(consumer)
        self._report_highs(consumer)

    def _hand_over(self, messages: Sequence[Message]) -> None:
        batch: dict[TopicPartition, list[KafkaRecord]] = {}
        for message in messages:
            if message.error() is not None:
                self._trouble(message)
                continue
            record = record_of(message)
            batch.setdefault(TopicPartition(record.topic, record.partition), []).append(record)
        generation = self._generation.get
        self._loop_side.tell_batch(
            [(tp, generation(tp, -1), records) for tp, records in batch.items()], self._slots.release
        )
        self._tell_ends(messages)

    def _tell_ends(self, messages: Sequence[Message]) -> None:
        # After the batch: "the end is reached" must not overtake the records before it.
        for message in messages:
            if is_end(message):
                place = place_of(message)
                self._loop_side.tell_end(place, self._generation.get(place, -1), message.offset() or 0)

    def _tell_passed(self, consumer: Consumer) -> None:
        """Say how far reading is. A transaction's marker takes an offset and is no record: only the position passes it.

        The news that the end was reached passes it, too, but comes with the next empty fetch: 100 ms later (measured).
        """
        if self._config.group is not None:
            return
        for each in consumer.position([bare(partition) for partition in self._generation]):
            partition = partition_of(each)
            if each.offset >= 0 and each.offset != self._passed.get(partition):
                self._passed[partition] = each.offset
                self._loop_side.tell_passed(partition, each.offset)

    def _trouble(self, message: Message) -> None:
        error = message.error()
        if error is None or is_end(message):
            return
        if is_out_of_range(message):
            if (partition := place_of(message)) in self._generation:
                self._astray[partition] = message.offset() or 0
            return
        if is_fatal(error):
            if not self._is_own_fault(error):
                raise KafkaException(error)
            return
        _log.warning("kafka.read_failed", extra={"topic": message.topic(), "error": error.str()})

    # -- positions that were lost in the middle of reading --------------------------------------------------------------

    def _find_again(self, consumer: Consumer) -> None:
        if not self._astray or time.monotonic() < self._look_s:
            return
        self._look_s = time.monotonic() + _ASK_AGAIN_S
        for partition, wanted in tuple(self._astray.items()):
            try:
                low, _high = watermarks(consumer, partition)
            except (KafkaException, TimeoutError) as error:
                self._say(str(error))  # the topic may be gone for good: the others are read meanwhile
                return
            del self._astray[partition]
            self._begin_again(consumer, partition, low, is_trimmed=wanted < low)

    def _begin_again(self, consumer: Consumer, partition: TopicPartition, low: int, *, is_trimmed: bool) -> None:
        """Reading goes on from the oldest record there is; librdkafka has stopped it, and a seek would not revive it."""
        if is_trimmed:  # offsets still only grow, and what was read before is still open
            self._loop_side.tell_skipped(partition, low)
        else:  # made anew, or cut off: the same offsets will mean other records
            self._drained([partition])  # its commits are about offsets that are no more
            generation = next(self._generations)
            self._generation[partition] = self._assignment[partition] = generation
            self._loop_side.tell_assigned([Position(partition, low, None, "")], generation, [partition])
        consumer.incremental_unassign([bare(partition)])
        consumer.incremental_assign([at(partition, low)])

    # -- commands -----------------------------------------------------------------------------------------------------

    def _obey(self, consumer: Consumer) -> None:
        while (command := self._next_command()) is not None:
            self._carry_out(consumer, command)

    def _carry_out(self, consumer: Consumer, command: Command) -> None:
        match command:
            case Pause(partition, generation):
                if self._generation.get(partition) == generation:
                    consumer.pause([bare(partition)])
            case Resume():
                self._resume(consumer, command)
            case CommitAll(commits):
                self._commit(consumer, commits)
            case Stop():
                self._stopping = True

    def _resume(self, consumer: Consumer, command: Resume) -> None:
        if self._generation.get(command.partition) != command.before:
            return  # it went to another process meanwhile, or came back anew
        try:
            consumer.resume([bare(command.partition)])
            # Without the seek librdkafka waits up to 900 ms before it fetches a resumed partition; with it 2 ms.
            consumer.seek(at(command.partition, command.offset))
        except KafkaException:
            # Not fetching yet, right after an assignment: assign it again where reading is to go on.
            consumer.incremental_unassign([bare(command.partition)])
            consumer.incremental_assign([at(command.partition, command.offset)])
        self._generation[command.partition] = command.generation

    def _commit(self, consumer: Consumer, commits: Mapping[TopicPartition, tuple[int, Commit]]) -> None:
        ours = offsets_of(
            {each: commit for each, (began, commit) in commits.items() if self._assignment.get(each) == began}
        )
        if ours:
            try:
                consumer.commit(offsets=ours, asynchronous=True)
            except KafkaException as error:
                self._loop_side.tell_committed(error.args[0].str())

    def _on_commit(self, error: KafkaError | None, _partitions: object) -> None:
        self._loop_side.tell_committed(None if error is None else error.str())

    # -- rebalances, called by librdkafka inside poll and close -----------------------------------------------------------

    def _subscribe(self, consumer: Consumer) -> None:
        if self._config.group is None:
            self._assign_all(consumer)
            return
        consumer.subscribe(
            list(self._config.topics), on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
        )

    def _assign_all(self, consumer: Consumer) -> None:
        partitions = self._insist(lambda: partitions_of(consumer, self._config.topics))
        generation = next(self._generations)
        self._generation = dict.fromkeys(partitions, generation)
        self._loop_side.tell_assigned([Position(each, 0, None, "") for each in partitions], generation, [])
        consumer.assign([at(each, OFFSET_BEGINNING) for each in partitions])

    def _on_assign(self, consumer: Consumer, assigned: Sequence[confluent_kafka.TopicPartition]) -> None:
        partitions = [partition_of(each) for each in assigned]
        if not partitions:
            return
        positions, resets = self._insist(lambda: self._positions(consumer, partitions))
        generation = next(self._generations)
        self._generation |= dict.fromkeys(partitions, generation)
        self._assignment |= dict.fromkeys(partitions, generation)
        # Told before anything of them can be read.
        self._loop_side.tell_assigned(positions, generation, resets)
        consumer.incremental_assign([at(each.partition, each.start) for each in positions])
        consumer.resume([bare(each) for each in partitions])  # a pause flag survives a rebalance

    def _positions(self, consumer: Consumer, partitions: Sequence[TopicPartition]) -> Found:
        asked = self._loop_side.ask_starts(partitions)
        committed = committed_by_group(consumer, partitions) if asked is None else said(asked, partitions)
        return checked(consumer, committed, rewind_ms=self._config.rewind_ms)

    def _insist(self, call: Callable[[], _T]) -> _T:
        """Ask the broker until it answers: it may be away for any time, and without positions nothing can be read."""
        while True:
            self._alive_s = time.monotonic()
            try:
                return call()
            except (KafkaException, TimeoutError) as error:
                if self._stopping or (isinstance(error, KafkaException) and is_fatal(error.args[0])):
                    raise
                self._say(str(error))
                time.sleep(_ASK_AGAIN_S)
                self._heed_stop()

    def _say(self, awaited: str) -> None:
        """Log what is waited for, once and then rarely."""
        now_s = time.monotonic()
        before, said_s = self._said
        if awaited != before or now_s > said_s + _SAY_AGAIN_S:
            self._said = (awaited, now_s)
            _log.warning("kafka.awaited", extra={"group": self._config.group or "-", "error": awaited})

    def _heed_stop(self) -> None:
        # Inside a rebalance other commands have to wait, but a stop must not.
        commands: list[Command] = []
        while (command := self._next_command()) is not None:
            commands.append(command)
        self._stopping = self._stopping or any(isinstance(each, Stop) for each in commands)
        for each in commands:
            self.commands.put(each)

    def _next_command(self) -> Command | None:
        try:
            return self.commands.get_nowait()
        except queue.Empty:
            return None

    def _on_revoke(self, consumer: Consumer, revoked: Sequence[confluent_kafka.TopicPartition]) -> None:
        partitions = [partition_of(each) for each in revoked]
        commits = self._drained(partitions)
        ours = offsets_of({tp: commit for tp, commit in commits.items() if tp in self._generation})
        if ours:
            try:
                consumer.commit(offsets=ours, asynchronous=False)
            except KafkaException as error:
                self._loop_side.tell_committed(error.args[0].str())
        self._forget(partitions)
        consumer.incremental_unassign(list(revoked))

    def _drained(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, Commit]:
        asked = self._loop_side.ask_revoking(partitions)
        # The handler keeps the drain's deadline itself and says what is done by then; this one is for a loop that is stuck.
        deadline_s = time.monotonic() + self._config.drain_s + _STUCK_S
        while time.monotonic() < deadline_s:
            self._alive_s = time.monotonic()
            self.membership.waits(self._alive_s)
            with suppress(TimeoutError):
                return asked.result(_POLL_S)
        _log.warning("kafka.drain_ran_out", extra={"partitions": len(partitions), "drain_s": self._config.drain_s})
        asked.cancel()
        return {}

    def _on_lost(self, consumer: Consumer, lost: Sequence[confluent_kafka.TopicPartition]) -> None:
        partitions = [partition_of(each) for each in lost]
        self._loop_side.tell_lost(partitions)
        self._forget(partitions)
        consumer.incremental_unassign(list(lost))

    def _forget(self, partitions: Sequence[TopicPartition]) -> None:
        for partition in partitions:
            self._generation.pop(partition, None)
            self._astray.pop(partition, None)
            self._assignment.pop(partition, None)

    # -- reports ----------------------------------------------------------------------------------------------------------

    def _report_highs(self, consumer: Consumer) -> None:
        now_s = time.monotonic()
        if now_s - self._highs_s < _HIGHS_EVERY_S:
            return
        self._highs_s = now_s
        highs = {}
        for partition in self._generation:
            known = consumer.get_watermark_offsets(bare(partition), cached=True)
            if known is not None and known[1] >= 0:
                highs[partition] = known[1]
        self._loop_side.tell_highs(highs)

    def _on_error(self, error: KafkaError) -> None:
        if is_fatal(error):
            if not self._is_own_fault(error):
                self._loop_side.tell_fatal(KafkaException(error))
            return
        if is_outage(error):
            self._away_s = time.monotonic()
        if error.code() != KafkaError._TRANSPORT:  # noqa: SLF001
            _log.warning("kafka.client_error", extra={"group": self._config.group, "error": error.str()})

    def _is_own_fault(self, error: KafkaError) -> bool:
        """Whether the client has shut itself out, which a new one mends; else another process bears our name by now.

        After an outage as long as a session the client sends a commit that it kept, with the member id of the session that is
        over, and the broker takes it for an impostor's. A real one fences us whether brokers were away or not: then we are
        shut out once more, a minute after the outage at the latest, and end.
        """
        if self._config.group is None or time.monotonic() - self._away_s > _OUTAGE_REMEMBERED_S:
            return False
        if not self._is_shut_out:
            _log.warning("kafka.shut_out", extra={"group": self._config.group, "error": error.str()})
        self._is_shut_out = True
        return True
