"""What history takes in is what every database holds."""

from dataclasses import replace

import pytest

from fakes.audit import audit_entry
from fakes.fanout import CODEC
from fakes.records import attempt
from hookline.processors.storable import storable
from hookline.runtime.settings import Settings
from hookline.schemas.errors import ContractError
from hookline.schemas.records import Outcome

TOPICS = Settings().topics()
READ = storable(TOPICS, CODEC)


def test_a_record_is_what_was_written() -> None:
    for topic, record in ((TOPICS.attempts, attempt(2, Outcome.FAILED)), (TOPICS.audit, audit_entry())):
        assert READ[topic](CODEC.encode(record)) == record


def test_nul_which_postgres_has_no_text_for_is_replaced_and_nothing_else() -> None:
    odd = replace(attempt(1, Outcome.FAILED), event_id="evt\x00_\u202e", detail="a\x00\x00b", response_body=b"\x00")
    wanted = replace(odd, event_id="evt\ufffd_\u202e", detail="a\ufffd\ufffdb")
    assert READ[TOPICS.attempts](CODEC.encode(odd)) == wanted
    entry = replace(audit_entry(), before='"\x00"')
    assert READ[TOPICS.audit](CODEC.encode(entry)) == replace(entry, before='"\ufffd"')


def test_headers_can_be_kept_a_line_for_each_whatever_was_written() -> None:
    plain = replace(attempt(), request_headers=("a: b", "a: c"), response_headers=("d: \u00fc",))
    assert READ[TOPICS.attempts](CODEC.encode(plain)) == plain
    odd = replace(attempt(), request_headers=("a: b\nc: d", "e"), response_headers=("x: \0\ny", ""))
    wanted = replace(odd, request_headers=("a: b c: d", "e"), response_headers=("x: \ufffd y", ""))
    assert READ[TOPICS.attempts](CODEC.encode(odd)) == wanted


@pytest.mark.parametrize("name", ["started_at_ms", "duration_ms", "next_attempt_at_ms"])
@pytest.mark.parametrize("value", [-1, 2**62])
def test_a_time_that_is_none_is_refused(name: str, value: int) -> None:
    wrong = replace(attempt(1, Outcome.FAILED), **{name: value})  # type: ignore[arg-type]  # each is a number
    with pytest.raises(ContractError):
        READ[TOPICS.attempts](CODEC.encode(wrong))
