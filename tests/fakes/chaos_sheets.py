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
    """Rows of numbers in a shared file: `d` are fractions, `q` whole numbers. One process writes each row."""

    def __init__(self, path: Path, rows: Mapping[str, tuple[str, int]]) -> None:
        size_bytes = 8 * sum(count for _, count in rows.values())
        with path.open("a+b") as file:
            if path.stat().st_size < size_bytes:
                file.truncate(size_bytes)
            whole = memoryview(mmap.mmap(file.fileno(), size_bytes))
        self._rows, start = dict[str, memoryview](), 0
        for name, (kind, count) in rows.items():
            self._rows[name] = whole[start : start + 8 * count].cast(kind)
            start += 8 * count

    def __getitem__(self, name: str) -> memoryview:
        return self._rows[name]


def sent_sheet(folder: Path, *, endpoints: int, events_max: int) -> Sheet:
    """What the publisher knows: by event number, when it was published and when Kafka acknowledged it (0: not).

    `acked` is by endpoint; `published` holds one number, `refused` too: events that Kafka's client gave up.
    """
    rows = {
        "published_s": ("d", events_max),
        "acked_s": ("d", events_max),
        "acked": ("q", endpoints),
        "published": ("q", 1),
        "refused": ("q", 1),
    }
    return Sheet(folder / "sent.sheet", rows)


def tally_sheet(folder: Path, *, endpoints: int) -> Sheet:
    """What the receiver knows, by endpoint: different webhooks answered with 200, and how many of its events came without a gap.

    One number each: `in_hand` requests wait for their answer, `cut` lost their connection before it.
    """
    rows = {"delivered": ("q", endpoints), "unbroken": ("q", endpoints), "in_hand": ("q", 1), "cut": ("q", 1)}
    return Sheet(folder / "tally.sheet", rows)


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
