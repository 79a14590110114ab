"""What a webhook that is enabled again has missed, and which events a replay may be asked for."""

from dataclasses import replace

import pytest

from fakes.configuration import subscription
from fakes.judgements import disabling, health
from hookline.core.catch_up import complaint_about_unwanted, missed_since_ms
from hookline.schemas.records import DisablingReason, SubscriptionStatus

BEFORE = replace(subscription("http://localhost/", "*"), version=3, judged_from=2)
ENABLED = replace(BEFORE, version=4, judged_from=4)
TYPES = ("order.created", "order.cancelled", "user.created")


DAY_MS, AT_MS = 86_400_000, 1_900_000_000_000


@pytest.mark.parametrize("reason", DisablingReason)
@pytest.mark.parametrize(("failing_for_ms", "missed_for_ms"), [(None, 0), (7_000, 7_000), (-500, 0)])
def test_what_failed_before_the_disabling_and_what_waited_for_a_day_then_was_missed_as_well(
    reason: DisablingReason, failing_for_ms: int | None, missed_for_ms: int
) -> None:
    judged, old = disabling(BEFORE, reason=reason, at_ms=AT_MS), replace(ENABLED, created_at_ms=1_000)
    failing = health(BEFORE, failing_since_ms=None if failing_for_ms is None else AT_MS - failing_for_ms)
    assert missed_since_ms(judged, failing, old) == AT_MS - missed_for_ms - DAY_MS
    assert missed_since_ms(judged, None, old) == AT_MS - DAY_MS


def test_what_happened_before_it_was_made_was_not_missed() -> None:
    judged, new = disabling(BEFORE, at_ms=AT_MS), replace(ENABLED, created_at_ms=AT_MS - 5_000)
    assert missed_since_ms(judged, None, new) == AT_MS - 5_000


def test_nothing_is_told_of_one_that_was_not_disabled_or_still_gets_nothing() -> None:
    judged = disabling(BEFORE, at_ms=9_000)
    assert missed_since_ms(None, health(BEFORE, failing_since_ms=2_000), ENABLED) is None
    assert missed_since_ms(judged, None, BEFORE) is None
    assert missed_since_ms(judged, None, replace(ENABLED, status=SubscriptionStatus.PAUSED)) is None


@pytest.mark.parametrize(
    ("asked", "wanted", "unwanted"),
    [
        ((), ("user.created",), None),
        (("user.created",), ("user.*",), None),
        (("*",), ("user.created",), None),
        (("order.*",), ("order.created",), None),
        (("order.cancelled",), ("order.created",), "order.cancelled"),
        (("user.created", "order.*"), ("user.*",), "order.*"),
    ],
)
def test_each_pattern_must_fit_a_type_that_is_wanted(
    asked: tuple[str, ...], wanted: tuple[str, ...], unwanted: str | None
) -> None:
    complaint = complaint_about_unwanted(asked, wanted, TYPES)
    assert (complaint is None) == (unwanted is None)
    assert complaint is None or complaint.startswith(f"has '{unwanted}', which fits no event type")
