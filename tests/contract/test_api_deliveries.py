"""The API's deliveries, logs and test deliveries, as the contract shows them."""

import json
from dataclasses import replace

import pytest

from fakes.api import CATALOGUE, CODEC, Api
from fakes.history import DELIVERED, FAILED, SUCCEEDED
from hookline.api.answers import timestamp
from hookline.core.ids import delivery_id
from hookline.schemas.records import Delivery

# The contract's own example, but for `next_attempt_at`: 30 minutes follow the third attempt, not 2 hours.
CONTRACT_DELIVERIES = """[
  {
    "id": "delivery_123",
    "event": "user.created",
    "status": "succeeded",
    "response_code": 200,
    "delivered_at": "2023-06-20T14:15:35Z",
    "attempts": 1
  },
  {
    "id": "delivery_124",
    "event": "order.completed",
    "status": "failed",
    "response_code": 500,
    "last_attempt_at": "2023-06-20T15:45:30Z",
    "attempts": 3,
    "next_attempt_at": "2023-06-20T16:15:30Z"
  }
]"""


async def test_deliveries_are_shown_as_in_the_contract(api: Api) -> None:
    made = await api.call.made()
    exhausted = replace(FAILED, response_code=None, next_attempt_at_ms=None, state="exhausted")
    waiting = replace(exhausted, attempts=0, last_attempt_at_ms=None, state="postponed")
    api.history.delivery_rows = [SUCCEEDED, FAILED, exhausted, waiting]
    reply = await api.call("GET", f"/webhooks/{made['id']}/deliveries")
    told = reply.json["deliveries"]
    assert [list(each)[-1] for each in told] == ["state"] * 4
    assert [each.pop("state") for each in told] == ["succeeded", "retrying", "exhausted", "postponed"]
    assert json.dumps(told[:2], indent=2) == CONTRACT_DELIVERIES
    assert told[2:] == [
        {
            "id": "delivery_124",
            "event": "order.completed",
            "status": "failed",
            "response_code": None,
            "last_attempt_at": "2023-06-20T15:45:30Z",
            "attempts": 3,
        },
        {"id": "delivery_124", "event": "order.completed", "status": "failed", "response_code": None, "attempts": 0},
    ]
    assert api.history.asked == [(api.account_id, made["id"], 101)]


async def test_a_delivery_that_is_held_back_is_never_due_in_the_past(api: Api) -> None:
    made = await api.call.made()
    held = replace(FAILED, attempts=0, response_code=None, last_attempt_at_ms=None, state="postponed")
    later_ms = api.parts.clock.now_ms() + 600_000
    api.history.delivery_rows = [held, replace(held, next_attempt_at_ms=later_ms)]
    asked_at_ms = api.parts.clock.now_ms()
    reply = await api.call("GET", f"/webhooks/{made['id']}/deliveries")
    first, second = reply.json["deliveries"]
    assert list(first) == ["id", "event", "status", "response_code", "attempts", "next_attempt_at", "state"]
    assert timestamp(asked_at_ms) <= first["next_attempt_at"] <= timestamp(api.parts.clock.now_ms())
    assert second["next_attempt_at"] == timestamp(later_ms)


async def test_logs_are_shown_as_in_the_contract(api: Api) -> None:
    made = await api.call.made()
    failed = replace(
        DELIVERED,
        status="failed",
        response_code=None,
        error="timeout",
        detail="The endpoint did not answer in full within the time limit.",
    )
    api.history.log_rows = [DELIVERED, failed]
    reply = await api.call("GET", f"/webhooks/{made['id']}/logs")
    delivered, refused = reply.json["logs"]
    assert list(delivered.items()) == [
        ("id", "log_123"),
        ("event", "user.created"),
        ("status", "delivered"),
        ("response_code", 200),
        ("response_time", 150),
        ("delivered_at", "2023-06-20T14:15:35Z"),
    ]
    assert refused == {
        "id": "log_123",
        "event": "user.created",
        "status": "failed",
        "response_code": None,
        "response_time": 150,
        "attempted_at": "2023-06-20T14:15:35Z",
        "error": "timeout",
        "detail": "The endpoint did not answer in full within the time limit.",
    }


@pytest.mark.parametrize("suffix", ["deliveries", "logs"])
async def test_a_list_is_as_long_as_asked(api: Api, suffix: str) -> None:
    made = await api.call.made()
    path = f"/webhooks/{made['id']}/{suffix}"
    assert (await api.call("GET", f"{path}?limit=1000")).status == 200
    assert api.history.asked[-1][2] == 1_001
    for wrong in ("0", "1001", "-1", "", "x", "1.5", "9" * 30, "%00", "\u0661"):
        reply = await api.call("GET", f"{path}?limit={wrong}")
        assert (reply.status, reply.json["errors"][0]["field"]) == (422, "limit")


@pytest.mark.parametrize("event_type", sorted(CATALOGUE.event_types))
async def test_a_test_delivery_takes_the_normal_road_with_the_sample(api: Api, event_type: str) -> None:
    made = await api.call.made()
    await api.call("PUT", f"/webhooks/{made['id']}", {"status": "paused"})
    reply = await api.call("POST", f"/webhooks/{made['id']}/test", {"event": event_type})
    assert reply.status == 202
    assert list(reply.json) == ["delivery_id"]
    record = api.log.records[-1]
    assert (record.topic, record.key) == (api.parts.topics.deliveries, made["id"].encode())
    delivery = CODEC.decode(record.value, Delivery)
    assert delivery.delivery_id == reply.json["delivery_id"]
    assert delivery.delivery_id == delivery_id(api.account_id, delivery.event_id, made["id"])
    assert (delivery.is_test, delivery.run, delivery.attempt, delivery.origin) == (True, 0, 1, None)
    assert delivery.config_offset == api.view.applied == 2
    body = json.loads(delivery.body)
    assert list(body) == ["event", "timestamp", "data"]
    assert (body["event"], body["data"]) == (event_type, CATALOGUE.event_types[event_type].sample)


async def test_a_second_test_is_another_delivery(api: Api) -> None:
    made = await api.call.made()
    path = f"/webhooks/{made['id']}/test"
    first, second = [await api.call("POST", path, {"event": "user.created"}) for _ in range(2)]
    assert first.json["delivery_id"] != second.json["delivery_id"]


@pytest.mark.parametrize("body", [{}, {"event": "nope"}, {"event": None}, {"event": ["user.created"]}])
async def test_a_test_of_no_event_type_names_the_field(api: Api, body: dict[str, object]) -> None:
    made = await api.call.made()
    reply = await api.call("POST", f"/webhooks/{made['id']}/test", body)
    assert (reply.status, reply.json["errors"][0]["field"]) == (422, "event")
    assert api.log.values(api.parts.topics.deliveries) == []
