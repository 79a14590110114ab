"""One attempt after another with the real session and sender, without Kafka."""

import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from fakes.configuration import MASTER_KEY, delivery, subscription
from hookline.core.address import Reach
from hookline.core.verdict import error_of
from hookline.dispatchers.sender import Sender, Sent
from hookline.runtime.clock import SystemClock
from hookline.runtime.outbound_session import open_session
from hookline.runtime.settings import MasterKey
from hookline.schemas.records import Account, Subscription

LOOPBACK = Reach(loopback=True)
ORIGIN = "hookline.example"


@dataclass(slots=True)
class Attempting:
    """Sends to any URL; every call is a subscription of its own."""

    sender: Sender

    async def to(self, url: str, body: bytes = b"{}", *, timeout_s: int | None = None) -> Sent:
        return await self.of(replace(subscription(url), timeout_s=timeout_s), body)

    async def of(self, goal: Subscription, body: bytes = b"{}", *, account: Account | None = None) -> Sent:
        """One attempt for this subscription."""
        return await self.sender.send(delivery(goal, body), goal, account)

    async def error(self, url: str, *, timeout_s: int | None = None) -> tuple[str | None, str | None]:
        """The word and the sentence that go into the attempt."""
        return error_of((await self.to(url, timeout_s=timeout_s)).reply)


@asynccontextmanager
async def attempting(
    *,
    timeout_s: float = 5,
    reach: Reach = LOOPBACK,
    dns_servers: str = "",
    lookup_timeout_s: float = 5,
    tls: ssl.SSLContext | None = None,
    asymmetric_keys: Sequence[MasterKey] = (),
) -> AsyncIterator[Attempting]:
    """A sender whose session lasts as long as the block."""
    async with open_session(
        reach=reach, timeout_s=timeout_s, dns_servers=dns_servers, lookup_timeout_s=lookup_timeout_s, tls=tls
    ) as session:
        yield Attempting(
            Sender(
                session=session,
                master_keys=(MASTER_KEY,),
                asymmetric_keys=asymmetric_keys,
                origin=ORIGIN,
                clock=SystemClock(),
            )
        )
