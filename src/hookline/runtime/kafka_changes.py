"""`Changes` on Apache Kafka: one transaction for each change, behind a fence that one process holds at a time."""

import asyncio
import itertools
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from time import monotonic
from typing import Any, Protocol, TypeVar

from hookline.runtime.changes import Decision, Result, Unapplied, Unchanged, Unknown, Write
from hookline.runtime.end_offsets import EndOffsets
from hookline.runtime.kafka_fence import (
    Deadline,
    Fence,
    FenceConfig,
    InDoubt,
    NotWritten,
    Sent,
    TopicMissing,
    is_there,
    taken,
)
from hookline.runtime.log import TopicPartition
from hookline.runtime.metrics import Metrics
from hookline.schemas.errors import NotYet
from hookline.schemas.topics import Topics

_log = logging.getLogger("hookline.changes")
_ANSWER_S = 10.0  # a broker that elects a new leader needs a few seconds; a client waits no longer than this
_ASK_AGAIN_S = 0.1  # a broker that is away
# After a transaction that came to nothing: at once, then 10 ms, 30 ms, ... Whoever was quicker needs about 10 ms to finish.
_AGAIN_FIRST_S = 0.01
_AGAIN_MAX_S = 0.5

_T = TypeVar("_T")


class Followed(Protocol):
    """What decisions are made on (`hookline.runtime.view.View`)."""

    def followed(self) -> Sequence[str]:
        """Its topics, each of one partition."""
        ...

    async def wait_applied(self, topic: str, offset: int, *, timeout_s: float) -> None:
        """Return once the record at `offset` has been applied; NotYet after `timeout_s` seconds."""
        ...


class Ends(Protocol):
    """Says where topics end (`hookline.runtime.end_offsets.EndOffsets`)."""

    async def ends(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        """The offset that the next record of each partition will have; NotYet."""
        ...

    async def close(self) -> None: ...


def fence_name(topics: Topics) -> str:
    """The transactional id that all processes which change the configuration share."""
    return f"{topics.prefix}hookline.configuration"


class KafkaChanges:
    """A `Changes` on Kafka. Nothing is asked of the broker before the first change.

    One change at a time is made in a process. A caller that is cancelled does not stop the change that has begun for it.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        *,
        topics: Topics,
        view: Followed,
        ends: Ends,
        metrics: Metrics,
        answer_s: float = _ANSWER_S,
    ) -> None:
        self._config = FenceConfig(
            bootstrap_servers=bootstrap_servers, name=fence_name(topics), topic=topics.subscriptions
        )
        self._ours = (topics.subscriptions, topics.accounts)  # written by nobody but the holder of the fence
        self._view = view
        self._ends = ends
        self._metrics = metrics
        self._answer_s = answer_s
        self._lock = asyncio.Lock()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="configuration-fence")
        self._fence: Fence | None = None
        self._is_settled = True
        self._own: dict[str, int] = {}  # the offset of the last record that we wrote to each topic of the view
        self._running: set[asyncio.Task[Any]] = set()
        self._is_closing = False

    async def make(self, decide: Callable[[], Decision[Result]]) -> Result:
        """See `Changes`. Answers, one way or another, within `answer_s` seconds."""
        deadline = Deadline.after(self._answer_s)
        await self._turn(deadline)
        # Nothing may be awaited between the turn and the task that ends it. The caller may be cancelled, the task is not: a
        # transaction can't be called back, and until the view shows it nobody else here may decide.
        task = asyncio.get_running_loop().create_task(self._made(decide, deadline))
        self._running.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Wait (bounded) for the change under way; those that wait for their turn are refused."""
        self._is_closing = True
        if self._running:
            await asyncio.wait(self._running, timeout=self._answer_s + _ASK_AGAIN_S)
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        self._drop(self._fence)
        self._fence = None
        self._thread.shutdown(wait=False)
        await self._ends.close()

    async def _turn(self, deadline: Deadline) -> None:
        try:
            async with asyncio.timeout(deadline.left_s()):
                await self._lock.acquire()
        except TimeoutError as error:
            raise Unchanged("other changes are still waiting for Kafka") from error
        if self._is_closing:
            self._lock.release()
            raise Unchanged("this process is ending")

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        self._lock.release()
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # its caller may have gone

    # -- one change -----------------------------------------------------------------------------------------------------

    async def _made(self, decide: Callable[[], Decision[Result]], deadline: Deadline) -> Result:
        began_s = monotonic()
        for tries in itertools.count():
            if self._fence is None and (tries or not self._is_settled):
                await self._insist(self._take, deadline, Unchanged)
            ends = await self._insist(self._catch_up, deadline, Unchanged)
            decision = decide()
            if not decision.writes:
                return decision.result
            if self._fence is None:
                continue  # it is taken for what is to be written only; and then somebody may have been quicker
            sent = await self._written(decision.writes, ends, deadline)
            if sent is not None:
                await self._shown(sent, deadline)
                self._metrics.change_seconds.observe(monotonic() - began_s)
                return decision.result
            await asyncio.sleep(min(_AGAIN_MAX_S, _AGAIN_FIRST_S * (2**tries - 1)))
        raise AssertionError  # the count has no end

    async def _insist(self, step: Callable[[Deadline], Awaitable[_T]], deadline: Deadline, refusal: type[NotYet]) -> _T:
        """Try until it works; `refusal` when the time is up."""
        while True:
            try:
                return await step(deadline)
            except NotYet as error:
                if deadline.left_s() <= _ASK_AGAIN_S:
                    raise refusal(str(error)) from error
                await asyncio.sleep(_ASK_AGAIN_S)

    async def _take(self, deadline: Deadline) -> None:
        self._fence = await self._in_thread(taken, self._config, deadline)
        self._is_settled = True
        self._metrics.fences_taken.inc()

    async def _catch_up(self, deadline: Deadline) -> Mapping[str, int]:
        """Wait until the view has all that is confirmed; where the topics end that only the fence's holder writes to."""
        for topic, offset in self._own.items():
            # First: the broker says yes to a commit before the topic's end moves, and the view may have been late.
            await self._view.wait_applied(topic, offset, timeout_s=deadline.left_s())
        ends = await self._asked(deadline)
        for topic, end in ends.items():
            await self._view.wait_applied(topic, end - 1, timeout_s=deadline.left_s())
        return {topic: ends[topic] for topic in self._ours}

    async def _asked(self, deadline: Deadline) -> Mapping[str, int]:
        topics = self._view.followed()
        try:
            async with asyncio.timeout(deadline.left_s()):
                found = await self._ends.ends([TopicPartition(topic, 0) for topic in topics])
        except TimeoutError as error:
            raise NotYet("the broker did not say in time where topics end") from error
        ends = {partition.topic: end for partition, end in found.items() if end >= 0}
        if missing := [topic for topic in topics if topic not in ends]:
            raise NotYet(f"the broker did not say where {missing[0]} ends")
        return ends

    async def _written(
        self, writes: Sequence[Write], ends: Mapping[str, int], deadline: Deadline
    ) -> Sequence[Sent] | None:
        """Where it was written; None if it was not, and another try may do better."""
        try:
            sent: Sequence[Sent] | None = await self._transact(writes, ends, deadline)
        except NotWritten as error:
            if isinstance(error, TopicMissing) or deadline.left_s() <= _ASK_AGAIN_S:
                raise Unchanged(str(error)) from error
            _log.debug("change.not_written", extra={"error": str(error)})
            return None
        except InDoubt as error:
            self._is_settled = False
            sent = await self._fate(error, deadline)
        for each in sent or ():
            if each.write.topic in self._view.followed():
                self._own[each.write.topic] = each.offset
        return sent

    async def _transact(self, writes: Sequence[Write], ends: Mapping[str, int], deadline: Deadline) -> Sequence[Sent]:
        fence, self._fence = self._fence, None  # it comes back if all goes well
        if fence is None:
            raise NotWritten("the fence is not held")
        try:
            sent = await self._in_thread(partial(fence.write, writes, ends=ends, deadline=deadline))
        except BaseException:
            self._drop(fence)
            raise
        if fence.is_sound:
            self._fence = fence
        else:
            self._drop(fence)
        return sent

    async def _fate(self, doubt: InDoubt, deadline: Deadline) -> Sequence[Sent] | None:
        """The commit was not answered. Taking the fence settles it; then its records are there, or never will be."""
        await self._insist(self._take, deadline, Unknown)
        found = await self._insist(partial(self._look, doubt.sent), deadline, Unknown)
        _log.info("change.fate_found", extra={"error": str(doubt), "written": found})
        return doubt.sent if found else None

    async def _look(self, sent: Sequence[Sent], deadline: Deadline) -> bool:
        return await self._in_thread(is_there, self._config, sent, deadline)

    async def _shown(self, sent: Sequence[Sent], deadline: Deadline) -> None:
        followed = self._view.followed()
        last = {each.write.topic: each.offset for each in sent if each.write.topic in followed}
        try:
            for topic, offset in last.items():
                await self._view.wait_applied(topic, offset, timeout_s=deadline.left_s())
        except NotYet as error:
            raise Unapplied(str(error)) from error

    async def _in_thread(self, call: Callable[..., _T], *arguments: object) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call, *arguments)

    def _drop(self, fence: Fence | None) -> None:
        if fence is not None:
            self._thread.submit(fence.give_up)


@asynccontextmanager
async def open_changes(
    bootstrap_servers: str, *, topics: Topics, view: Followed, metrics: Metrics, answer_s: float = _ANSWER_S
) -> AsyncIterator[KafkaChanges]:
    """A `Changes` for the block, on the view that this process follows; the change under way is waited for at its end."""
    changes = KafkaChanges(
        bootstrap_servers,
        topics=topics,
        view=view,
        ends=EndOffsets(bootstrap_servers),
        metrics=metrics,
        answer_s=answer_s,
    )
    try:
        yield changes
    finally:
        await changes.close()
