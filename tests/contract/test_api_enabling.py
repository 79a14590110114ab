"""A webhook that dispatchers have disabled, or will: how the API shows it, and how its owner enables it again."""

from dataclasses import replace
from typing import Any

import pytest

from fakes.api import Api, judge, running_api
from fakes.judgements import disabling, health
from hookline.schemas.records import DisablingReason, Subscription, SubscriptionStatus, disabling_key

SINCE_MS = 1_687_270_530_000
SINCE = "2023-06-20T14:15:30Z"


def kept(api: Api, made: Any) -> Subscription:
    found = api.view.subscription(made["id"])
    assert found is not None
    return found


def without_catch_up(shown: Any) -> Any:
    """As it is read; what it has missed is only in the answer that enables it."""
    return {name: value for name, value in shown.items() if name != "catch_up"}


async def disabled(api: Api, **fields: object) -> Any:
    """A webhook that has been disabled, as it was made."""
    made = await api.call.made(secret="given", **fields)
    await judge(api, disabling(kept(api, made)))
    return made


# -- shown ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", DisablingReason)
async def test_a_disabled_webhook_says_why_and_since_when(api: Api, reason: DisablingReason) -> None:
    made = await api.call.made(secret="given")
    await judge(api, disabling(kept(api, made), reason=reason, at_ms=SINCE_MS))
    shown = (await api.call("GET", f"/webhooks/{made['id']}")).json
    assert shown == {**made, "status": "disabled", "disabled_reason": reason.value, "disabled_at": SINCE}
    (listed,) = (await api.call("GET", "/webhooks")).json["webhooks"]
    assert (list(listed), listed["status"]) == (["id", "url", "events", "status", "created_at"], "disabled")


async def test_a_disabled_webhook_that_is_paused_is_shown_as_disabled(api: Api) -> None:
    made = await disabled(api)
    paused = await api.call("PUT", f"/webhooks/{made['id']}", {"status": "paused"})
    assert (paused.status, paused.json["status"]) == (200, "disabled")
    assert kept(api, made).status is SubscriptionStatus.PAUSED
    enabled = await api.call("POST", f"/webhooks/{made['id']}/enable")
    assert enabled.json["status"] == "paused"


async def test_a_failing_webhook_says_since_when_and_when_it_will_be_disabled(api: Api) -> None:
    made = await api.call.made(secret="given")
    await judge(api, health(kept(api, made), opened=1, failing_since_ms=SINCE_MS))
    shown = (await api.call("GET", f"/webhooks/{made['id']}")).json
    assert shown == {**made, "failing_since": SINCE, "disables_at": "2023-06-25T14:15:30Z"}
    (listed,) = (await api.call("GET", "/webhooks")).json["webhooks"]
    assert "failing_since" not in listed
    await judge(api, health(kept(api, made)))
    assert (await api.call("GET", f"/webhooks/{made['id']}")).json == made


async def test_a_failing_webhook_that_is_never_disabled_is_told_no_time_for_it() -> None:
    async with running_api(disable_after_s=0) as api:
        made = await api.call.made(secret="given")
        await judge(api, health(kept(api, made), failing_since_ms=SINCE_MS))
        shown = (await api.call("GET", f"/webhooks/{made['id']}")).json
        assert shown == {**made, "failing_since": SINCE}


async def test_a_webhook_that_failed_until_it_was_disabled_says_both_but_is_warned_no_more(api: Api) -> None:
    made = await disabled(api)
    await judge(api, health(kept(api, made), failing_since_ms=SINCE_MS))
    shown = (await api.call("GET", f"/webhooks/{made['id']}")).json
    assert list(shown)[-3:] == ["disabled_reason", "disabled_at", "failing_since"]


# -- enabled again ----------------------------------------------------------------------------------------------------


async def test_enabling_makes_it_active_and_all_that_was_judged_before_void(api: Api) -> None:
    made = await disabled(api)
    await judge(api, health(kept(api, made), opened=3, failing_since_ms=SINCE_MS))
    assert api.view.matching(api.account_id, "user.created") == ()
    reply = await api.call("POST", f"/webhooks/{made['id']}/enable")
    assert (reply.status, without_catch_up(reply.json)) == (200, made)
    assert (kept(api, made).version, kept(api, made).judged_from) == (2, 2)
    assert api.view.health(made["id"]) is None
    assert api.view.matching(api.account_id, "user.created") == (kept(api, made),)


async def test_enabling_what_is_not_disabled_changes_nothing(api: Api) -> None:
    made = await disabled(api)
    path = f"/webhooks/{made['id']}/enable"
    await api.call("POST", path)
    written = len(api.log.records)
    for _ in range(2):
        again = await api.call("POST", path)
        assert (again.status, again.json) == (200, made)
    assert len(api.log.records) == written


async def test_nobody_enables_another_accounts_webhook(api: Api) -> None:
    made = await disabled(api)
    assert (await api.stranger("POST", f"/webhooks/{made['id']}/enable")).status == 404
    assert (await api.call("POST", "/webhooks/wh_unknown/enable")).status == 404
    assert (await api.call("GET", f"/webhooks/{made['id']}/enable")).status == 405
    assert api.view.disabling(made["id"]) is not None


async def test_a_410_that_comes_in_late_disables_no_webhook_that_was_just_enabled(api: Api) -> None:
    made = await disabled(api)
    judged = kept(api, made)
    await api.call("POST", f"/webhooks/{made['id']}/enable")
    await judge(api, disabling(judged))
    assert (await api.call("GET", f"/webhooks/{made['id']}")).json == made
    await judge(api, disabling(kept(api, made)))
    assert (await api.call("GET", f"/webhooks/{made['id']}")).json["status"] == "disabled"


async def test_asking_for_active_enables(api: Api) -> None:
    made = await disabled(api)
    reply = await api.call("PUT", f"/webhooks/{made['id']}", {"status": "active"})
    assert (reply.status, without_catch_up(reply.json)) == (200, made)
    assert (kept(api, made).version, kept(api, made).judged_from) == (2, 2)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/enable", None),
        ("PATCH", "", {"status": "active"}),
        ("PATCH", "", {"url": "https://example.com/other"}),
    ],
)
async def test_it_is_enabled_also_when_a_later_version_than_it_has_now_was_judged(
    api: Api, method: str, path: str, body: dict[str, Any] | None
) -> None:
    """What was made of an old file may have a version that it had before."""
    made = await api.call.made()
    await judge(api, disabling(replace(kept(api, made), version=40)))
    reply = await api.call(method, f"/webhooks/{made['id']}{path}", body)
    assert (reply.status, reply.json["status"]) == (200, "active")
    assert (kept(api, made).version, kept(api, made).judged_from) == (41, 41)
    assert (await api.call("GET", f"/webhooks/{made['id']}")).json["status"] == "active"


async def test_the_time_for_which_it_was_paused_is_none_in_which_it_failed(api: Api) -> None:
    made = await api.call.made(secret="given")
    await api.call("PUT", f"/webhooks/{made['id']}", {"status": "paused"})
    assert kept(api, made).judged_from == 1
    await api.call("PUT", f"/webhooks/{made['id']}", {"status": "active"})
    assert (kept(api, made).version, kept(api, made).judged_from) == (3, 3)


async def test_another_url_is_not_judged_by_what_the_old_one_did(api: Api) -> None:
    made = await disabled(api)
    await judge(api, health(kept(api, made), opened=3, failing_since_ms=SINCE_MS))
    moved = {"url": "https://example.com/other", "status": "disabled"}
    reply = await api.call("PUT", f"/webhooks/{made['id']}", moved)
    assert (reply.status, without_catch_up(reply.json)) == (200, {**made, "url": "https://example.com/other"})
    assert (kept(api, made).version, kept(api, made).judged_from) == (2, 2)
    await api.call("PUT", f"/webhooks/{made['id']}", {"url": "https://example.com/third"})
    assert (kept(api, made).version, kept(api, made).judged_from) == (3, 3)


# -- sent back as it was read -----------------------------------------------------------------------------------------


async def test_a_disabled_webhook_sent_back_with_another_description_stays_disabled(api: Api) -> None:
    made = await disabled(api, rate_limit=5, timeout_s=3)
    await judge(api, health(kept(api, made), failing_since_ms=SINCE_MS))
    path = f"/webhooks/{made['id']}"
    read = (await api.call("GET", path)).json
    same = await api.call("PUT", path, read)
    assert (same.status, same.json, kept(api, made).version) == (200, read, 1)
    changed = await api.call("PUT", path, {**read, "description": "ours"})
    assert (changed.status, changed.json) == (200, {**read, "description": "ours"})
    assert (kept(api, made).version, kept(api, made).judged_from) == (2, 1)


async def test_a_failing_webhook_sent_back_with_its_warnings_goes_on_failing(api: Api) -> None:
    made = await api.call.made()
    await judge(api, health(kept(api, made), failing_since_ms=SINCE_MS))
    path = f"/webhooks/{made['id']}"
    read = (await api.call("GET", path)).json
    assert "disables_at" in read
    changed = await api.call("PUT", path, {**read, "events": ["order.created"]})
    assert (changed.status, changed.json) == (200, {**read, "events": ["order.created"]})
    assert kept(api, made).judged_from == 1


async def test_disabled_cannot_be_asked_for(api: Api) -> None:
    made = await disabled(api)
    path = f"/webhooks/{made['id']}"
    read = (await api.call("GET", path)).json
    await api.call("POST", f"{path}/enable")
    for body in ({"status": "disabled"}, {**read, "description": "ours"}):
        reply = await api.call("PUT", path, body)
        assert (reply.status, [each["field"] for each in reply.json["errors"]]) == (422, ["status"])
        assert "only while the webhook is disabled" in reply.json["errors"][0]["detail"]
    assert kept(api, made).version == 2


# -- deleted ----------------------------------------------------------------------------------------------------------


async def test_what_was_judged_of_a_deleted_webhook_is_deleted_too(api: Api) -> None:
    made = await disabled(api)
    await judge(api, health(kept(api, made), opened=1))
    assert (await api.call("DELETE", f"/webhooks/{made['id']}")).status == 204
    deleted = api.log.changes[-2:]
    assert [record.topic for record in deleted] == [api.parts.topics.endpoint_state] * 2
    assert {record.key: record.value for record in deleted} == dict.fromkeys(
        [made["id"].encode(), disabling_key(made["id"])]
    )
    await api.view.wait_applied(api.parts.topics.endpoint_state, deleted[-1].offset, timeout_s=5)
    assert len(api.view._judgements) == 0
