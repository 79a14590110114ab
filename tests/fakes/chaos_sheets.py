"""What publisher and receiver put down while a chaos run goes on, in files that every process of the run can look into.

Numbers lie in memory that is shared, so looking costs the writer nothing. All times are seconds of the monotonic clock,
which is one for all processes of a machine.
"""

import mmap
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_ROW = struct.Struct("<ddHHH16s8s")


class Sheet:
    """Rows of numbers in a shared file: times are fractions, the others whole. One process writes each row."""

    def __init__(self, path: Path, *, times: Mapping[str, int], counts: Mapping[str, int]) -> None:
        size_bytes = 8 * sum((*times.values(), *counts.values()))
        with path.open("a+b") as file:
            if path.stat().st_size < size_bytes:
                file.truncate(size_bytes)
            whole = memoryview(mmap.mmap(file.fileno(), size_bytes))
        self._times = {name: part.cast("d") for name, part in _parts(whole, times)}
        self._counts = {name: part.cast("q") for name, part in _parts(whole[8 * sum(times.values()) :], counts)}

    def __getitem__(self, name: str) -> "memoryview[int]":
        return self._counts[name]

    def times(self, name: str) -> "memoryview[float]":
        return self._times[name]


def _parts(whole: "memoryview[int]", lengths: Mapping[str, int]) -> Iterator[tuple[str, "memoryview[int]"]]:
    start = 0
    for name, count in lengths.items():
        yield name, whole[start : start + 8 * count]
        start += 8 * count


def sent_sheet(folder: Path, *, endpoints: int, events_max: int) -> Sheet:
    """What the publisher knows: by event number, when it was published and when Kafka acknowledged it (0: not).

    `acked` is by endpoint; `published` holds one number, `refused` too: events that Kafka's client gave up.
    """
    return Sheet(
        folder / "sent.sheet",
        times={"published_s": events_max, "acked_s": events_max},
        counts={"acked": endpoints, "published": 1, "refused": 1},
    )


def tally_sheet(folder: Path, *, endpoints: int) -> Sheet:
    """What the receiver knows, by endpoint: different webhooks answered with 200, and how many of its events came without a gap.

    One number each: `in_hand` requests wait for their answer, `cut` lost their connection before it.
    """
    counts = {"delivered": endpoints, "unbroken": endpoints, "in_hand": 1, "cut": 1}
    return Sheet(folder / "tally.sheet", times={}, counts=counts)


@dataclass(frozen=True, slots=True)
class Receipt:
    """One request as the receiver saw it. `status` is 0 when it got no answer: the endpoint hung, or the sender was gone."""

    received_s: float
    ended_s: float
    endpoint: int
    attempt: int
    status: int
    delivery: bytes
    body_digest: bytes


def pack(receipt: Receipt) -> bytes:
    return _ROW.pack(
        receipt.received_s,
        receipt.ended_s,
        receipt.endpoint,
        receipt.attempt,
        receipt.status,
        receipt.delivery,
        receipt.body_digest,
    )


def receipts(folder: Path) -> Iterator[Receipt]:
    """Every request, in the order in which they ended."""
    for row in _ROW.iter_unpack(receipts_file(folder).read_bytes()):
        yield Receipt(*row)


def receipts_file(folder: Path) -> Path:
    return folder / "receipts.rows"
