"""The ledger and the table of the chaos runs find what they are there to find."""

from collections.abc import Sequence
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path

import pytest

from fakes.chaos_load import Load, Templates, event, type_of
from fakes.chaos_plan import Kind, full_plan, short_plan
from fakes.chaos_sheets import Receipt, Sheet, pack, receipts, receipts_file, sent_sheet
from fakes.chaos_table import Fault, Table, make_table
from fakes.configuration import subscription
from fakes.ledger import make_ledger, repeats
from fakes.road import CODEC, ROLES
from hookline.schemas.topics import Topics

ENDPOINTS, EVENTS = 3, 6
LOAD = Load([subscription("http://127.0.0.1/", type_of(each)) for each in range(ENDPOINTS)])
KILL = Fault(
    name="kill", began_s=10, open_count=150, in_flight=1, is_clean=False, recovered_s=12, recovery_s=1.5, note=""
)
STOP = replace(KILL, name="stop", began_s=20, in_flight=0, is_clean=True, recovered_s=22)


@pytest.fixture
def sent(tmp_path: Path) -> Sheet:
    """Events 0 to 5, published at 8 s, 9 s and so on, each acknowledged at once."""
    sheet = sent_sheet(tmp_path, endpoints=ENDPOINTS, events_max=10)
    sheet["published"][0] = EVENTS
    for number in range(EVENTS):
        sheet.times("published_s")[number] = sheet.times("acked_s")[number] = 8.0 + number
    return sheet


def receipt(number: int, *, at_s: float, attempt: int = 1, status: int = 200) -> Receipt:
    delivery = bytes.fromhex(LOAD.delivery_id(number).removeprefix("delivery_"))
    digest = blake2b(LOAD.body(number), digest_size=8).digest()
    return Receipt(at_s, at_s + 0.1, number % ENDPOINTS, attempt, status, delivery, digest)


def complete() -> list[Receipt]:
    return [receipt(number, at_s=8.5 + number) for number in range(EVENTS)]


def table(sent: Sheet, received: Sequence[Receipt], *faults: Fault) -> Table:
    return make_table(
        faults or (KILL, STOP),
        make_ledger(LOAD, sent, received),
        title="test",
        started_s=0,
        rate_per_s=1,
        rate_share=1,
        refused=0,
    )


def test_a_complete_run_keeps_every_promise(sent: Sheet) -> None:
    found = table(sent, complete())
    assert not found.broken()
    assert "KEPT" in found.text()


@pytest.mark.parametrize(("number", "fault"), [(0, "kill"), (3, "kill"), (5, "stop")])
def test_what_never_came_is_the_loss_of_the_fault_it_was_open_in(sent: Sheet, number: int, fault: str) -> None:
    received = [each for each in complete() if each.delivery != receipt(number, at_s=0).delivery]
    assert table(sent, received).broken() == [f"{fault}: 1 lost"]


def test_an_answer_that_nobody_got_delivers_nothing(sent: Sheet) -> None:
    assert table(sent, [*complete()[1:], receipt(0, at_s=8.5, status=0)]).broken() == ["kill: 1 lost"]


def test_what_kafka_did_not_acknowledge_may_be_missing(sent: Sheet) -> None:
    sent.times("acked_s")[0] = 0
    assert not table(sent, complete()[1:]).broken()


def test_what_nobody_published_is_unexpected(sent: Sheet) -> None:
    stranger = replace(receipt(0, at_s=21), delivery=bytes(16))
    assert table(sent, [*complete(), stranger]).broken() == ["stop: 1 unexpected"]


def test_another_body_is_found(sent: Sheet) -> None:
    assert table(sent, [*complete()[1:], replace(receipt(0, at_s=8.5), body_digest=bytes(8))]).broken() == [
        "kill: 1 with another body"
    ]


def test_an_eighth_attempt_is_found(sent: Sheet) -> None:
    assert table(sent, [*complete()[:-1], receipt(5, at_s=20, attempt=8)]).broken() == [
        "stop: 1 with an attempt number over 7"
    ]


def test_a_clean_stop_may_repeat_nothing(sent: Sheet) -> None:
    assert table(sent, [*complete(), receipt(5, at_s=21)]).broken() == ["stop: 1 repeats more than the 0 allowed"]


def test_a_kill_may_repeat_what_was_in_flight_and_what_finished_since_the_last_commit(sent: Sheet) -> None:
    answered_just_before = receipt(1, at_s=9.8)
    received = [*complete()[:1], answered_just_before, *complete()[2:]]
    again = [receipt(number, at_s=11) for number in (0, 1)]
    assert not table(sent, [*received, *again]).broken()
    assert table(sent, [*received, *again, receipt(0, at_s=11.5)]).broken() == [
        "kill: 1 repeats more than the 2 allowed"
    ]


def test_what_was_answered_while_nothing_could_be_committed_may_be_repeated(sent: Sheet) -> None:
    again = [*complete(), receipt(3, at_s=13), receipt(4, at_s=15)]
    assert table(sent, again, KILL).broken() == ["kill: 1 repeats more than the 1 allowed"]
    assert not table(sent, again, replace(KILL, blind_s=3)).broken()


def test_a_repeat_that_waited_on_a_tier_is_the_kills_not_the_next_faults(sent: Sheet) -> None:
    assert not table(sent, [*complete(), receipt(0, at_s=21)]).broken()


@pytest.mark.parametrize("recovery_s", [None, 15.1])
def test_a_late_recovery_is_found(sent: Sheet, recovery_s: float | None) -> None:
    slow = replace(KILL, recovery_s=recovery_s)
    assert table(sent, complete(), slow).broken() == ["kill: no recovery within 15 s"]


def test_a_fault_with_too_little_open_shows_nothing(sent: Sheet) -> None:
    assert table(sent, complete(), replace(KILL, open_count=99)).broken() == [
        "kill: 99 deliveries open; at least 100 are wanted"
    ]


def test_the_next_attempt_of_one_that_failed_is_no_repeat() -> None:
    assert not list(repeats([receipt(0, at_s=1, status=500), receipt(0, at_s=2, attempt=2)]))


def test_the_next_attempt_of_one_that_succeeded_is_told_as_a_missed_answer(sent: Sheet) -> None:
    found = table(sent, [*complete(), receipt(0, at_s=21, attempt=2)])
    assert "answers missed 1" in found.text()
    assert not found.broken()


def test_receipts_are_read_as_they_were_written(tmp_path: Path) -> None:
    receipts_file(tmp_path).write_bytes(b"".join(pack(each) for each in complete()))
    assert list(receipts(tmp_path)) == complete()


@pytest.mark.parametrize("number", [0, 49, 50, 123_456_789])
def test_a_patched_record_is_the_event_encoded(number: int) -> None:
    _, key, value = Templates(Topics("t."), endpoints=50).record(number)
    wanted = event(number, endpoints=50)
    assert (key.decode(), CODEC.decode_event(value)) == (wanted.data["id"], wanted)


def test_a_full_plan_kills_and_stops_every_role_and_20_times_in_all() -> None:
    faults = full_plan(1, dispatchers=2).faults
    of_roles = [(each.kind, each.process.partition("-")[0]) for each in faults if each.kind in {Kind.KILL, Kind.TERM}]
    assert len(of_roles) == 20
    assert set(of_roles) == {(kind, role) for kind in (Kind.KILL, Kind.TERM) for role in ROLES}
    assert {each.kind for each in faults} == set(Kind)


def test_the_same_seed_draws_the_same_plan_and_another_one_another() -> None:
    assert short_plan(1) == short_plan(1)
    assert len({str(short_plan(seed).faults) for seed in range(5)}) == 5
