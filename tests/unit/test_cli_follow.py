from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from hookline.cli.api_client import Webhook
from hookline.cli.follow import Outcome, exit_status, outcome, publish_timeout_s

WEBHOOK = Webhook(webhook_id="wh_1", url="http://127.0.0.1:1/", events=("order.*",), active=True)
UNTIL = datetime(2023, 6, 20, 14, 15, 30, tzinfo=UTC)
SUCCEEDED = {"status": "succeeded", "response_code": 200, "attempts": 1, "delivered_at": "2023-06-20T14:15:20Z"}
RETRIED = {
    "status": "failed",
    "response_code": 500,
    "attempts": 1,
    "last_attempt_at": "2023-06-20T14:15:20Z",
    "next_attempt_at": "2023-06-20T14:15:21Z",
}
LATER = RETRIED | {"next_attempt_at": "2023-06-20T14:20:21Z", "response_code": None}


def seen(found: Mapping[str, object] | None) -> Outcome:
    return outcome(WEBHOOK, "delivery_1", found, after_s=0.1234)


@pytest.mark.parametrize(("found", "is_settled"), [(None, False), (SUCCEEDED, True), (RETRIED, False), (LATER, True)])
def test_it_is_followed_until_nothing_more_can_happen_in_time(
    found: Mapping[str, object] | None, *, is_settled: bool
) -> None:
    assert seen(found).is_settled(UNTIL) is is_settled


@pytest.mark.parametrize(
    ("found", "line"),
    [
        (None, "http://127.0.0.1:1/  nothing known yet"),
        (SUCCEEDED, "http://127.0.0.1:1/  succeeded (200) after 0.12 s, attempts: 1"),
        (
            LATER,
            "http://127.0.0.1:1/  failed (no answer) after 0.12 s, attempts: 1, next attempt not before 2023-06-20T14:20:21Z",
        ),
    ],
)
def test_an_outcome_is_one_line(found: Mapping[str, object] | None, line: str) -> None:
    assert str(seen(found)) == line


@pytest.mark.parametrize(
    ("found", "status"), [([], 0), ([SUCCEEDED], 0), ([SUCCEEDED, None], 3), ([None, LATER, SUCCEEDED], 1)]
)
def test_the_exit_status_tells_a_script(found: list[Mapping[str, object] | None], status: int) -> None:
    assert exit_status([seen(each) for each in found]) == status


@pytest.mark.parametrize(
    ("event_type", "active", "wants"),
    [("order.created", True, True), ("user.created", True, False), ("order.created", False, False)],
)
def test_a_webhook_wants_what_its_patterns_say_while_it_is_active(
    event_type: str, *, active: bool, wants: bool
) -> None:
    webhook = Webhook(webhook_id="wh_1", url="http://127.0.0.1:1/", events=("order.*",), active=active)
    assert webhook.wants(event_type) is wants


@pytest.mark.parametrize(("wait_s", "timeout_s"), [(0, 1), (1, 1), (3, 2), (15, 14), (31, 30), (3_600, 30)])
def test_the_broker_has_as_long_as_is_waited_for_its_answer(wait_s: float, timeout_s: float) -> None:
    assert publish_timeout_s(wait_s) == timeout_s
