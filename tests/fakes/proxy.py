"""A TCP proxy that understands Kafka's frames, and acts at the exact place between two of them.

    async with kafka_proxy(port, door=door) as proxy:
        gate = Gate(Api.PRODUCE, topics.attempts, When.BEFORE_IT_IS_PASSED_ON)
        proxy.close_at(gate, kill)
        ...
        proxy.open()

When a request that fits comes by, `kill` is called and from that moment on nothing passes, in either direction.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass
from enum import Enum, IntEnum, auto
from functools import partial
from typing import Any

from hookline.runtime.broker_node import HOST

_LENGTH_BYTES = 4
_FRAME_BYTES_MAX = 16 * 1024 * 1024  # more than a batch may have


class Api(IntEnum):
    """The requests that change something, by the numbers that their first two bytes hold."""

    PRODUCE = 0
    OFFSET_COMMIT = 8
    INIT_PRODUCER_ID = 22
    END_TXN = 26


class When(Enum):
    """On which side of the broker's work the proxy acts."""

    BEFORE_IT_IS_PASSED_ON = auto()
    AFTER_THE_BROKER_ANSWERED = auto()  # the answer is not passed back


@dataclass(frozen=True, slots=True)
class Gate:
    """One place between two frames: the next request of this kind that names this topic, group or transactional id."""

    api: Api
    name: str
    when: When

    def fits(self, request: bytes) -> bool:
        return int.from_bytes(request[:2]) == self.api and self.name.encode() in request


class KafkaProxy:
    """Passes everything on, until its gate is reached; then nothing, until it is opened again."""

    def __init__(self, door: int) -> None:
        self._door = door
        self._gate: Gate | None = None
        self._act: Callable[[], None] = _do_nothing
        self._is_open = True
        self.answered_bytes = 0  # that the broker has sent
        self._links: set[asyncio.Task[None]] = set()

    def close_at(self, gate: Gate, act: Callable[[], None]) -> None:
        """Call `act` at the gate, once, and let nothing pass from then on."""
        self._gate, self._act = gate, act

    def open(self) -> None:
        """Let what connects from now on pass."""
        self._gate, self._is_open = None, True

    async def close(self) -> None:
        """Let nothing pass from now on, and end the connections there are."""
        self._gate, self._is_open = None, False
        await self.cut()

    def link(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take a client's connection."""
        task = asyncio.create_task(self._serve(reader, writer))
        self._links.add(task)
        task.add_done_callback(self._links.discard)

    async def cut(self) -> None:
        """End every connection."""
        for task in self._links:
            task.cancel()
        await asyncio.gather(*self._links, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer), suppress(OSError):
            broker_reader, broker_writer = await asyncio.open_connection(HOST, self._door)
            awaited: set[bytes] = set()  # of which requests the answer must not come back
            with closing(broker_writer):
                await _first_of(
                    _pass_on(reader, broker_writer, partial(self._may_go, awaited)),
                    _pass_on(broker_reader, writer, partial(self._may_come, awaited)),
                )

    def _may_go(self, awaited: set[bytes], request: bytes) -> bool:
        if self._gate is not None and self._gate.fits(request):
            if self._gate.when is When.BEFORE_IT_IS_PASSED_ON:
                self._close()
            else:
                awaited.add(request[4:8])  # its correlation id
        return self._is_open

    def _may_come(self, awaited: set[bytes], answer: bytes) -> bool:
        self.answered_bytes += len(answer)
        if self._gate is not None and answer[:4] in awaited:
            self._close()
        return self._is_open

    def _close(self) -> None:
        self._gate, self._is_open = None, False
        self._act()


@asynccontextmanager
async def kafka_proxy(port: int, *, door: int) -> AsyncIterator[KafkaProxy]:
    """A proxy that listens on `port`, the one the broker tells its clients, and passes on to the broker's own `door`."""
    proxy = KafkaProxy(door)
    server = await asyncio.start_server(proxy.link, HOST, port)
    try:
        yield proxy
    finally:
        server.close()
        await proxy.cut()
        await server.wait_closed()


async def _pass_on(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, may_pass: Callable[[bytes], bool]
) -> None:
    with suppress(OSError, asyncio.IncompleteReadError):  # one side has ended
        while may_pass(frame := await _frame(reader)):
            writer.write(len(frame).to_bytes(_LENGTH_BYTES) + frame)
            await writer.drain()


async def _frame(reader: asyncio.StreamReader) -> bytes:
    length = int.from_bytes(await reader.readexactly(_LENGTH_BYTES))
    assert length <= _FRAME_BYTES_MAX, f"a frame of {length} bytes: this is not Kafka's protocol"
    return await reader.readexactly(length)


async def _first_of(*both: Coroutine[Any, Any, None]) -> None:
    """Until one has ended; then the other is ended, too."""
    tasks = [asyncio.create_task(each) for each in both]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _do_nothing() -> None:
    """Until a gate is set there is nothing to do."""
