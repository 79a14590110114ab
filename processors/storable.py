"""What history takes in, by topic: bytes go in, and a record comes out that every database holds."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from functools import partial
from operator import attrgetter
from typing import Any, TypeVar

from hookline.schemas.codec import Codec
from hookline.schemas.errors import ContractError
from hookline.schemas.records import Attempt, AuditEntry
from hookline.schemas.topics import Topics

_TIME_MAX_MS = 253_402_300_799_999  # the end of 9999, as far as the API can write a time

Storable = Attempt | AuditEntry
_T = TypeVar("_T", Attempt, AuditEntry)
Read = Callable[[bytes | None], Storable]


def _texts(kind: type[Attempt] | type[AuditEntry]) -> tuple[Sequence[str], Callable[[Any], Sequence[str | None]]]:
    """The fields of a record that are texts of any kind, and what reads them."""
    names = [each.name for each in fields(kind) if each.type in {str, str | None}]
    return names, attrgetter(*names)


_TEXTS: Mapping[type, Any] = {Attempt: _texts(Attempt), AuditEntry: _texts(AuditEntry)}


def storable(topics: Topics, codec: Codec) -> Mapping[str, Read]:
    """By topic, what makes a record of its values; the function raises ContractError."""
    return {topics.attempts: partial(_attempt, codec), topics.audit: partial(_audit_entry, codec)}


def _without_nul(record: _T) -> _T:
    """PostgreSQL has no character for NUL: where one came in an event's id, say, another stands for it."""
    names, texts_of = _TEXTS[type(record)]
    texts = texts_of(record)
    if "\0" not in "".join(filter(None, texts)):
        return record
    return replace(
        record, **{name: text and text.replace("\0", "\ufffd") for name, text in zip(names, texts, strict=True)}
    )


def _in_lines(headers: tuple[str, ...]) -> tuple[str, ...]:
    """Headers that can be kept a line for each, whatever another program wrote as one."""
    text = "\n".join(headers)
    if "\0" not in text and text.count("\n") == len(headers) - 1:
        return headers
    return tuple(each.replace("\0", "\ufffd").replace("\n", " ") for each in headers)


def _with_headers_in_lines(attempt: Attempt) -> Attempt:
    asked, answered = attempt.request_headers, attempt.response_headers
    if not asked and not answered:
        return attempt
    kept = _in_lines(asked), _in_lines(answered)
    if kept == (asked, answered):
        return attempt
    return replace(attempt, request_headers=kept[0], response_headers=kept[1])


def _attempt(codec: Codec, value: bytes | None) -> Attempt:
    attempt = _with_headers_in_lines(_without_nul(codec.decode(value, Attempt)))
    if not 0 <= attempt.started_at_ms <= _TIME_MAX_MS or not 0 <= attempt.duration_ms <= _TIME_MAX_MS:
        raise ContractError("started_at_ms or duration_ms is no time between 1970 and 9999")
    if attempt.next_attempt_at_ms is not None and not 0 <= attempt.next_attempt_at_ms <= _TIME_MAX_MS:
        raise ContractError("next_attempt_at_ms is no time between 1970 and 9999")
    return attempt


def _audit_entry(codec: Codec, value: bytes | None) -> AuditEntry:
    entry = _without_nul(codec.decode(value, AuditEntry))
    if not 0 <= entry.at_ms <= _TIME_MAX_MS:
        raise ContractError("at_ms is no time between 1970 and 9999")
    return entry
