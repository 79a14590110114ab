"""The API over real HTTP: webhooks made, read, changed and deleted as in the contract, and the rulings where it is silent."""

import asyncio
import base64
import logging
import re
from collections.abc import Sequence

import pytest

from fakes.api import CODEC, Api, running_api
from fakes.configuration import MASTER_KEY
from fakes.contract import CONTRACT_WEBHOOK
from hookline.core.sealing import unseal
from hookline.schemas.records import Subscription, SubscriptionStatus

NOT_IN_RANGE = [
    (0, "greater than or equal to 1"),
    (-1, "greater than or equal to 1"),
    (10_001, "less than or equal to"),
    (1.5, "valid integer"),
    ("5", "valid integer"),
    (True, "valid integer"),
]
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"


def latest(api: Api) -> Subscription:
    values = api.log.values(api.parts.topics.subscriptions)
    return CODEC.decode(values[-1], Subscription)


def opened(subscription: Subscription) -> str:
    return unseal(
        subscription.secret,
        keys=[MASTER_KEY],
        account_id=subscription.account_id,
        subscription_id=subscription.subscription_id,
    )


# -- making -----------------------------------------------------------------------------------------------------------


async def test_a_webhook_is_made_as_the_contract_shows_it(api: Api) -> None:
    reply = await api.call("POST", "/webhooks", CONTRACT_WEBHOOK)
    assert reply.status == 201
    made = reply.json
    assert list(made) == ["id", "url", "events", "description", "created_at", "status"]
    assert {name: made[name] for name in ("url", "events", "description")} == {
        name: CONTRACT_WEBHOOK[name] for name in ("url", "events", "description")
    }
    assert made["status"] == "active"
    assert re.fullmatch(r"wh_[0-9a-f]{32}", made["id"])
    assert re.fullmatch(TIME, made["created_at"])
    assert reply.headers["Location"] == f"/webhooks/{made['id']}"
    assert reply.headers["Content-Type"] == "application/json"


async def test_a_given_secret_is_kept_sealed_and_never_shown(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    reply = await api.call("POST", "/webhooks", CONTRACT_WEBHOOK)
    replies = [
        reply.text,
        (await api.call("GET", f"/webhooks/{reply.json['id']}")).text,
        (await api.call("GET", "/webhooks")).text,
        (await api.call("PUT", f"/webhooks/{reply.json['id']}", {"status": "paused"})).text,
        caplog.text,
        str(api.log.records),
    ]
    assert opened(latest(api)) == "your-webhook-secret"
    assert not [text for text in replies if "your-webhook-secret" in text]


async def test_a_secret_that_was_not_given_is_made_and_shown_once(api: Api) -> None:
    made = await api.call.made()
    assert list(made)[-1] == "secret"
    assert made["secret"].startswith("whsec_")
    assert len(base64.b64decode(made["secret"].removeprefix("whsec_"), validate=True)) == 32
    assert opened(latest(api)) == made["secret"]
    assert "secret" not in (await api.call("GET", f"/webhooks/{made['id']}")).json
    assert (await api.call.made())["secret"] != made["secret"]


async def test_an_absent_description_is_left_out(api: Api) -> None:
    made = await api.call.made(description=None)
    assert "description" not in made
    assert "description" not in (await api.call("GET", f"/webhooks/{made['id']}")).json


async def test_a_rate_limit_and_a_timeout_are_shown_only_where_they_are_set(api: Api) -> None:
    made = await api.call.made(rate_limit=10_000, timeout_s=30, secret="given")
    path = f"/webhooks/{made['id']}"
    assert list(made.items())[-3:] == [("status", "active"), ("rate_limit", 10_000), ("timeout_s", 30)]
    assert (latest(api).rate_limit, latest(api).timeout_s) == (10_000, 30)
    assert (await api.call("GET", path)).json == made
    changed = (await api.call("PUT", path, {"rate_limit": 1})).json
    assert changed == {**made, "rate_limit": 1}
    changed = (await api.call("PUT", path, {"rate_limit": None, "timeout_s": None})).json
    assert list(changed) == list(made)[:-2]
    assert (latest(api).rate_limit, latest(api).timeout_s, latest(api).version) == (None, None, 3)
    assert "rate_limit" not in (await api.call.made(rate_limit=None, timeout_s=None))


@pytest.mark.parametrize("name", ["rate_limit", "timeout_s"])
async def test_a_limit_out_of_its_range_makes_no_webhook(api: Api, name: str) -> None:
    for wrong, said in NOT_IN_RANGE:
        body = {"url": "https://example.com", "events": ["user.created"], name: wrong}
        reply = await api.call("POST", "/webhooks", body)
        assert (reply.status, reply.json["errors"][0]["field"]) == (422, name)
        assert said in reply.json["errors"][0]["detail"]
    assert (await api.call("GET", "/webhooks")).json["total"] == 0


async def test_a_confirmed_webhook_is_in_the_log_and_in_the_view(api: Api) -> None:
    made = await api.call.made()
    record = latest(api)
    assert api.view.subscription(made["id"]) == record
    assert (record.subscription_id, record.account_id, record.version) == (made["id"], api.account_id, 1)
    assert api.log.changes[-1].key == made["id"].encode()


async def test_an_account_has_at_most_its_cap_of_webhooks_however_many_ask_at_once() -> None:
    async with running_api(subscriptions_max=3) as api:
        body = {"url": "https://example.com", "events": ["user.created"]}
        replies = await asyncio.gather(*(api.call("POST", "/webhooks", body) for _ in range(10)))
        assert sorted(reply.status for reply in replies) == [201] * 3 + [409] * 7
        refused = next(reply for reply in replies if reply.status == 409)
        assert refused.json["type"] == "urn:hookline:problem:too-many-webhooks"
        assert "3 webhooks" in refused.json["detail"]
        assert (await api.stranger("POST", "/webhooks", body)).status == 201


# -- reading ----------------------------------------------------------------------------------------------------------


async def test_webhooks_are_listed_as_the_contract_shows_them(api: Api) -> None:
    first, second = await api.call.made(description="first"), await api.call.made()
    await api.stranger.made()
    listed = (await api.call("GET", "/webhooks")).json
    assert list(listed) == ["webhooks", "total"]
    assert listed["total"] == 2
    assert sorted(each["id"] for each in listed["webhooks"]) == sorted([first["id"], second["id"]])
    assert [list(each) for each in listed["webhooks"]] == [["id", "url", "events", "status", "created_at"]] * 2


async def test_an_account_without_webhooks_has_an_empty_list(api: Api) -> None:
    assert (await api.call("GET", "/webhooks")).json == {"webhooks": [], "total": 0}


async def test_one_webhook_is_read_in_full(api: Api) -> None:
    made = await api.call.made(description="first", secret="given")
    assert (await api.call("GET", f"/webhooks/{made['id']}")).json == made


# -- changing ---------------------------------------------------------------------------------------------------------


async def test_fields_left_out_of_a_change_keep_their_value(api: Api) -> None:
    made = await api.call.made(description="first", secret="given")
    path = f"/webhooks/{made['id']}"
    changed = await api.call("PUT", path, {"events": ["user.created", "user.updated", "order.completed"]})
    assert changed.status == 200
    assert changed.json == {**made, "events": ["user.created", "user.updated", "order.completed"]}
    assert list(changed.json) == list(made)
    changed = await api.call("PUT", path, {"status": "paused", "url": "https://example.com/other"})
    assert changed.json["status"] == "paused"
    assert changed.json["url"] == "https://example.com/other"
    assert (await api.call("GET", path)).json == changed.json
    record = latest(api)
    assert (record.version, record.status, opened(record)) == (3, SubscriptionStatus.PAUSED, "given")
    assert record.updated_at_ms >= record.created_at_ms


async def test_a_description_of_null_takes_it_away(api: Api) -> None:
    made = await api.call.made(description="first")
    changed = await api.call("PUT", f"/webhooks/{made['id']}", {"description": None})
    assert "description" not in changed.json
    assert latest(api).description is None


async def test_a_webhook_sent_back_as_it_was_read_changes_nothing(api: Api) -> None:
    made = await api.call.made(description="first", secret="given")
    written = len(api.log.records)
    for body in (made, {}, {"status": "active"}):
        reply = await api.call("PUT", f"/webhooks/{made['id']}", body)
        assert (reply.status, reply.json) == (200, made)
    assert len(api.log.records) == written


@pytest.mark.parametrize(
    ("body", "field", "said"),
    [
        ({"secret": "new"}, "secret", "/secret/rotate"),
        ({"secret": None}, "secret", "/secret/rotate"),
        ({"id": "wh_other"}, "id", "can't be changed"),
        ({"created_at": "2023-06-20T14:15:30Z"}, "created_at", "can't be changed"),
        ({"stauts": "paused"}, "stauts", "is no field of this body"),
        ({"status": "disabled"}, "status", "'active' or 'paused'"),
        ({"status": None}, "status", "'active', 'paused' or 'disabled'"),
        *[({"rate_limit": wrong}, "rate_limit", said) for wrong, said in NOT_IN_RANGE],
        *[({"timeout_s": wrong}, "timeout_s", said) for wrong, said in NOT_IN_RANGE],
        ({"url": None}, "url", "valid string"),
        ({"url": "http://example.com"}, "url", "https"),
        ({"events": None}, "events", "valid list"),
        ({"events": []}, "events", "at least one"),
        ({"events": ["nope"]}, "events", "no event type"),
        ({"description": 1}, "description", "valid string"),
    ],
)
async def test_a_wrong_change_names_the_field_and_changes_nothing(
    api: Api, body: dict[str, object], field: str, said: str
) -> None:
    made = await api.call.made()
    reply = await api.call("PUT", f"/webhooks/{made['id']}", body)
    assert reply.status == 422
    assert [each["field"] for each in reply.json["errors"]] == [field]
    assert said in reply.json["errors"][0]["detail"]
    assert latest(api).version == 1


async def test_changes_of_one_webhook_at_once_are_all_kept(api: Api) -> None:
    made = await api.call.made()
    path = f"/webhooks/{made['id']}"
    bodies: Sequence[dict[str, object]] = [
        {"description": "changed"},
        {"status": "paused"},
        {"url": "https://example.com/changed"},
        {"events": ["order.created"]},
    ]
    replies = await asyncio.gather(*(api.call("PUT", path, body) for body in bodies))
    assert [reply.status for reply in replies] == [200] * 4
    kept = (await api.call("GET", path)).json
    assert {name: value for body in bodies for name, value in body.items()}.items() <= kept.items()
    assert latest(api).version == 5


# -- deleting ---------------------------------------------------------------------------------------------------------


async def test_a_deleted_webhook_is_gone(api: Api) -> None:
    made = await api.call.made()
    path = f"/webhooks/{made['id']}"
    reply = await api.call("DELETE", path)
    assert (reply.status, reply.text) == (204, "")
    key = made["id"].encode()
    assert [record[4:] for record in api.log.changes[-3:]] == [(key, None), (key, None), (key + b"/disabled", None)]
    topics = api.parts.topics
    assert [record.topic for record in api.log.changes[-3:]] == [topics.subscriptions, *[topics.endpoint_state] * 2]
    for method, suffix in [("GET", ""), ("DELETE", ""), ("GET", "/deliveries"), ("GET", "/logs")]:
        assert (await api.call(method, path + suffix)).status == 404
    assert (await api.call("PUT", path, {})).status == 404
    assert (await api.call("POST", f"{path}/test", {"event": "user.created"})).status == 404
