import io
import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from fakes.publishing import KeptEvents
from hookline.producers import ConfigError, ContractError, NotYet
from hookline.producers.ingest import LINE_BYTES_MAX, Complaint, ExitStatus, Report, event_of_line, ingest
from hookline.runtime.catalogue import load_catalogue

GOOD = (
    b'{"id":"evt_1","account_id":"acct_1","event":"order.completed","timestamp":"2023-06-20T15:45:00Z","data":'
    b'{"id":"order_456","user_id":"user_123","status":"completed","total":99.99,"currency":"USD",'
    b'"completed_at":"2023-06-20T15:45:00Z"}}'
)


def changed(**fields: object) -> bytes:
    return json.dumps(json.loads(GOOD) | fields).encode()


def without(*names: str) -> bytes:
    return json.dumps({name: value for name, value in json.loads(GOOD).items() if name not in names}).encode()


def run(*lines: bytes, to: KeptEvents, account_id: str | None = None) -> tuple[Report, list[Complaint]]:
    complaints: list[Complaint] = []
    report = ingest(io.BytesIO(b"\n".join(lines)), to, account_id=account_id, complain=complaints.append)
    return report, complaints


def test_a_good_line_is_published_as_it_says() -> None:
    kept = KeptEvents()
    report, complaints = run(GOOD, to=kept)
    (event,) = kept.events
    assert (event.event_id, event.account_id, event.type) == ("evt_1", "acct_1", "order.completed")
    assert event.occurred_at == datetime(2023, 6, 20, 15, 45, tzinfo=UTC)
    assert event.data["total"] == Decimal("99.99")
    assert (report.published, report.exit_status, complaints) == (1, ExitStatus.ALL_PUBLISHED, [])


def test_bad_lines_are_told_by_number_and_the_rest_goes_on() -> None:
    kept = KeptEvents()
    report, complaints = run(GOOD, b"{", b"", changed(event="no.such"), GOOD, to=kept)
    assert [complaint.line for complaint in complaints] == [2, 4]
    assert len(kept.events) == 2
    assert report == Report(read=4, published=2, bad=2, unpublished=0, unread=False, exit_status=ExitStatus.BAD_LINES)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "no JSON at character 2"),
        (b"[]", "no JSON object"),
        (b"null", "no JSON object"),
        (b"\xff{}", "no UTF-8 at byte 1"),
        (b'{"total": NaN}', "NaN"),
        (b'{"total": -Infinity}', "Infinity"),
        (b'{"total": 1e999999999999999999999}', "too many digits"),
        (b'{"total": ' + b"9" * 5_000 + b"}", "too many digits"),
        (b"[" * 200_000, "nested too deeply"),
        (b" " * LINE_BYTES_MAX + b"x", "longer than 1048576 bytes"),
        (without("event"), "event is missing"),
        (without("account_id"), "account_id is missing"),
        (changed(secret="x"), "'secret' is no field"),
        (changed(event="order.lost"), "order.lost"),
        (changed(timestamp="yesterday"), "timestamp"),
        (changed(account_id=7), "account_id"),
        (changed(data={}), "data.id"),
        (GOOD.replace(b"99.99", b"99.99999"), "data.total"),
        (GOOD.replace(b"99.99", b'"99.99"'), "data.total"),
        (GOOD.replace(b'"USD"', rb'"\ud800"'), "data.currency"),
    ],
)
def test_the_reason_names_what_is_wrong(line: bytes, reason: str) -> None:
    _, (complaint,) = run(line, to=KeptEvents())
    assert reason in str(complaint)


def test_a_line_as_long_as_the_limit_is_read() -> None:
    kept = KeptEvents()
    run(GOOD + b" " * (LINE_BYTES_MAX - len(GOOD)), GOOD, to=kept)
    assert len(kept.events) == 2


def test_what_follows_a_line_that_is_too_long_is_read() -> None:
    kept = KeptEvents()
    report, (complaint,) = run(b"x" * (5 * LINE_BYTES_MAX), GOOD, to=kept)
    assert (complaint.line, len(kept.events), report.bad) == (1, 1, 1)


def test_a_reason_holds_nothing_of_the_lines_values() -> None:
    _, (complaint,) = run(changed(data={"id": "secret-person"}, timestamp="secret-time"), to=KeptEvents())
    assert "secret" not in str(complaint)


def test_an_absent_id_is_drawn_anew_for_each_line() -> None:
    kept = KeptEvents()
    run(without("id"), without("id"), to=kept)
    assert len({event.event_id for event in kept.events}) == 2


def test_a_line_without_account_belongs_to_the_one_given() -> None:
    kept = KeptEvents()
    run(without("account_id"), GOOD, to=kept, account_id="acct_given")
    assert [event.account_id for event in kept.events] == ["acct_given", "acct_1"]


def test_windows_line_ends_and_a_byte_order_mark_are_no_matter() -> None:
    kept = KeptEvents()
    run(b"\xef\xbb\xbf" + GOOD + b"\r", GOOD, to=kept)
    assert len(kept.events) == 2


@pytest.mark.parametrize(
    ("error", "status"),
    [(NotYet("away"), ExitStatus.BROKER_AWAY), (ConfigError("no topic"), ExitStatus.WRONG_SETTING)],
)
def test_a_line_that_is_not_acknowledged_is_told_and_ends_the_reading(error: NotYet, status: ExitStatus) -> None:
    kept = KeptEvents(failures={2: error})
    report, (complaint,) = run(GOOD, GOOD, GOOD, to=kept)
    assert (complaint.line, complaint.reason) == (2, str(error))
    assert (report.published, report.unpublished, report.unread) == (1, 1, True)
    assert report.exit_status is status


def test_a_full_queue_ends_the_reading() -> None:
    report, (complaint,) = run(GOOD, GOOD, to=KeptEvents(refusals={1: NotYet("full")}))
    assert (complaint.line, report.read, report.exit_status) == (1, 1, ExitStatus.BROKER_AWAY)


def test_a_broker_that_is_away_outweighs_a_bad_line() -> None:
    report, _ = run(b"{", GOOD, to=KeptEvents(failures={1: NotYet("away")}))
    assert report.exit_status is ExitStatus.BROKER_AWAY


def test_one_line_alone() -> None:
    event = event_of_line(load_catalogue(), without("id"), draw_id=lambda: "evt_drawn")
    assert event.event_id == "evt_drawn"
    with pytest.raises(ContractError):
        event_of_line(load_catalogue(), b"{")
