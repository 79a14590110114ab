"""Which accounts history learns are erased, and what it has its store do about them."""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from fakes.clock import SetClock
from fakes.fanout import CODEC
from hookline.core.accounts import erased
from hookline.processors.erased import Erased
from hookline.processors.erasing import erase
from hookline.runtime.log import KafkaRecord, TopicPartition
from hookline.schemas.records import Account

TOPIC = "webhooks.accounts"


def of(account: Account | None, account_id: str, *, value: bytes | None = None) -> KafkaRecord:
    written = value if account is None else CODEC.encode(account)
    return KafkaRecord(TOPIC, 0, 0, 0, account_id.encode(), written)


def marker(account_id: str, at_ms: int = 5) -> KafkaRecord:
    return of(erased(account_id, None, now_ms=at_ms), account_id)


def living(account_id: str) -> KafkaRecord:
    return of(Account(account_id=account_id, name="Acme", created_at_ms=1), account_id)


@dataclass(slots=True)
class Store:
    """A store of accounts with so many parts each, and what was asked of it."""

    parts: dict[str, int]
    asked: list[str] = field(default_factory=list)

    async def mark_erased(self, accounts: Mapping[str, int]) -> Collection[str]:
        self.asked.append(f"mark {' '.join(sorted(accounts))}")
        return {each for each in accounts if self.parts.get(each)}

    async def erase_some(self, account_id: str) -> int:
        self.asked.append(account_id)
        left = self.parts.get(account_id, 0)
        self.parts[account_id] = max(0, left - 1)
        return left


def test_an_account_that_is_erased_stays_so_whatever_comes_later() -> None:
    known = Erased(CODEC)
    known.received([living("a"), marker("a"), living("a"), marker("b", 7), of(None, "b"), living("c")])
    known.received([of(None, "x", value=b"rubbish"), marker("a", 9)])
    assert known.accounts() == {"a": 5, "b": 7}


async def test_everything_is_marked_before_anything_goes_and_then_each_that_comes() -> None:
    known, store = Erased(CODEC), Store({"a": 2, "b": 0, "c": 1})
    task = asyncio.create_task(erase(store, known, clock=SetClock()))
    known.received([marker("a"), marker("b")])
    await asyncio.sleep(0)
    assert store.asked == []  # not before all is read that was there
    assert known.complaint() is not None
    known.ended(TopicPartition(TOPIC, 0), 2)
    assert known.complaint() is None
    async with asyncio.timeout(5):
        while "b" not in store.asked:
            await asyncio.sleep(0)
        known.received([marker("c")])
        while store.asked[-2:] != ["c", "c"]:
            await asyncio.sleep(0)
    task.cancel()
    assert [each for each in store.asked if each != "mark a b"] == ["a", "a", "a", "b", "mark a b c", "c", "c"]
