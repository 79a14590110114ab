"""The configuration as lines of text, to be kept or taken to another Kafka. What is sealed stays sealed.

Each line is a JSON object: `kind` and `id` for people, `avro` (base64) with the record as it lies in Kafka. It names its
schema, so that a newer release reads what an older one wrote.
"""

import base64
import json
from collections.abc import Iterable, Iterator
from enum import Enum, auto

from hookline.schemas.codec import Codec
from hookline.schemas.errors import ContractError
from hookline.schemas.records import Account, ApiKey, Disabling, EndpointHealth, Record, Subscription

_HEAD = {"hookline": "configuration", "format": 1}
Configured = Account | ApiKey | Subscription | Disabling | EndpointHealth


class Step(Enum):
    """What importing a record means, where one with its id may be."""

    WRITE = auto()
    SAME = auto()
    NEWER_HERE = auto()


def lines(records: Iterable[Configured], codec: Codec) -> Iterator[str]:
    """The lines, without line ends."""
    yield json.dumps(_HEAD)
    for record in records:
        avro = base64.b64encode(codec.encode(record)).decode()
        yield json.dumps({"kind": type(record).__name__, "id": id_of(record), "avro": avro})


def records(text: Iterable[str], codec: Codec) -> Iterator[Configured]:
    """The records of such lines; ContractError names the line that is none, and nothing of it."""
    numbered = enumerate(text, start=1)
    if _parsed(next(numbered, (1, ""))) != _HEAD:
        raise ContractError(f"line 1 is not {json.dumps(_HEAD)}: this is no export of a configuration")
    for number, line in numbered:
        if line.strip():
            yield _record((number, line), codec)


def id_of(record: Configured) -> str:
    """What names the record among those of its kind."""
    match record:
        case Account():
            return record.account_id
        case ApiKey():
            return record.key_id
        case _:
            return record.subscription_id


def step(imported: Configured, there: Configured | None, *, replaces: bool) -> Step:
    """Whether a record is to be written over the one that is there; `replaces`: whichever is newer."""
    if there is None:
        return Step.WRITE
    if there == imported:
        return Step.SAME
    return Step.WRITE if replaces or _version(imported) > _version(there) else Step.NEWER_HERE


def _version(record: Configured) -> int:
    match record:
        case Account() | Subscription():
            return record.version
        case ApiKey():
            return record.created_at_ms  # a key never changes
        case _:
            return record.at_ms


def _record(numbered: tuple[int, str], codec: Codec) -> Configured:
    number, _ = numbered
    found = _parsed(numbered)
    avro = found.get("avro") if isinstance(found, dict) else None
    try:
        record: Record = codec.decode_any(base64.b64decode(avro if isinstance(avro, str) else "", validate=True))
    except (ValueError, ContractError) as error:
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
