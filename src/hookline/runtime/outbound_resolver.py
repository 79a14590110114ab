"""Addresses of endpoints' names. A name whose servers never answer costs its own domain time, and nobody else.

Lookups are c-ares's: one that hangs holds no thread. A name with one address that may not be called has none; the guard
looks at each once more when it is connected to.
"""

import asyncio
import socket
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache, partial

import aiodns
import pycares
from aiohttp.abc import AbstractResolver, ResolveResult
from publicsuffixlist import PublicSuffixList

from hookline.runtime.clock import Clock
from hookline.runtime.metrics import Metrics
from hookline.runtime.outbound_guard import AddressRefusedError, Guard
from hookline.schemas.errors import ConfigError

_TTL_MIN_S, _TTL_MAX_S = 5.0, 60.0
_FAILURE_TTL_S = 5.0
_KNOWN_MAX = 10_000  # names kept; a few hundred bytes each
_DOMAIN_LOOKUPS_MAX = 8  # at once, for the names of one registrable domain
_ROOM_WAIT = 0.8  # of a lookup's time; then there is too little left to be worth asking
_LOOKUPS_MAX = 10_000  # at once; far more than there are requests in flight
_ADDRESSES_MAX = 8  # of one name: each may be tried
_FORGET_S = 1.0  # well below the shortest that an answer is kept
# The machine's search domains and aliases must not complete a customer's name.
_AS_WRITTEN = pycares.ARES_FLAG_NOSEARCH | pycares.ARES_FLAG_NOALIASES
# A query is sent a second time after two fifths of the time, and given up when the time is over.
_FIRST_TRY, _TRIES = 0.4, 2
_NOBODY_ANSWERED = frozenset({aiodns.error.ARES_ETIMEOUT, aiodns.error.ARES_ECONNREFUSED, aiodns.error.ARES_ECANCELLED})


class NameUnknownError(OSError):
    """The name has no address, or its name servers can't say one."""


class NameServersSilentError(OSError):
    """No name server answered in time."""


Key = tuple[str, socket.AddressFamily]


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of a name until a time: its addresses, or why there are none."""

    addresses: Sequence[tuple[str, socket.AddressFamily]]
    failure: type[OSError] | None
    until_s: float


@dataclass(slots=True)
class _Domain:
    """The lookups for the names of one registrable domain, with those that wait for room."""

    room: asyncio.Semaphore
    users: int = 0


@cache
def _public_suffixes() -> PublicSuffixList:
    """Read once in a process: its 10,000 lines take 0.1 s."""
    return PublicSuffixList()


class Resolver(AbstractResolver):
    """Looks each name up once at a time, and keeps what it found for as long as its TTL says, from 5 s to 60 s."""

    def __init__(self, *, servers: str, timeout_s: float, guard: Guard, clock: Clock, metrics: Metrics) -> None:
        """`servers`: addresses, or address:port, separated by commas; empty: the system's."""
        self._guard = guard
        self._timeout_s = timeout_s
        self._clock = clock
        self._metrics = metrics
        self._client = _client(servers, timeout_s)
        self._suffixes = _public_suffixes()
        self._known: OrderedDict[Key, _Known] = OrderedDict()
        self._lookups: dict[Key, asyncio.Task[_Known]] = {}
        self._domains: dict[str, _Domain] = {}
        self._forgetting: asyncio.TimerHandle | None = None
        metrics.lookups_in_flight.set_function(lambda: len(self._lookups))

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The name's addresses; OSError if there are none, or none were found in time."""
        key = (host.rstrip("."), family)
        known = self._known.get(key)
        if known is None or known.until_s <= self._clock.monotonic_s():
            known = await self._look_up(key)
        if known.failure is not None:
            raise known.failure("the host name could not be resolved")
        return [
            ResolveResult(hostname=host, host=address, port=port, family=kind, proto=0, flags=socket.AI_NUMERICHOST)
            for address, kind in known.addresses
        ]

    async def close(self) -> None:
        """End what is being looked up."""
        if self._forgetting is not None:
            self._forgetting.cancel()
        lookups = list(self._lookups.values())
        for task in lookups:
            task.cancel()
        await asyncio.gather(*lookups, return_exceptions=True)
        await self._client.close()

    async def _look_up(self, key: Key) -> _Known:
        """Wait for the name's one lookup, but not for longer than a lookup may take; it goes on when nobody waits."""
        if key not in self._lookups:
            if len(self._lookups) >= _LOOKUPS_MAX:
                return self._counted("crowded", self._failed(NameServersSilentError))
            self._lookups[key] = asyncio.create_task(self._ask(key))
            self._lookups[key].add_done_callback(partial(self._ended, key))
        lookup = self._lookups[key]
        await asyncio.wait({lookup}, timeout=self._timeout_s)
        if lookup.done():
            return lookup.result()
        return self._keep(key, self._failed(NameServersSilentError))

    async def _ask(self, key: Key) -> _Known:
        host, family = key
        try:
            async with self._room(host):
                found = await self._client.getaddrinfo(host, family=family, type=socket.SOCK_STREAM)
        except TimeoutError:
            return self._counted("crowded", self._failed(NameServersSilentError))
        except aiodns.error.DNSError as error:
            if error.args[0] in _NOBODY_ANSWERED:
                return self._counted("silent", self._keep(key, self._failed(NameServersSilentError)))
            return self._counted("unknown", self._keep(key, self._failed(NameUnknownError)))
        return self._counted("found", self._keep(key, self._found(found)))

    @asynccontextmanager
    async def _room(self, host: str) -> AsyncIterator[None]:
        """One of the domain's places, held for as long as c-ares takes, be it longer than anybody waits for it."""
        name = self._suffixes.privatesuffix(host) or host
        domain = self._domains.setdefault(name, _Domain(asyncio.Semaphore(_DOMAIN_LOOKUPS_MAX)))
        domain.users += 1
        try:
            async with asyncio.timeout(self._timeout_s * _ROOM_WAIT):
                await domain.room.acquire()
            try:
                yield
            finally:
                domain.room.release()
        finally:
            domain.users -= 1
            if not domain.users:
                del self._domains[name]

    def _found(self, found: pycares.AddrInfoResult) -> _Known:
        addresses = [(node.addr[0].decode(), socket.AddressFamily(node.family)) for node in found.nodes]
        if not self._guard.lets_all(address for address, _ in addresses):
            return self._failed(AddressRefusedError)
        ttl_s = min(max(_TTL_MIN_S, min(node.ttl for node in found.nodes)), _TTL_MAX_S)
        return _Known(addresses[:_ADDRESSES_MAX], None, self._clock.monotonic_s() + ttl_s)

    def _failed(self, failure: type[OSError]) -> _Known:
        return _Known((), failure, self._clock.monotonic_s() + _FAILURE_TTL_S)

    def _counted(self, outcome: str, known: _Known) -> _Known:
        self._metrics.lookups.labels(outcome).inc()
        return known

    def _keep(self, key: Key, known: _Known) -> _Known:
        self._known[key] = known
        self._known.move_to_end(key)
        if len(self._known) > _KNOWN_MAX:
            self._known.popitem(last=False)
        return known

    def _ended(self, key: Key, lookup: asyncio.Task[_Known]) -> None:
        del self._lookups[key]
        if not lookup.cancelled() and lookup.exception() is None and self._forgetting is None:
            self._forgetting = asyncio.get_running_loop().call_later(_FORGET_S, self._forget)

    def _forget(self) -> None:
        """C-ares keeps answers for up to an hour, and has no switch for it here: how long they count is ours to say."""
        self._forgetting = None
        self._client._channel.reinit()  # noqa: SLF001 - aiodns has no door to it


def _client(servers: str, timeout_s: float) -> aiodns.DNSResolver:
    given = [each.strip() for each in servers.split(",") if each.strip()]
    try:
        return aiodns.DNSResolver(given, flags=_AS_WRITTEN, timeout=timeout_s * _FIRST_TRY, tries=_TRIES)
    except (pycares.AresError, UnicodeError) as error:
        raise ConfigError(f"HOOKLINE_DNS_SERVERS is {servers!r}; it must be addresses, or address:port") from error
