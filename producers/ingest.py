"""Publishes events from lines of JSON, for `hookline produce`.

A line is `{"id"?, "account_id"?, "event", "timestamp", "data"}`. A bad line is reported with its number, and the rest goes
on. A broker that is away ends it: what was read by then is reported line by line, and the rest is left unread.
"""

import json
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import IntEnum
from typing import BinaryIO, Protocol

from hookline.producers.publisher import Published
from hookline.runtime import draw
from hookline.schemas.catalogue import Catalogue
from hookline.schemas.codec import event_from_json
from hookline.schemas.errors import ConfigError, ContractError, HooklineError
from hookline.schemas.records import Event

LINE_BYTES_MAX = 1024 * 1024  # four times the JSON of the largest event that can be delivered
_OPEN_MAX = 10_000  # lines waiting for the broker's answer: enough to keep it busy


class ExitStatus(IntEnum):
    """What `hookline produce` ends with."""

    ALL_PUBLISHED = 0
    BAD_LINES = 1  # and everything else is published
    WRONG_SETTING = 2  # a topic is missing, or this client may not write to it
    BROKER_AWAY = 3  # some lines are not published, or not known to be; publish them again later


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """Why a line was not published. `line` counts from 1; `reason` holds nothing of the line's values."""

    line: int
    reason: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What became of the lines, blank ones not counted. `unread` says that reading stopped at a line, the last read."""

    read: int
    published: int
    bad: int
    unpublished: int
    unread: bool
    exit_status: ExitStatus


class Submitter(Protocol):
    """What is needed of a `Publisher`."""

    @property
    def catalogue(self) -> Catalogue: ...

    def submit(self, event: Event) -> Future[Published]: ...

    def flush(self) -> None: ...


def ingest(
    stream: BinaryIO, publisher: Submitter, *, account_id: str | None, complain: Callable[[Complaint], None]
) -> Report:
    """Publish every line of `stream`, and wait for the broker's answer to each.

    `account_id` is for lines without one. `complain` hears of each line that was not published, on this thread.
    """
    run = _Run(publisher, account_id, complain)
    unread = False
    for number, line in _numbered(stream):
        run.take(number, line)
        if run.status > ExitStatus.BAD_LINES:
            unread = True
            break
    run.settle(open_max=0)
    with suppress(HooklineError):  # each was reported by its line already
        publisher.flush()
    return run.report(unread=unread)


class _Run:
    """The lines that wait for an answer, and the counts."""

    def __init__(self, publisher: Submitter, account_id: str | None, complain: Callable[[Complaint], None]) -> None:
        self.status = ExitStatus.ALL_PUBLISHED
        self._publisher = publisher
        self._account_id = account_id
        self._complain = complain
        self._open: deque[tuple[int, Future[Published]]] = deque()
        self._read = self._published = self._bad = self._unpublished = 0

    def take(self, number: int, line: bytes) -> None:
        self._read += 1
        try:
            event = event_of_line(self._publisher.catalogue, line, account_id=self._account_id)
            self._open.append((number, self._publisher.submit(event)))
        except HooklineError as error:
            self._refused(number, error)
        self.settle(open_max=_OPEN_MAX)

    def settle(self, *, open_max: int) -> None:
        """Count the answers that are there, and wait for those that keep more than `open_max` lines open."""
        while self._open and (len(self._open) > open_max or self._open[0][1].done()):
            number, future = self._open.popleft()
            error = future.exception()  # a publisher answers within its own timeout
            if error is None:
                self._published += 1
            elif isinstance(error, HooklineError):
                self._refused(number, error)
            else:
                raise error

    def _refused(self, number: int, error: HooklineError) -> None:
        match error:
            case ContractError():
                self._bad += 1
                found = ExitStatus.BAD_LINES
            case ConfigError():
                self._unpublished += 1
                found = ExitStatus.WRONG_SETTING
            case _:
                self._unpublished += 1
                found = ExitStatus.BROKER_AWAY
        self.status = max(self.status, found)
        self._complain(Complaint(line=number, reason=str(error)))

    def report(self, *, unread: bool) -> Report:
        return Report(
            read=self._read,
            published=self._published,
            bad=self._bad,
            unpublished=self._unpublished,
            unread=unread,
            exit_status=self.status,
        )


def event_of_line(
    catalogue: Catalogue,
    line: bytes,
    *,
    account_id: str | None = None,
    draw_id: Callable[[], str] = draw.event_id,
) -> Event:
    """The event that a line says; ContractError says why it is none. An id is drawn where the line has none."""
    if len(line) > LINE_BYTES_MAX:
        raise ContractError(f"the line is longer than {LINE_BYTES_MAX} bytes")
    said = _parsed(line)
    if isinstance(said, dict) and account_id is not None:
        said.setdefault("account_id", account_id)
    return event_from_json(catalogue, said, event_id=draw_id())


def _parsed(line: bytes) -> object:
    try:
        # A byte order mark may stand before the first line.
        return json.loads(line.decode("utf-8-sig"), parse_float=Decimal, parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise ContractError(f"the line is no UTF-8 at byte {error.start + 1}") from None
    except json.JSONDecodeError as error:
        raise ContractError(f"the line is no JSON at character {error.pos + 1}: {error.msg}") from None
    except (ValueError, InvalidOperation):
        raise ContractError("a number in the line has too many digits") from None
    except RecursionError:
        raise ContractError("the line is nested too deeply") from None


def _refuse_constant(name: str) -> object:
    raise ContractError(f"the line is no JSON: it holds {name}")


def _numbered(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """The lines that are not blank, with their numbers; of one that is too long, as much as shows that it is."""
    number = 0
    while line := stream.readline(LINE_BYTES_MAX + 1):
        number += 1
        _skip_rest(stream, line)
        if line.strip():
            yield number, line.removesuffix(b"\n")


def _skip_rest(stream: BinaryIO, piece: bytes) -> None:
    while len(piece) > LINE_BYTES_MAX and not piece.endswith(b"\n"):
        piece = stream.readline(LINE_BYTES_MAX + 1)
