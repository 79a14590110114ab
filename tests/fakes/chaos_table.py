"""The verdict of a chaos run as a table, a line for each fault: what it cost, what it may cost, and whether that is kept to."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fakes.ledger import Entry, Ledger, Repeat

OPEN_AT_LEAST = 100
RECOVERY_MAX_S = 15.0
RATE_SHARE_MIN = 0.95
# Promise 2: a kill repeats at most what was in flight plus what finished since the last commit, every 200 ms or 500 records.
COMMIT_RECORDS = 500
COMMIT_S = 0.2
# An answer is finished when its record is acknowledged, and a commit holds when its answer is there; both take a while.
_ON_THE_WAY_S = 0.1
_LOST_TOLD = 10
_HEAD = ("fault", "at s", "open", "in flight", "lost", "unexpected", "body", "repeats", "allowed", "> 7", "recovery s")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A fault that happened. Times are the monotonic clock's; `recovery_s` is None when it had not recovered in time.

    `is_clean` allows no repeats. Others allow `in_flight` and what was answered since the last commit; for `blind_s` from
    its beginning on, nothing could be committed.
    """

    name: str
    began_s: float
    open_count: int
    in_flight: int
    is_clean: bool
    recovered_s: float
    recovery_s: float | None
    blind_s: float = 0.0
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One fault with what the ledger says of its time."""

    fault: Fault
    at_s: float
    lost: int
    unexpected: int
    wrong_bodies: int
    repeats: Sequence[Repeat]
    repeats_max: int
    beyond_attempts: int

    def broken(self, recovery_max_s: float) -> Iterator[str]:
        """What should not be, in words."""
        for count, what in (
            (self.lost, "lost"),
            (self.unexpected, "unexpected"),
            (self.wrong_bodies, "with another body"),
            (self.beyond_attempts, "with an attempt number over 7"),
            (len(self.repeats) - self.repeats_max, f"repeats more than the {self.repeats_max} allowed"),
        ):
            if count > 0:
                yield f"{self.fault.name}: {count} {what}"
        if self.fault.recovery_s is None or self.fault.recovery_s > recovery_max_s:
            yield f"{self.fault.name}: no recovery within {recovery_max_s:.0f} s"
        if self.fault.open_count < OPEN_AT_LEAST:
            yield f"{self.fault.name}: {self.fault.open_count} deliveries open; at least {OPEN_AT_LEAST} are wanted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A run's verdict. `title` says how to make the same run again."""

    title: str
    lines: Sequence[Line]
    started_s: float
    rate_per_s: float
    rate_share: float
    refused: int
    off_record: int
    ledger: Ledger
    recovery_max_s: float = RECOVERY_MAX_S

    def is_void(self) -> bool:
        """Whether the run says nothing, for the load was not what it should be."""
        return self.rate_share < RATE_SHARE_MIN or self.refused > 0

    def broken(self) -> Sequence[str]:
        """What should not be; empty for a run that shows what it must."""
        found = [each for line in self.lines for each in line.broken(self.recovery_max_s)]
        return [*found, f"{self.off_record} deliveries without a success on record"] if self.off_record > 0 else found

    def text(self) -> str:
        """The table as it is printed."""
        rows = [_HEAD, *(_cells(line) for line in self.lines)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
        notes = [""] + [line.fault.note for line in self.lines]
        printed = [_row(cells, widths, note) for cells, note in zip(rows, notes, strict=True)]
        return "\n".join([self.title, *printed, self._totals(), *self._details(), self._verdict()])

    def _totals(self) -> str:
        ledger = self.ledger
        return (
            f"events {ledger.published:,} (acknowledged {ledger.acked:,}, refused {self.refused}), requests {ledger.received:,},"
            f" lost {len(ledger.lost)}, unexpected {len(ledger.unexpected)}, other bodies {len(ledger.wrong_bodies)},"
            f" repeats {len(ledger.repeats)}, answers missed {ledger.missed_answers}, not on record {self.off_record}; rate held {self.rate_share:.1%} of {self.rate_per_s:,.0f}/s"
        )

    def _details(self) -> Iterator[str]:
        """What helps to find out why."""
        for line in self.lines:
            if line.repeats:
                yield f"  repeats of {line.fault.name}: {_told_repeats(line.repeats)}"
        for entry in self.ledger.lost[:_LOST_TOLD]:
            yield f"  lost: {_told_loss(entry, self.started_s)}"

    def _verdict(self) -> str:
        if self.is_void():
            return f"VOID: the rate held is below {RATE_SHARE_MIN:.0%}, or Kafka's client gave events up"
        return "\n".join(f"BROKEN: {each}" for each in self.broken()) or "KEPT: every promise, in every line"


def make_table(
    faults: Sequence[Fault],
    ledger: Ledger,
    *,
    title: str,
    started_s: float,
    rate_per_s: float,
    rate_share: float,
    refused: int,
    off_record: int = 0,
) -> Table:
    """Put what the ledger found to the faults, by time: what was published before a fault's recovery and not before the
    last one's is its loss; what came from its beginning to the next one's is its too. A repeat is the kill's that lies
    between its copies, for a delivery that waits on a tier comes again only when it is due.
    """
    begins = [fault.began_s for fault in faults]
    ends = [fault.recovered_s for fault in faults]
    lost = _by_fault([each.published_s for each in ledger.lost], [float("-inf"), *ends[:-1]])
    unexpected = _by_fault([each.received_s for each in ledger.unexpected], begins)
    wrong_bodies = _by_fault([each.received_s for each in ledger.wrong_bodies], begins)
    causes = [_cause(each, faults) for each in ledger.repeats]
    beyond = _by_fault([each.received_s for each in ledger.beyond_attempts], begins)
    lines = [
        Line(
            fault=fault,
            at_s=fault.began_s - started_s,
            lost=lost[number],
            unexpected=unexpected[number],
            wrong_bodies=wrong_bodies[number],
            repeats=[each for each, at in zip(ledger.repeats, causes, strict=True) if at == number],
            repeats_max=0 if fault.is_clean else repeats_max(fault, ledger),
            beyond_attempts=beyond[number],
        )
        for number, fault in enumerate(faults)
    ]
    return Table(
        title=title,
        lines=lines,
        started_s=started_s,
        rate_per_s=rate_per_s,
        rate_share=rate_share,
        refused=refused,
        off_record=off_record,
        ledger=ledger,
    )


def repeats_max(fault: Fault, ledger: Ledger) -> int:
    """Promise 2's bound for a kill."""
    writing = ledger.answered_between(fault.began_s - _ON_THE_WAY_S, fault.began_s + fault.blind_s)
    earlier = ledger.answered_between(fault.began_s - _ON_THE_WAY_S - COMMIT_S, fault.began_s - _ON_THE_WAY_S)
    return fault.in_flight + writing + min(COMMIT_RECORDS, earlier)


def _cause(repeat: Repeat, faults: Sequence[Fault]) -> int:
    """Which fault made the repeat: the first kill between its copies, else the one in whose span it came."""
    (number,) = _at_fault([repeat.received_s], [fault.began_s for fault in faults])
    between = [each for each in range(number) if faults[each].began_s >= repeat.earlier.received_s]
    return next((each for each in between if not faults[each].is_clean), number)


def _by_fault(times_s: Sequence[float], begins_s: Sequence[float]) -> Sequence[int]:
    """How many times lie in each fault's span."""
    found = _at_fault(times_s, begins_s)
    return [found.count(number) for number in range(len(begins_s))]


def _at_fault(times_s: Sequence[float], begins_s: Sequence[float]) -> Sequence[int]:
    """In which fault's span each time lies; what lies before the first is the first's."""
    return [max(0, bisect_right(begins_s, time_s) - 1) for time_s in times_s]


def _told_repeats(repeats: Sequence[Repeat]) -> str:
    endpoints = sorted({each.receipt.endpoint for each in repeats})
    numbers = sorted({each.receipt.attempt for each in repeats})
    answered = sum(each.earlier.status == 200 for each in repeats)
    after_s = sorted(each.received_s - each.earlier.received_s for each in repeats)
    return (
        f"{answered} of {len(repeats)} after an answer, {after_s[0]:.1f} to {after_s[-1]:.1f} s after the first copy,"
        f" attempts {numbers}, {len(endpoints)} endpoints {endpoints[:10]}"
    )


def _told_loss(entry: Entry, started_s: float) -> str:
    came = ", ".join(
        f"attempt {each.attempt} at {each.received_s - started_s:.1f} s: {each.status or 'no answer'}"
        for each in entry.receipts
    )
    return f"event {entry.number}, published at {entry.published_s - started_s:.1f} s; {came or 'nothing came'}"


def _cells(line: Line) -> Sequence[str]:
    fault = line.fault
    return (
        fault.name,
        f"{line.at_s:.0f}",
        str(fault.open_count),
        str(fault.in_flight),
        str(line.lost),
        str(line.unexpected),
        str(line.wrong_bodies),
        str(len(line.repeats)),
        str(line.repeats_max),
        str(line.beyond_attempts),
        "never" if fault.recovery_s is None else f"{fault.recovery_s:.1f}",
    )


def _row(cells: Sequence[str], widths: Sequence[int], note: str) -> str:
    name, *figures = cells
    columns = [name.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(figures, widths[1:], strict=True))]
    return "  ".join([*columns, note]).rstrip()
