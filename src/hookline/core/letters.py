"""Dead letters, the newest first, over the partitions of their topic; and what one becomes when it is sent again."""

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from hookline.core.jobs import next_run
from hookline.core.progress import State
from hookline.core.resending import Known, needs_sending, resent
from hookline.schemas.records import DeadLetter, DeathReason, Delivery, Place, Subscription

_DELIVERIES = frozenset({DeathReason.EXHAUSTED, DeathReason.EXPIRED})
_BURIED = frozenset({State.EXHAUSTED, State.EXPIRED})  # a run that ended so has a letter of its own
_CHUNK_MAX = 200  # offsets of a stretch: more at once is hardly faster


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A dead letter at its place. `at_ms` is the broker's time; `record` None: it is none that this release can read."""

    place: Place
    at_ms: int
    record: DeadLetter | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How much a page is at most: letters, those that are looked at for it, and bytes of what died (one letter may pass that)."""

    letters: int
    looked_at: int
    held_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some letters, the newest first. By partition: it began at `ends`, and going back the next one does at `left`. That empty: there is none."""

    letters: Sequence[Letter]
    ends: Mapping[int, int]
    left: Mapping[int, int]


def newest_first(
    ends: Mapping[int, int],
    starts: Mapping[int, int],
    read: Callable[[int, int, int], Sequence[Letter]],
    *,
    chunk: int,
) -> Iterator[Letter]:
    """Letters from `ends` back to `starts`, by partition, in the order of their times.

    `read(partition, start, end)` gives those of a stretch, the oldest first; where they are more than it can hold the newest
    of them, at least one. A stretch is `chunk` offsets long at first, for a page may want one letter, and gets longer with each.
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
    bounds: Bounds,
) -> Page:
    """The first of these that are wanted; at a bound the page ends, wherever it is."""
    left, found, held_bytes = dict(ends), list[Letter](), 0
    for looked_at, letter in enumerate(letters, start=1):
        left[letter.place.partition] = letter.place.offset
        if is_wanted(letter):
            found.append(letter)
            held_bytes += kept_bytes(letter)
        if len(found) == bounds.letters or looked_at == bounds.looked_at or held_bytes >= bounds.held_bytes:
            more = {partition: end for partition, end in left.items() if end > starts.get(partition, 0)}
            return Page(letters=found, ends=ends, left=more)
    return Page(letters=found, ends=ends, left={})


def left_after(page: Page, done: int) -> Mapping[int, int]:
    """Where the next page begins, by partition, if of this one only the first `done` letters count."""
    if done == len(page.letters):
        return page.left
    passed = {each.place.partition: each.place.offset for each in page.letters[:done]}
    return {**page.ends, **passed}


def kept_bytes(letter: Letter) -> int:
    """How many bytes of what died it holds."""
    payload = None if letter.record is None else letter.record.payload
    return 0 if payload is None else len(payload)


def outlined(letter: Letter) -> Letter:
    """The letter without the bytes of what died."""
    return letter if letter.record is None else replace(letter, record=replace(letter.record, payload=None))


def holds_delivery(letter: DeadLetter) -> bool:
    """Whether its bytes are the record of a delivery that was given up."""
    return letter.reason in _DELIVERIES and letter.payload is not None


def without_older(letters: Sequence[Letter]) -> Sequence[Letter]:
    """Of letters, the newest first, those that hold something to send again; of one delivery, which may have died often, the newest."""
    newest: dict[str | Place, Letter] = {}
    for each in letters:
        if each.record is not None and (holds_delivery(each.record) or is_source_record(each.record)):
            newest.setdefault(each.record.delivery_id or each.place, each)
    return list(newest.values())


def needs_reviving(
    known: Known | None, subscription: Subscription, *, run: int, at_ms: int, is_cancelled: Callable[[str], bool]
) -> bool:
    """Whether a delivery whose `run` was given up at `at_ms` is to be sent again, if history knows this of it; None: nothing.

    Not if it was delivered, is under way once more, or was given up in a later run, which has a letter of its own. History may be
    behind: what it knows of no later run, and from before that time, is how far the run was that ended.
    """
    if known is not None and known.run > run and known.state in _BURIED:
        return False
    is_of_what_ended = known is not None and not known.is_delivered and known.run <= run and known.at_ms <= at_ms
    return is_of_what_ended or needs_sending(known, subscription, everything=False, is_cancelled=is_cancelled)


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
        letters = read(partition, begin, end)
        yield from reversed(letters)
        is_all = not letters or letters[0].place.offset == begin
        end = begin if is_all else letters[0].place.offset
        chunk = min(2 * chunk, _CHUNK_MAX) if is_all else len(letters)


def _push(heads: list[tuple[int, int, int, Letter]], partition: int, letters: Iterator[Letter]) -> None:
    letter = next(letters, None)
    if letter is not None:
        heapq.heappush(heads, (-letter.at_ms, partition, -letter.place.offset, letter))
