"""Numbers of a webhook and of an account, in front of a real history store, compared with a look at every record."""

from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio

from fakes.asked_history import AskedHistory, asked_history, owned, thousands
from fakes.records import AT_MS, attempt
from hookline.api.answers import timestamp
from hookline.core.progress import is_request
from hookline.core.response_times import ending, is_answered
from hookline.schemas.records import Attempt

pytestmark = pytest.mark.asyncio(loop_scope="module")
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
FIRST_MS = AT_MS // HOUR_MS * HOUR_MS
WHOLE = {"since": timestamp(AT_MS), "until": timestamp(AT_MS + 29 * DAY_MS)}


@dataclass(frozen=True, slots=True)
class Full:
    """A store with the records of thousands of deliveries to three webhooks."""

    asked: AskedHistory
    webhooks: Sequence[str]
    records: Sequence[Attempt]

    def wanted(self, webhook: str | None, since_ms: int, until_ms: int) -> list[Attempt]:
        """The requests that are counted."""
        return [
            each
            for each in self.records
            if is_request(each)
            and not each.is_test
            and webhook in {None, each.subscription_id}
            and since_ms <= each.started_at_ms < until_ms
        ]

    def path(self, webhook: str | None) -> str:
        return "/stats" if webhook is None else f"/webhooks/{webhook}/stats"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def full(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Full]:
    async with asked_history(tmp_path_factory.mktemp("numbers")) as asked:
        webhooks = [(await asked.call.made())["id"] for _ in range(3)]
        records = thousands(asked.api.account_id, webhooks)
        foreign = (await asked.stranger.made())["id"]
        others = owned([attempt(event=f"evt_{n}") for n in range(50)], asked.api.foreign_id, {"wh_1": foreign})
        await asked.take_in([*records, *others, *records[:300]])  # some come twice
        yield Full(asked, webhooks, records)


def counted(requests: Sequence[Attempt]) -> dict[str, Any]:
    endings = Counter(map(ending, requests))
    succeeded = endings.pop("succeeded", 0)
    share = round(succeeded / len(requests), 6) if requests else None
    return {"succeeded": succeeded, "failed": endings.total(), "success_rate": share, "errors": dict(endings)}


def volume(requests: Sequence[Attempt], since_ms: int, step_ms: int) -> list[Mapping[str, Any]]:
    steps: dict[int, list[Attempt]] = {}
    for each in requests:
        steps.setdefault((each.started_at_ms - since_ms) // step_ms, []).append(each)
    counts = {step: counted(inside) for step, inside in sorted(steps.items())}
    return [
        {"at": timestamp(since_ms + step * step_ms), "succeeded": each["succeeded"], "failed": each["failed"]}
        for step, each in counts.items()
    ]


@pytest.mark.parametrize("whose", [0, 1, None])
@pytest.mark.parametrize(
    ("since_ms", "until_ms", "step"),
    [
        (FIRST_MS, FIRST_MS + 29 * DAY_MS, "day"),
        (FIRST_MS, FIRST_MS + 30 * DAY_MS, "hour"),
        (FIRST_MS + DAY_MS, FIRST_MS + DAY_MS + HOUR_MS, "hour"),
        (FIRST_MS + DAY_MS + 1, FIRST_MS + 2 * DAY_MS - 1, "hour"),
        (FIRST_MS + 7 * HOUR_MS, FIRST_MS + 60 * HOUR_MS, "day"),
    ],
)
async def test_numbers_are_those_of_the_requests_in_these_hours(
    full: Full, whose: int | None, since_ms: int, until_ms: int, step: str
) -> None:
    webhook = None if whose is None else full.webhooks[whose]
    written = {name: shown_ms(at_ms) for name, at_ms in (("since", since_ms), ("until", until_ms))}
    found = await full.asked.answer(full.path(webhook), {**written, "step": step})
    low_ms, high_ms = since_ms // HOUR_MS * HOUR_MS, -(-until_ms // HOUR_MS) * HOUR_MS
    requests = full.wanted(webhook, low_ms, high_ms)
    assert len(requests) > 5
    assert (found["since"], found["until"]) == (timestamp(low_ms), timestamp(high_ms))
    assert {name: found[name] for name in counted(requests)} == counted(requests)
    assert found["volume"] == volume(requests, low_ms, DAY_MS if step == "day" else HOUR_MS)
    check_times(found["response_time"], [each.duration_ms for each in requests if is_answered(ending(each))])


def check_times(found: Mapping[str, int], durations_ms: Sequence[int]) -> None:
    """As exact as buckets are: between the two requests around it, or 19 % off them."""
    ordered = sorted(durations_ms)
    for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
        place = share * len(ordered)
        low, high = ordered[max(0, int(place) - 1)], ordered[min(len(ordered) - 1, int(place))]
        assert low * 0.8 - 1 <= found[name] <= high * 1.2 + 1, name


def shown_ms(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1_000, UTC).isoformat(timespec="milliseconds")


async def test_an_account_has_the_numbers_of_all_its_webhooks_and_of_nobody_else(full: Full) -> None:
    whole = await full.asked.answer("/stats", WHOLE)
    each = [await full.asked.answer(full.path(webhook), WHOLE) for webhook in full.webhooks]
    for name in ("succeeded", "failed"):
        assert whole[name] == sum(one[name] for one in each)
    foreign = (await full.asked.stranger.asks("/stats", WHOLE)).json
    assert (foreign["succeeded"], foreign["failed"]) == (50, 0)


async def test_where_there_is_no_request_there_are_no_numbers(full: Full) -> None:
    new = (await full.asked.call.made())["id"]
    found = await full.asked.answer(full.path(new), WHOLE)
    assert found == {
        "since": timestamp(FIRST_MS),
        "until": timestamp(FIRST_MS + 29 * DAY_MS + HOUR_MS),
        "succeeded": 0,
        "failed": 0,
        "success_rate": None,
        "response_time": {"p50": None, "p95": None, "p99": None},
        "errors": {},
        "volume": [],
    }


async def test_a_deleted_webhook_is_still_in_the_accounts_numbers(full: Full) -> None:
    new = (await full.asked.call.made())["id"]
    before = await full.asked.answer("/stats", WHOLE)
    await full.asked.take_in(owned([attempt(event="evt_new")], full.asked.api.account_id, {"wh_1": new}))
    assert (await full.asked.call("DELETE", f"/webhooks/{new}")).status == 204
    assert (await full.asked.call("GET", full.path(new))).status == 404
    assert (await full.asked.answer("/stats", WHOLE))["succeeded"] == before["succeeded"] + 1


async def test_the_last_day_is_told_unless_another_time_is_asked_for(full: Full) -> None:
    now_ms = full.asked.api.parts.clock.now_ms()
    found = await full.asked.answer("/stats")
    since, until = (datetime.fromisoformat(found[name]) for name in ("since", "until"))
    assert since.timestamp() * 1_000 <= now_ms - DAY_MS + HOUR_MS
    assert now_ms <= until.timestamp() * 1_000 <= now_ms + 2 * HOUR_MS
    assert 24 <= (until - since).total_seconds() / 3_600 <= 25
    before = await full.asked.answer("/stats", {"until": "2023-11-16T00:00:00Z"})
    assert (before["since"], before["until"]) == ("2023-11-15T00:00:00Z", "2023-11-16T00:00:00Z")


@pytest.mark.parametrize(
    ("since", "until", "hours"),
    [
        ("0001-01-01T00:00:00+23:59", "0001-01-02T00:00:00Z", ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z")),
        ("1969-12-31T12:00:00Z", "1970-01-01T12:30:00Z", ("1970-01-01T00:00:00Z", "1970-01-01T13:00:00Z")),
        ("9999-12-30T00:00:00Z", "9999-12-31T23:59:59-23:59", ("9999-12-30T00:00:00Z", "9999-12-31T23:00:00Z")),
        ("2023-11-15T00:00:00Z", "2023-11-15T00:00:00.001Z", ("2023-11-15T00:00:00Z", "2023-11-15T01:00:00Z")),
    ],
)
async def test_every_time_there_is_is_answered(full: Full, since: str, until: str, hours: tuple[str, str]) -> None:
    found = await full.asked.answer("/stats", {"since": since, "until": until})
    assert (found["since"], found["until"]) == hours


@pytest.mark.parametrize(
    ("query", "field", "said"),
    [
        ({"since": "2023-06-20T00:00:00Z", "until": "2023-07-20T00:00:01Z"}, "since", "30 days before"),
        ({"since": "2023-06-20T00:00:00Z"}, "since", "30 days before"),
        ({"since": "9999-01-01T00:00:00Z"}, "since", "before now"),
        ({"since": "2023-06-20T00:00:00Z", "until": "2023-06-20T00:00:00Z"}, "until", "after `since`"),
        ({"since": "2023-06-21T00:00:00Z", "until": "2023-06-20T00:00:00Z"}, "until", "after `since`"),
        ({"since": "yesterday"}, "since", "must be a time such as"),
        ({"until": ""}, "until", "must be a time such as"),
        ({"step": "minute"}, "step", "'hour' or 'day'"),
        ({"limit": 1}, "limit", "no parameter"),
        ({"event": "order.created"}, "event", "no parameter"),
    ],
)
async def test_what_is_wrong_is_named(full: Full, query: Mapping[str, object], field: str, said: str) -> None:
    for webhook in (None, full.webhooks[0]):
        reply = await full.asked.call.asks(full.path(webhook), query)
        assert reply.status == 422, reply.text
        ((error),) = reply.json["errors"]
        assert error["field"] == field
        assert said in error["detail"]
