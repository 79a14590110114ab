"""A real name server on this machine: small, over UDP, and as silent as a test wants it.

    async with name_server({"good.example.com": ["127.0.0.1"]}) as names:
        ...  # settings.dns_servers = names.address
        assert names.asked["good.example.com"] == 1

A name it does not know does not exist; one below `silent.test` is never answered.
"""

import asyncio
import ipaddress
import struct
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

SILENT = "silent.test"
_A, _AAAA, _IN = 1, 28, 1
_ANSWER, _NO_SUCH_NAME = 0x8180, 0x8183
_NAME_OF_QUESTION = 0xC00C


@dataclass(slots=True)
class Names:
    """What the server knows, and was asked: how often each name's IPv4 address."""

    known: dict[str, Sequence[str]]
    ttl_s: int
    address: str = ""
    asked: Counter[str] = field(default_factory=Counter)
    before_answer: Callable[[], None] = lambda: None

    def answer(self, query: bytes) -> bytes | None:
        """The answer's bytes; None: none."""
        name, end = _question(query)
        kind = int.from_bytes(query[end : end + 2])
        if kind == _A:
            self.asked[name] += 1
        self.before_answer()
        if name.endswith(SILENT):
            return None
        found = [ipaddress.ip_address(each) for each in self.known.get(name, ())]
        packed = [each.packed for each in found if each.version == (4 if kind == _A else 6)]
        flags = _ANSWER if name in self.known else _NO_SUCH_NAME
        head = query[:2] + struct.pack(">5H", flags, 1, len(packed), 0, 0)
        rows = [struct.pack(">3HIH", _NAME_OF_QUESTION, kind, _IN, self.ttl_s, len(each)) + each for each in packed]
        return head + query[12 : end + 4] + b"".join(rows)


class _Server(asyncio.DatagramProtocol):
    def __init__(self, names: Names) -> None:
        self._names = names
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        answer = self._names.answer(data)
        if answer is not None and self._transport is not None:
            self._transport.sendto(answer, addr)


@asynccontextmanager
async def name_server(known: Mapping[str, Sequence[str]], *, ttl_s: int = 300) -> AsyncIterator[Names]:
    """A name server on a free port of 127.0.0.1."""
    names = Names(dict(known), ttl_s)
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: _Server(names), local_addr=("127.0.0.1", 0)
    )
    names.address = f"127.0.0.1:{transport.get_extra_info('sockname')[1]}"
    try:
        yield names
    finally:
        transport.close()


def _question(query: bytes) -> tuple[str, int]:
    """The name asked for, and where it ends."""
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1 : at + 1 + query[at]].decode())
        at += query[at] + 1
    return ".".join(labels).lower(), at + 1
