"""What a replay would send, counted without sending: for a dry run."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from hookline.core.ids import delivery_id
from hookline.core.resending import Counted, Known, needs_sending
from hookline.core.sieve import Sieve
from hookline.runtime.event_log import EventLog, Stretch
from hookline.runtime.history import open_history
from hookline.runtime.recovery_rows import States
from hookline.runtime.settings import Settings
from hookline.schemas.codec import Codec
from hookline.schemas.errors import NotYet
from hookline.schemas.records import Event, Subscription
from hookline.schemas.topics import Topics

_ANSWER_S = 10.0  # somebody waits for it
_RECORDS_MAX = 1_000_000
_AT_ONCE = 2  # each takes a good part of a core


@dataclass(slots=True)
class _Sum:
    looked_at: int = 0
    left_out: int = 0
    unreadable: int = 0
    by_type: Counter[str] = field(default_factory=Counter)

    def counted(self, *, is_whole: bool) -> Counted:
        return Counted(
            looked_at=self.looked_at,
            wanted=self.by_type.total(),
            left_out=self.left_out,
            unreadable=self.unreadable,
            by_type=dict(sorted(self.by_type.items())),
            is_whole=is_whole,
        )


class ReplayCounting:
    """Counts, for one subscription at a time, a few of them side by side."""

    def __init__(
        self,
        *,
        log: EventLog,
        states: States,
        is_cancelled: Callable[[str], bool],
        topics: Topics,
        codec: Codec,
        answer_s: float = _ANSWER_S,
        records_max: int = _RECORDS_MAX,
    ) -> None:
        self._log = log
        self._states = states
        self._is_cancelled = is_cancelled
        self._topics = topics
        self._codec = codec
        self._answer_s = answer_s
        self._records_max = records_max
        self._counting = 0

    async def count(
        self,
        subscription: Subscription,
        *,
        since_ms: int,
        until_ms: int,
        events: tuple[str, ...],
        everything: bool,
    ) -> Counted:
        """What a replay would do; what was counted in about 10 s or 1,000,000 records if that is not all. NotYet.

        NotYet if Kafka or the history store does not answer, or too many count now.
        """
        if self._counting >= _AT_ONCE:
            raise NotYet(f"{self._counting} others count what a replay would send")
        self._counting += 1
        try:
            sieve = Sieve(
                self._codec,
                account_id=subscription.account_id,
                subscribed=subscription.events,
                events=events,
                since_ms=since_ms,
                until_ms=until_ms,
            )
            return await self._counted(subscription, sieve, since_ms, until_ms, everything=everything)
        finally:
            self._counting -= 1

    async def _counted(
        self, subscription: Subscription, sieve: Sieve, since_ms: int, until_ms: int, *, everything: bool
    ) -> Counted:
        found = _Sum()
        positions = await self._log.bounds(sieve.topics(self._topics), since_ms=since_ms, until_ms=until_ms)
        until_s = asyncio.get_running_loop().time() + self._answer_s
        async with self._log.reading(positions, lambda each: sieve.picked(each.timestamp_ms, each.value)) as reading:
            while not reading.is_done:
                if found.looked_at >= self._records_max or asyncio.get_running_loop().time() > until_s:
                    return self._partly(found)
                for stretch in (stretches := await reading.next()):
                    found.looked_at += stretch.looked_at
                    found.unreadable += stretch.unreadable
                await self._add(found, subscription, stretches, everything=everything)
        return found.counted(is_whole=True)

    async def _add(
        self, found: _Sum, subscription: Subscription, stretches: Sequence[Stretch[Event]], *, everything: bool
    ) -> None:
        of, events = subscription, [each.value for stretch in stretches for each in stretch.picked]
        ids = [delivery_id(each.account_id, each.event_id, of.subscription_id) for each in events]
        known: Mapping[str, Known] = {}
        if ids and not everything:
            known = await self._states.states(
                account_id=of.account_id, subscription_id=of.subscription_id, delivery_ids=ids
            )
        needed = [
            needs_sending(known.get(each), of, everything=everything, is_cancelled=self._is_cancelled) for each in ids
        ]
        found.by_type.update(event.type for event, is_needed in zip(events, needed, strict=True) if is_needed)
        found.left_out += needed.count(False)

    def _partly(self, found: _Sum) -> Counted:
        if not found.looked_at:
            raise NotYet("Kafka did not hand out an event in time")
        return found.counted(is_whole=False)


@asynccontextmanager
async def open_counting(
    settings: Settings,
    *,
    is_cancelled: Callable[[str], bool],
    topics: Topics,
    codec: Codec,
    states: States | None = None,
) -> AsyncIterator[ReplayCounting]:
    """Counting for the block. `states`: the history store's `recovery()`, if it is open already.

    `is_cancelled` says of a job's id whether the job was cancelled (`View.is_cancelled`).
    """
    log = EventLog(settings.bootstrap_servers)
    if states is not None:
        yield ReplayCounting(log=log, states=states, is_cancelled=is_cancelled, topics=topics, codec=codec)
        return
    async with open_history(settings) as store:
        yield ReplayCounting(log=log, states=store.recovery(), is_cancelled=is_cancelled, topics=topics, codec=codec)
