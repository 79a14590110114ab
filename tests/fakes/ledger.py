"""Every event published, with Kafka's yes, held against every webhook received: what is lost, unexpected, repeated or wrong.

The ledger is made when a run is over, from what publisher and receiver kept (`chaos_sheets`).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

from fakes.chaos_load import Load
from fakes.chaos_sheets import Receipt, Sheet

ATTEMPTS_MAX = 7  # the contract's


@dataclass(frozen=True, slots=True)
class Entry:
    """One event: what must arrive for it, and what did."""

    number: int
    published_s: float
    acked_s: float
    delivery: bytes
    receipts: list[Receipt] = field(default_factory=list)

    @property
    def is_delivered(self) -> bool:
        return any(each.status == 200 for each in self.receipts)


@dataclass(frozen=True, slots=True)
class Repeat:
    """A request that came once too often, and the one before it."""

    receipt: Receipt
    earlier: Receipt

    @property
    def received_s(self) -> float:
        return self.receipt.received_s


@dataclass(frozen=True, slots=True)
class Ledger:
    """What did not go as it should. Each finding has its time: a loss when the event was published, the others when they came."""

    published: int
    acked: int
    received: int
    lost: Sequence[Entry]
    unexpected: Sequence[Receipt]
    wrong_bodies: Sequence[Receipt]
    repeats: Sequence[Repeat]
    beyond_attempts: Sequence[Receipt]
    missed_answers: int
    answered_s: Sequence[float]

    def answered_between(self, from_s: float, until_s: float) -> int:
        """How many requests were answered in that time."""
        return sum(from_s <= each < until_s for each in self.answered_s)


def make_ledger(load: Load, sent: Sheet, received: Iterable[Receipt]) -> Ledger:
    """Compare. An event without Kafka's yes may have arrived or not; with it, it must have."""
    entries = {each.delivery: each for each in _entries(load, sent)}
    every, unexpected = list(received), []
    for receipt in every:
        entry = entries.get(receipt.delivery)
        if entry is None:
            unexpected.append(receipt)
        else:
            entry.receipts.append(receipt)
    return Ledger(
        published=len(entries),
        acked=sum(each.acked_s > 0 for each in entries.values()),
        received=len(every),
        lost=[each for each in entries.values() if each.acked_s and not each.is_delivered],
        unexpected=unexpected,
        wrong_bodies=[receipt for each in entries.values() for receipt in _wrong_bodies(load, each)],
        repeats=[repeat for each in entries.values() for repeat in repeats(each.receipts)],
        beyond_attempts=[each for each in every if each.attempt > ATTEMPTS_MAX],
        missed_answers=sum(missed_answers(each.receipts) for each in entries.values()),
        answered_s=[each.ended_s for each in every if each.status],
    )


def repeats(receipts: Iterable[Receipt]) -> Iterator[Repeat]:
    """Requests that came twice: the same attempt of the same delivery."""
    of_number = dict[int, Receipt]()
    for receipt in sorted(receipts, key=lambda each: each.received_s):
        earlier = of_number.get(receipt.attempt)
        if earlier is not None:
            yield Repeat(receipt, earlier)
        of_number[receipt.attempt] = receipt


def missed_answers(receipts: Iterable[Receipt]) -> int:
    """Attempts after one that was answered with 200: the answer did not reach the dispatcher, or not before its time limit."""
    succeeded = [each for each in receipts if each.status == 200]
    first = min(succeeded, key=lambda each: each.ended_s, default=None)
    return 0 if first is None else sum(each.attempt > first.attempt for each in receipts)


def _entries(load: Load, sent: Sheet) -> Iterator[Entry]:
    for number in range(sent["published"][0]):
        delivery = bytes.fromhex(load.delivery_id(number).removeprefix("delivery_"))
        yield Entry(number, sent.times("published_s")[number], sent.times("acked_s")[number], delivery)


def _wrong_bodies(load: Load, entry: Entry) -> Sequence[Receipt]:
    wanted = blake2b(load.body(entry.number), digest_size=8).digest()
    return [each for each in entry.receipts if each.body_digest != wanted]
