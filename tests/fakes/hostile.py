"""Endpoints that behave badly, on real sockets: each takes a connection and does one thing wrong.

async with listening(one_byte_a_second_of_head) as port:
    ...  # http://127.0.0.1:{port}/
"""

import asyncio
import contextlib
import gzip
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

Manner = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
_PIECE = b"x" * 65_536
_BOMB = gzip.compress(bytes(32 * 1024 * 1024))


@asynccontextmanager
async def listening(manner: Manner, *, tls: ssl.SSLContext | None = None, port: int = 0) -> AsyncIterator[int]:
    """A server on a free port of 127.0.0.1 that treats every connection in this manner; yields the port."""
    serving: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        try:
            with contextlib.suppress(ConnectionError, ssl.SSLError, asyncio.CancelledError):
                await manner(reader, writer)
        finally:
            serving.discard(task)
            writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", port, ssl=tls)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        for task in list(serving):
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)


def saying(data: bytes, *, then_hang: bool = False) -> Manner:
    """Read the request's head, say this, and close, or wait without end."""

    async def manner(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(data)
        await writer.drain()
        if then_hang:
            await reader.read(-1)
        writer.close()

    return manner


def in_pieces(*pieces: bytes) -> Manner:
    """Say this piece by piece, each a segment of its own."""

    async def manner(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await reader.readuntil(b"\r\n\r\n")
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.01)
        await reader.read(-1)

    return manner


async def reset_at_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Take the connection, read something, and reset it."""
    await reader.read(1)
    linger_off = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_off)
    writer.transport.abort()


async def close_at_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Take the connection, read something, and close it."""
    await reader.read(1)


async def never_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read the request and say nothing. With an https URL: a TLS handshake that never ends."""
    while await reader.read(65_536):
        pass


async def never_read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Do not even read: the request stays in the sender's hands."""
    writer.transport.pause_reading()  # type: ignore[attr-defined]  # a transport of a socket is a read transport, too
    await asyncio.Event().wait()


def drop_by_drop(head: bytes, drop: bytes, *, every_s: float = 1.0) -> Manner:
    """Say the beginning, then a drop again and again: a byte a second."""

    async def manner(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while True:
            writer.write(drop)
            await writer.drain()
            await asyncio.sleep(every_s)

    return manner


def without_end(head: bytes, piece: bytes = _PIECE) -> Manner:
    """Say the beginning, then pieces for as long as somebody reads."""

    async def manner(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while True:
            writer.write(piece)
            await writer.drain()

    return manner


BODY_WITHOUT_END = without_end(HEAD + b"\r\n")
CHUNKS_WITHOUT_END = without_end(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + _PIECE + b"\r\n")
TINY_CHUNKS_WITHOUT_END = without_end(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n" * 10_000)
CHUNK_SIZE_WITHOUT_END = without_end(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"0" * 65_536)
CHUNK_EXTENSION_WITHOUT_END = without_end(HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;x=", _PIECE)
TRAILERS_WITHOUT_END = without_end(HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X-Trailer: x\r\n" * 5_000)
CHUNK_RUBBISH = without_end(HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", b"rubbish" * 10_000)
HEADER_LINE_WITHOUT_END = without_end(HEAD + b"X-Long: ")
HEADERS_WITHOUT_END = without_end(HEAD, b"".join(b"X-%d: y\r\n" % number for number in range(5_000)))
TEN_THOUSAND_HEADERS = saying(HEAD + b"".join(b"X-%d: y\r\n" % number for number in range(10_000)) + b"\r\n")
ODD_HEADERS = saying(
    HEAD
    + b"X-Bytes: \xff\xfe\x80\xc3\x28\r\nX-Empty:\r\nX-Tab:\ta\tb\r\nSet-Cookie: s=1\r\nContent-Length: 2\r\n"
    + b"".join(b"X-%d: " % number + b"y" * 500 + b"\r\n" for number in range(90))
    + b"\r\nok"
)
INTERIM_WITHOUT_END = without_end(b"", b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 100)
INTERIM_SLOWLY = drop_by_drop(b"", b"HTTP/1.1 100 Continue\r\n\r\n", every_s=0.3)
GZIP_BOMB = without_end(HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % (len(_BOMB) * 1_000), _BOMB)
HEAD_SLOWLY = drop_by_drop(HEAD + b"X-Slow: ", b"x")
HEADERS_SLOWLY = drop_by_drop(HEAD, b"X-Slow: y\r\n", every_s=0.1)
BODY_SLOWLY = drop_by_drop(HEAD + b"Content-Length: 1000\r\n\r\n", b"x")
TLS_SLOWLY = drop_by_drop(b"\x16\x03\x03\x10\x00\x02\x00\x0f\xfc\x03\x03", b"\x00")  # a ServerHello that takes its time
FULL_HEAD_THEN_NOTHING = saying(HEAD + (b"X-Long: " + b"y" * 7_000 + b"\r\n") * 9, then_hang=True)
FULL_BODY_THEN_NOTHING = saying(HEAD + b"Content-Length: 65000\r\n\r\n" + b"x" * 64_000, then_hang=True)
ANSWERED_AND_OPEN = saying(HEAD + b"Content-Length: 2\r\n\r\nok", then_hang=True)

ALL: Sequence[Manner] = (
    BODY_WITHOUT_END,
    CHUNKS_WITHOUT_END,
    TINY_CHUNKS_WITHOUT_END,
    CHUNK_SIZE_WITHOUT_END,
    CHUNK_EXTENSION_WITHOUT_END,
    TRAILERS_WITHOUT_END,
    CHUNK_RUBBISH,
    HEADER_LINE_WITHOUT_END,
    HEADERS_WITHOUT_END,
    TEN_THOUSAND_HEADERS,
    ODD_HEADERS,
    INTERIM_WITHOUT_END,
    INTERIM_SLOWLY,
    GZIP_BOMB,
    HEAD_SLOWLY,
    HEADERS_SLOWLY,
    BODY_SLOWLY,
    TLS_SLOWLY,
    FULL_HEAD_THEN_NOTHING,
    FULL_BODY_THEN_NOTHING,
    ANSWERED_AND_OPEN,
    never_answer,
    never_read,
    reset_at_once,
    close_at_once,
)
