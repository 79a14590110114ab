"""The proxy between Kafka's frames, in front of a server that answers each frame and keeps what it got."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import pytest

from fakes.proxy import Api, Gate, KafkaProxy, When, kafka_proxy
from fakes.road import free_port

_numbers = itertools.count(1)


class Server:
    """Answers each frame with its correlation id."""

    def __init__(self) -> None:
        self.got: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                frame = await reader.readexactly(int.from_bytes(await reader.readexactly(4)))
                self.got.append(frame[8:])
                writer.write((4).to_bytes(4) + frame[4:8])
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


class Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def close(self) -> None:
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()

    async def ask(self, api: int, body: bytes) -> bool:
        """Whether the answer came."""
        correlation = next(_numbers).to_bytes(4)
        frame = api.to_bytes(2) + bytes(2) + correlation + body
        self._writer.write(len(frame).to_bytes(4) + frame)
        try:
            return await self._reader.readexactly(8) == (4).to_bytes(4) + correlation
        except (asyncio.IncompleteReadError, ConnectionError):
            return False


Connect = Callable[[], Awaitable[Client]]


@asynccontextmanager
async def proxied() -> AsyncIterator[tuple[KafkaProxy, Server, Connect]]:
    server, port = Server(), free_port()
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    door = listening.sockets[0].getsockname()[1]
    async with listening, kafka_proxy(port, door=door) as proxy, AsyncExitStack() as clients:

        async def connect() -> Client:
            client = Client(*await asyncio.open_connection("127.0.0.1", port))
            clients.push_async_callback(client.close)
            return client

        yield proxy, server, connect


@pytest.mark.parametrize(
    ("when", "arrived"),
    [
        (When.BEFORE_IT_IS_PASSED_ON, [b"produce deliveries", b"fetch attempts"]),
        (When.AFTER_THE_BROKER_ANSWERED, [b"produce deliveries", b"fetch attempts", b"produce attempts"]),
    ],
)
async def test_at_the_gate_nothing_passes_any_more(when: When, arrived: list[bytes]) -> None:
    acted: list[str] = []
    async with proxied() as (proxy, server, connect):
        client, other = await connect(), await connect()
        proxy.close_at(Gate(Api.PRODUCE, "attempts", when), lambda: acted.append("killed"))
        assert await client.ask(0, b"produce deliveries")
        assert await client.ask(1, b"fetch attempts")
        assert not acted
        assert not await client.ask(0, b"produce attempts")
        assert acted == ["killed"]
        assert not await other.ask(0, b"produce deliveries")
        assert not await (await connect()).ask(0, b"produce deliveries")
    assert acted == ["killed"]
    assert server.got == arrived


async def test_once_opened_everything_passes_again_and_the_gate_is_gone() -> None:
    async with proxied() as (proxy, server, connect):
        acted: list[str] = []
        gate = Gate(Api.OFFSET_COMMIT, "group", When.BEFORE_IT_IS_PASSED_ON)
        proxy.close_at(gate, lambda: acted.append("killed"))
        assert not await (await connect()).ask(8, b"commit of group")
        assert acted == ["killed"]
        proxy.open()
        assert await (await connect()).ask(8, b"commit of group")
    assert server.got == [b"commit of group"]
