"""Dead letters, the newest first, over the partitions of their topic; and what one becomes when it is sent again."""

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from hookline.core.jobs import next_run
from hookline.core.resending import resent
from hookline.schemas.records import DeadLetter, DeathReason, Delivery, Place

_DELIVERIES = frozenset({DeathReason.EXHAUSTED, DeathReason.EXPIRED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A dead letter at its place. `at_ms` is the broker's time; `record` None: it is none that this release can read."""

    place: Place
    at_ms: int
    record: DeadLetter | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some letters, the newest first; `left`, by partition, is where the next page begins, going back. Empty: there is none."""

    letters: Sequence[Letter]
    left: Mapping[int, int]


def newest_first(
    ends: Mapping[int, int],
    starts: Mapping[int, int],
    read: Callable[[int, int, int], Sequence[Letter]],
    *,
    chunk: int,
) -> Iterator[Letter]:
    """Letters from `ends` back to `starts`, by partition, in the order of their times.

    `read(partition, start, end)` gives those of a stretch, the oldest first; a stretch is at most `chunk` offsets long.
    """
    heads: list[tuple[int, int, int, Letter]] = []
    back = {
        partition: _backwards(partition, starts.get(partition, 0), end, read, chunk) for partition, end in ends.items()
    }
    for partition, letters in back.items():
        _push(heads, partition, letters)
    while heads:
        _, partition, _, letter = heapq.heappop(heads)
        yield letter
        _push(heads, partition, back[partition])


def page_of(
    letters: Iterator[Letter],
    ends: Mapping[int, int],
    starts: Mapping[int, int],
    *,
    is_wanted: Callable[[Letter], bool],
    limit: int,
    looked_at_max: int,
) -> Page:
    """The first of these that are wanted; after `looked_at_max` the page ends, wherever it is."""
    left, found = dict(ends), list[Letter]()
    for looked_at, letter in enumerate(letters, start=1):
        left[letter.place.partition] = letter.place.offset
        found += [letter] if is_wanted(letter) else []
        if len(found) == limit or looked_at == looked_at_max:
            more = {partition: end for partition, end in left.items() if end > starts.get(partition, 0)}
            return Page(letters=found, left=more)
    return Page(letters=found, left={})


def holds_delivery(letter: DeadLetter) -> bool:
    """Whether its bytes are the record of a delivery that was given up."""
    return letter.reason in _DELIVERIES and letter.payload is not None


def revived(given_up: Delivery, *, config_offset: int, now_ms: int) -> Delivery:
    """A delivery that was given up, as a run of its own from the first attempt on; of no job, whoever asked for it before."""
    return resent(given_up, run=next_run(now_ms, last=given_up.run), config_offset=config_offset, now_ms=now_ms)


def is_source_record(letter: DeadLetter) -> bool:
    """Whether it holds a record's bytes as they came, which can be read again once they can be understood."""
    return letter.reason is DeathReason.UNREADABLE and letter.payload is not None


def _backwards(
    partition: int, start: int, end: int, read: Callable[[int, int, int], Sequence[Letter]], chunk: int
) -> Iterator[Letter]:
    while end > start:
        begin = max(start, end - chunk)
        yield from reversed(read(partition, begin, end))
        end = begin


def _push(heads: list[tuple[int, int, int, Letter]], partition: int, letters: Iterator[Letter]) -> None:
    letter = next(letters, None)
    if letter is not None:
        heapq.heappush(heads, (-letter.at_ms, partition, -letter.place.offset, letter))
