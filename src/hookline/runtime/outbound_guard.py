"""The guard at the connect: it sees every address of every connection, also literals, which never reach a resolver."""

import socket
from collections.abc import Iterable

from aiohttp.connector import AddrInfoType

from hookline.core.address import Reach, may_be_called, may_use_port


class AddressRefusedError(OSError):
    """The address may not be called. The message names none: what a name resolves to is not the customer's business."""

    def __init__(self, _text: str = "") -> None:
        super().__init__("this address may not be called")


class Guard:
    """Says what may be called, and makes the sockets for it."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach

    def lets_all(self, addresses: Iterable[str]) -> bool:
        """Whether all of these may be called: of a name that has one bad address none is."""
        return all(may_be_called(address, self._reach) for address in addresses)

    def socket(self, address: AddrInfoType) -> socket.socket:
        """A socket for this connection; AddressRefusedError if it may not be made."""
        family, kind, protocol, _, place = address
        host, port = str(place[0]), int(place[1])
        if not (may_be_called(host, self._reach) and may_use_port(port, self._reach)) or self._reach.is_own(host, port):
            raise AddressRefusedError
        return socket.socket(family, kind, protocol)
