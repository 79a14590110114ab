"""The receiver of a chaos run, a process of its own: the smallest HTTP/1.1 server that will do, for it must cost next to nothing.

Endpoint 7 is `/e007`; the endpoints lie on several ports in turn. Healthy ones answer 200 after a delay. Some answer some of
their first attempts with 500, some hang for a while again and again, until all are healed. Lines tell it what to do: `vanish 1`
(close the second port and all its connections), `return 1`, `delay 0.2`, `heal`, `flush`; each is answered with a line.
"""

import asyncio
import json
import os
import sys
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, cast

import uvloop

from fakes.chaos_load import BODY_MARK, NUMBER_DIGITS
from fakes.chaos_sheets import Receipt, pack, receipts_file, tally_sheet
from hookline.runtime.broker_node import HOST, free_port

_TICK_S = 0.01
_ANSWERS = {status: b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status for status in (200, 500)}
_HANG = 0
_LAST_ANSWER_S = 0.1
_ROWS_KEPT = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Manners:
    """How the endpoints behave. The `failing` answer 500 to `fail_share` of the attempts up to the third.

    The `hanging` do not answer for the first `hang_s` of every `hang_every_s`.
    """

    endpoints: int
    ports: int
    seed: int
    delay_s: float
    failing: Sequence[int] = ()
    fail_share: float = 0.5
    hanging: Sequence[int] = ()
    hang_s: float = 6.0
    hang_every_s: float = 25.0

    def healthy(self) -> list[int]:
        return [each for each in range(self.endpoints) if each not in {*self.failing, *self.hanging}]

    def status(self, endpoint: int, *, number: int, attempt: int, at_s: float) -> int:
        """What to answer; the same for the same attempt, whenever it comes."""
        if endpoint in self.failing and attempt <= 3:
            drawn = blake2b(f"{self.seed} {number} {attempt}".encode(), digest_size=2).digest()
            return 500 if int.from_bytes(drawn) < self.fail_share * 65_536 else 200
        if endpoint in self.hanging and (at_s + 7 * endpoint) % self.hang_every_s < self.hang_s:
            return _HANG
        return 200


@dataclass(slots=True)
class _Taken:
    receipt: Receipt
    connection: "_Connection"
    number: int
    due_s: float


class Receiving:
    """Takes requests, answers them when their time has come, and keeps a row of each."""

    def __init__(self, manners: Manners, folder: Path) -> None:
        self._manners = manners
        self._is_healed = False
        self._delay_s = manners.delay_s
        self._started_s = time.monotonic()
        self._tally = tally_sheet(folder, endpoints=manners.endpoints)
        self._beyond: list[set[int]] = [set() for _ in range(manners.endpoints)]
        self._rows: list[bytes] = []
        self._file = receipts_file(folder).open("ab")
        self._waiting: deque[_Taken] = deque()

    def heal(self) -> None:
        self._is_healed = True

    def delay(self, delay_s: float) -> None:
        self._delay_s = delay_s

    def take(self, connection: "_Connection", head: bytes, body: bytes) -> _Taken:
        """One request; it is answered when its delay is over, if at all."""
        now_s = time.monotonic()
        at = body.find(BODY_MARK) + len(BODY_MARK)
        number = int(body[at : at + NUMBER_DIGITS])
        endpoint, attempt = int(head[head.index(b"/e") + 2 :][:3]), int(_header(head, b"x-webhook-attempt: "))
        status = self._status(endpoint, number, attempt, now_s)
        digest = blake2b(body, digest_size=8).digest()
        receipt = Receipt(now_s, 0, endpoint, attempt, status, _delivery(_header(head, b"webhook-id: ")), digest)
        taken = _Taken(receipt, connection, number, now_s + self._delay_s)
        self._tally["in_hand"][0] += 1
        if status != _HANG:
            self._waiting.append(taken)
        return taken

    def cut(self, taken: _Taken) -> None:
        """The sender went away before the answer."""
        self._tally["cut"][0] += 1
        self._end(taken, 0)

    async def answer_forever(self) -> None:
        while True:
            now_s = time.monotonic()
            while self._waiting and self._waiting[0].due_s <= now_s:
                self._answer(self._waiting.popleft())
            await asyncio.sleep(_TICK_S)

    def flush(self) -> None:
        self._file.write(b"".join(self._rows))
        self._file.flush()
        self._rows.clear()

    def _status(self, endpoint: int, number: int, attempt: int, now_s: float) -> int:
        if self._is_healed:
            return 200
        return self._manners.status(endpoint, number=number, attempt=attempt, at_s=now_s - self._started_s)

    def _answer(self, taken: _Taken) -> None:
        status = taken.receipt.status
        if taken.connection.taken is not taken or not taken.connection.answer(_ANSWERS[status]):
            return
        self._end(taken, status)
        if status == 200:
            self._mark_delivered(taken.receipt.endpoint, taken.number // self._manners.endpoints)

    def _end(self, taken: _Taken, status: int) -> None:
        found = taken.receipt
        self._tally["in_hand"][0] -= 1
        row = Receipt(
            found.received_s,
            time.monotonic(),
            found.endpoint,
            found.attempt,
            status,
            found.delivery,
            found.body_digest,
        )
        self._rows.append(pack(row))
        if len(self._rows) >= _ROWS_KEPT:
            self.flush()

    def _mark_delivered(self, endpoint: int, turn: int) -> None:
        beyond, unbroken = self._beyond[endpoint], self._tally["unbroken"][endpoint]
        if turn < unbroken or turn in beyond:
            return
        self._tally["delivered"][endpoint] += 1
        beyond.add(turn)
        while unbroken in beyond:
            beyond.remove(unbroken)
            unbroken += 1
        self._tally["unbroken"][endpoint] = unbroken


class _Connection(asyncio.Protocol):
    """One keep-alive connection; a sender waits for the answer before it sends the next request."""

    def __init__(self, receiving: Receiving, others: set["_Connection"]) -> None:
        self._receiving = receiving
        self._others = others
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._is_vanishing = False
        self.taken: _Taken | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one without saying so
        self._others.add(self)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, end, rest = self._buffer.partition(b"\r\n\r\n")
        if not end:
            return
        head = head[:200].split(b" ", 2)[1] + head.lower()
        length = int(_header(head, b"content-length: "))
        if len(rest) >= length:
            self._buffer = rest[length:]
            self.taken = self._receiving.take(self, head, rest[:length])

    def connection_lost(self, _error: Exception | None) -> None:
        self._others.discard(self)
        if self.taken is not None:
            taken, self.taken = self.taken, None
            self._receiving.cut(taken)

    def answer(self, answer: bytes) -> bool:
        """Whether there still is someone to answer to."""
        if self._transport is None or self._is_vanishing:
            return False
        self.taken = None
        self._transport.write(answer)
        return True

    def vanish(self) -> None:
        """Go without an answer to what is in hand; else give the last answer time to arrive, so that it is not lost with us."""
        assert self._transport is not None
        self._is_vanishing = True
        wait_s = 0.0 if self.taken is not None else _LAST_ANSWER_S
        asyncio.get_running_loop().call_later(wait_s, self._transport.abort)


class Port:
    """One port, which can vanish and come back."""

    def __init__(self, receiving: Receiving, number: int) -> None:
        self._receiving = receiving
        self._connections: set[_Connection] = set()
        self._server: asyncio.Server | None = None
        self.number = number

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Connection(self._receiving, self._connections), HOST, self.number, backlog=512
        )

    def vanish(self) -> None:
        assert self._server is not None
        self._server.close()
        for each in tuple(self._connections):
            each.vanish()


def _header(head: bytes, name: bytes) -> bytes:
    start = head.index(name) + len(name)
    end = head.find(b"\r", start)
    return head[start:] if end < 0 else head[start:end]


def _delivery(webhook_id: bytes) -> bytes:
    """The 16 bytes that a delivery's id is made of; of anything else a digest, which no delivery has."""
    text = webhook_id.removeprefix(b"delivery_").decode()
    try:
        found = bytes.fromhex(text)
    except ValueError:
        found = b""
    return found if len(found) == 16 else blake2b(webhook_id, digest_size=16).digest()


async def _obey(words: Sequence[str], receiving: Receiving, ports: Sequence[Port]) -> None:
    match words:
        case ["vanish", port]:
            ports[int(port)].vanish()
        case ["return", port]:
            await ports[int(port)].open()
        case ["delay", delay_s]:
            receiving.delay(float(delay_s))
        case ["heal"]:
            receiving.heal()
        case ["flush"]:
            receiving.flush()


def _end(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What this server did not understand ends it, and so the run: a receiver that guesses proves nothing."""
    loop.default_exception_handler(context)
    os._exit(1)


async def main(manners: Manners, folder: Path) -> None:
    asyncio.get_running_loop().set_exception_handler(_end)
    receiving = Receiving(manners, folder)
    # Ports that the system hands to nobody: a client that tries one that has vanished would in the end reach itself.
    ports = [Port(receiving, free_port(f"{folder} {each}")) for each in range(manners.ports)]
    for port in ports:
        await port.open()
    print(json.dumps([port.number for port in ports]), flush=True)
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    answering = asyncio.create_task(receiving.answer_forever())
    while line := await lines.readline():
        await _obey(line.decode().split(), receiving, ports)
        print("done", flush=True)
    answering.cancel()
    receiving.flush()


if __name__ == "__main__":
    _asked = json.loads(sys.argv[1])
    uvloop.run(main(Manners(**_asked["manners"]), Path(_asked["folder"])))
