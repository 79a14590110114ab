"""Writing what an event became: at once, a bounded number outstanding, again until the broker says yes."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from hookline.processors.composer import Outgoing
from hookline.processors.positions import OpenEvent
from hookline.runtime.log import Writer, Written
from hookline.runtime.metrics import Metrics
from hookline.schemas.errors import ContractError

_log = logging.getLogger("hookline.fanout")
_AGAIN_S = 0.5
# Written and not yet acknowledged, keys and values together: half of the client's own queue.
_BYTES_MAX = 64 * 1024 * 1024


@dataclass(slots=True)
class Batch:
    """The writes of one event. `substitute` makes the record that is written instead of one that is too large."""

    event: OpenEvent
    left: int
    done: Callable[[], None]
    substitute: Callable[[str], Outgoing]


class Writes:
    """All outstanding writes of one fan-out."""

    def __init__(
        self,
        writer: Writer,
        *,
        outstanding_max: int,
        metrics: Metrics,
        bytes_max: int = _BYTES_MAX,
        again_s: float = _AGAIN_S,
    ) -> None:
        self._writer = writer
        self._outstanding_max = outstanding_max
        self._bytes_max = bytes_max
        self._metrics = metrics
        self._again_s = again_s
        self._bytes = 0
        self._room = asyncio.Event()
        self.outstanding = 0
        metrics.fanout_outstanding.set_function(lambda: self.outstanding)

    async def write(self, outgoing: Sequence[Outgoing], batch: Batch) -> None:
        """Begin all of these writes, in parts if they are more than the bound; `batch.done` is called when all are acknowledged."""
        for each in outgoing:
            while not self._has_room():
                self._room.clear()
                await self._room.wait()
            if not batch.event.is_ours:
                return
            self.outstanding += 1
            self._bytes += len(each.value)
            self._begin(each, batch)

    def _has_room(self) -> bool:
        # The first one always fits, however large it is.
        return not self.outstanding or (self.outstanding < self._outstanding_max and self._bytes < self._bytes_max)

    def _begin(self, outgoing: Outgoing, batch: Batch) -> None:
        future = self._writer.write(outgoing.topic, key=outgoing.key, value=outgoing.value)
        future.add_done_callback(partial(self._ended, outgoing, batch))

    def _ended(self, outgoing: Outgoing, batch: Batch, future: "asyncio.Future[Written]") -> None:
        error = None if future.cancelled() else future.exception()
        if error is None and not future.cancelled():
            self._release(outgoing)
            self._acknowledged(batch)
        elif future.cancelled() or not batch.event.is_ours:
            self._release(outgoing)  # the loop is closing, or the event is another process's now
        elif isinstance(error, ContractError):
            self._release(outgoing)
            self._replace(batch, str(error))
        else:
            self._metrics.write_retries.labels(outgoing.topic).inc()
            asyncio.get_running_loop().call_later(self._again_s, self._write_again, outgoing, batch)

    def _write_again(self, outgoing: Outgoing, batch: Batch) -> None:
        if batch.event.is_ours:
            self._begin(outgoing, batch)
        else:
            self._release(outgoing)

    def _replace(self, batch: Batch, detail: str) -> None:
        # The topic takes no record of this size, today or ever (its limit was lowered): on record as a dead letter.
        outgoing = batch.substitute(detail)
        self.outstanding += 1
        self._bytes += len(outgoing.value)
        self._begin(outgoing, batch)

    def _release(self, outgoing: Outgoing) -> None:
        self.outstanding -= 1
        self._bytes -= len(outgoing.value)
        self._room.set()

    def _acknowledged(self, batch: Batch) -> None:
        batch.left -= 1
        if not batch.left:
            batch.done()
