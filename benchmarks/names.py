"""A name server that answers every name with 127.0.0.1, and never those that begin with `silent`. Prints its port."""

import asyncio
import sys
from typing import cast

_A, _ADDRESS = b"\x00\x01", bytes([127, 0, 0, 1])
_HEADER_BYTES, _TTL_S = 12, 60


class Answering(asyncio.DatagramProtocol):
    """One question a packet, as every resolver asks."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)  # by its methods it is one, by its class not

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        answer = answer_to(data)
        if answer is not None:
            self._transport.sendto(answer, addr)


def answer_to(question: bytes) -> bytes | None:
    """The reply, with an address if one of IPv4 was asked for; None: there is none."""
    end = question.index(b"\x00", _HEADER_BYTES) + 1  # of the name; its type and class follow
    if question[_HEADER_BYTES + 1 : end].lower().startswith(b"silent"):
        return None
    is_a = question[end : end + 2] == _A
    flags, counts = b"\x81\x80", b"\x00\x01" + (b"\x00\x01" if is_a else b"\x00\x00") + bytes(4)
    asked = question[_HEADER_BYTES : end + 4]
    record = b"\xc0\x0c\x00\x01\x00\x01" + _TTL_S.to_bytes(4, "big") + b"\x00\x04" + _ADDRESS
    return question[:2] + flags + counts + asked + (record if is_a else b"")


async def main() -> None:
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(Answering, ("127.0.0.1", 0))
    sys.stdout.write(f"{transport.get_extra_info('sockname')[1]}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


asyncio.run(main())
