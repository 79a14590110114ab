"""The configuration as lines of text, to be kept or taken to another Kafka. What is sealed stays sealed.

Each line is a JSON object: `kind` and `id` for people, `avro` (base64) with the record as it lies in Kafka. It names its
schema, so that a newer release reads what an older one wrote. The last line says how many records there are, and their
SHA-256: a file of which a part is missing, or that a disk has damaged, is none.
"""

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from enum import Enum, auto
from typing import TypeVar

from hookline.schemas.codec import Codec
from hookline.schemas.errors import ContractError
from hookline.schemas.records import Account, ApiKey, Disabling, EndpointHealth, Record, Subscription

_HEAD = {"hookline": "configuration", "format": 1}
Configured = Account | ApiKey | Subscription | Disabling | EndpointHealth
_Edition = TypeVar("_Edition", Account, Subscription)


class Step(Enum):
    """What importing a record means, where one with its id may be."""

    WRITE = auto()
    SAME = auto()
    NEWER_HERE = auto()
    ERASED = auto()


def lines(records: Iterable[Configured], codec: Codec) -> Iterator[str]:
    """The lines, without line ends."""
    yield json.dumps(_HEAD)
    written = _Sum()
    for record in records:
        value = codec.encode(record)
        written.add(value)
        avro = base64.b64encode(value).decode()
        yield json.dumps({"kind": type(record).__name__, "id": id_of(record), "avro": avro})
    yield json.dumps(written.said())


def records(text: Iterable[str], codec: Codec) -> Sequence[Configured]:
    """The records of such lines, all of them or none; ContractError names the line that is none, and nothing of it."""
    numbered = ((number, line) for number, line in enumerate(text, start=1) if line.strip() or number == 1)
    if _parsed(next(numbered, (1, ""))) != _HEAD:
        raise ContractError(f"line 1 is not {json.dumps(_HEAD)}: this is no export of a configuration")
    found, read, end = list[Configured](), _Sum(), None
    for number, line in numbered:
        if end is not None:
            raise ContractError(f"line {number} follows the export's end")
        parsed = _parsed((number, line))
        if isinstance(parsed, dict) and "sha256" in parsed:
            end = parsed
            continue
        value = _value(number, parsed)
        found.append(_record(number, value, codec))
        read.add(value)
    if end != read.said():
        raise ContractError(
            f"the export's last line does not fit its {len(found)} records: it was cut short, or changed"
        )
    return found


class _Sum:
    """How many records there are, and their digest."""

    def __init__(self) -> None:
        self._count = 0
        self._digest = hashlib.sha256()

    def add(self, value: bytes) -> None:
        self._count += 1
        self._digest.update(len(value).to_bytes(4, "big") + value)

    def said(self) -> dict[str, object]:
        return {"records": self._count, "sha256": self._digest.hexdigest()}


def id_of(record: Configured) -> str:
    """What names the record among those of its kind."""
    match record:
        case Account():
            return record.account_id
        case ApiKey():
            return record.key_id
        case _:
            return record.subscription_id


def is_marker(record: Configured | None) -> bool:
    """Whether it says that its account is erased."""
    return isinstance(record, Account) and record.erased_at_ms is not None


def step(imported: Configured, there: Configured | None, *, replaces: bool, is_erased: bool = False) -> Step:
    """Whether a record is to be written over the one that is there; `replaces`: whichever is newer.

    `is_erased`: its account is, here or in what is imported. Then nothing of it comes back, and its marker comes in any case.
    """
    if is_erased and not is_marker(imported):
        return Step.ERASED
    if is_marker(imported):
        return Step.SAME if is_marker(there) else Step.WRITE
    if there is None:
        return Step.WRITE
    if there == imported:
        return Step.SAME
    return Step.WRITE if replaces or _version(imported) > _version(there) else Step.NEWER_HERE


def over(imported: Configured, there: Configured | None, *, judged_from: int = 1) -> Configured:
    """An imported record as it is written over the one that is there: the very same one if they only differ in their versions.

    Versions go up whatever the file says: one that came again would be another edition with an ETag that was had before, and
    what was judged of the one that is there would count for as long as it takes to count up to it. What counts no more there
    does not count again: `judged_from` is that of the subscription there, if the record is a judgement that is to count. And
    retries that were cancelled there stay so.
    """
    match imported, there:
        case Account(erased_at_ms=None), Account():
            return _numbered(imported, there)
        case Subscription(), Subscription():
            return _over_subscription(imported, there)
        case ((Disabling() | EndpointHealth()), _):
            return replace(imported, subscription_version=max(imported.subscription_version, judged_from))
    return imported


def _over_subscription(imported: Subscription, there: Subscription) -> Subscription:
    kept = replace(imported, cancelled_before_ms=max(imported.cancelled_before_ms, there.cancelled_before_ms))
    if imported.version > there.version:
        return kept
    return _numbered(replace(kept, judged_from=max(imported.judged_from, there.judged_from)), there)


def _numbered(imported: _Edition, there: _Edition) -> _Edition:
    if replace(imported, version=there.version) == there and imported.version <= there.version:
        return there
    return replace(imported, version=max(imported.version, there.version + 1))


def _version(record: Configured) -> int:
    match record:
        case Account() | Subscription():
            return record.version
        case ApiKey():
            return record.created_at_ms  # a key never changes
        case _:
            return record.at_ms


def _value(number: int, parsed: object) -> bytes:
    avro = parsed.get("avro") if isinstance(parsed, dict) else None
    try:
        return base64.b64decode(avro if isinstance(avro, str) else "", validate=True)
    except ValueError as error:
        raise ContractError(f"line {number} holds no record that this release knows") from error


def _record(number: int, value: bytes, codec: Codec) -> Configured:
    try:
        record: Record = codec.decode_any(value)
    except ContractError as error:
        raise ContractError(f"line {number} holds no record that this release knows") from error
    if not isinstance(record, Configured):
        raise ContractError(f"line {number} holds a {type(record).__name__}, which is no configuration")
    return record


def _parsed(numbered: tuple[int, str]) -> object:
    number, line = numbered
    try:
        return json.loads(line) if line.strip() else None
    except (ValueError, RecursionError) as error:
        raise ContractError(f"line {number} is not JSON") from error
