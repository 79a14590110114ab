"""What a webhook that is enabled again has missed, told with the request that has it sent."""

from collections.abc import Mapping
from typing import Any

import pytest

from fakes.api import Api, judge
from fakes.judgements import disabling, health
from fakes.recovery import jobs
from hookline.schemas.records import SubscriptionStatus

SINCE, SINCE_MS = "2023-06-20T14:15:30Z", 1_687_270_530_000


async def enabled_again(api: Api, made: Any, **judged: Any) -> Any:
    subscription = api.view.subscription(made["id"])
    assert subscription is not None
    if judged:
        await judge(api, health(subscription, **judged))
    await judge(api, disabling(subscription, at_ms=SINCE_MS + 999))
    return (await api.call("POST", f"/webhooks/{made['id']}/enable")).json


async def test_enabling_says_what_was_missed_and_how_to_have_it_sent(api: Api) -> None:
    made = await api.call.made(secret="given")
    shown = await enabled_again(api, made)
    assert list(shown) == [*made, "catch_up"]
    missed = shown["catch_up"]
    call = missed["replay"]
    assert missed["since"] == SINCE
    assert call["body"] == {"since": SINCE, "until": missed["until"]}
    assert (call["method"], call["path"]) == ("POST", f"/webhooks/{made['id']}/replay")
    reply = await api.call(call["method"], call["path"], call["body"])
    assert (reply.status, reply.json["since"]) == (202, SINCE)
    subscription = api.view.subscription(made["id"])
    assert subscription is not None
    (job,) = jobs(api)
    assert job.until_ms >= subscription.updated_at_ms


async def test_what_failed_before_it_was_disabled_was_missed_as_well(api: Api) -> None:
    made = await api.call.made()
    shown = await enabled_again(api, made, failing_since_ms=SINCE_MS - 5 * 86_400_000)
    assert shown["catch_up"]["since"] == "2023-06-15T14:15:30Z"


async def test_what_is_only_in_that_answer_is_nowhere_else(api: Api) -> None:
    made = await api.call.made()
    await enabled_again(api, made)
    for reply in (
        await api.call("POST", f"/webhooks/{made['id']}/enable"),
        await api.call("GET", f"/webhooks/{made['id']}"),
        await api.call("GET", "/webhooks"),
    ):
        assert "catch_up" not in reply.text
    assert not any("catch_up" in (each.after or "") for each in api.audited)


@pytest.mark.parametrize("change", [{"status": "active"}, {"url": "https://example.com/other"}])
async def test_whatever_enables_it_says_what_was_missed(api: Api, change: Mapping[str, str]) -> None:
    made = await api.call.made()
    subscription = api.view.subscription(made["id"])
    assert subscription is not None
    await judge(api, disabling(subscription))
    reply = await api.call("PATCH", f"/webhooks/{made['id']}", change)
    assert reply.json["catch_up"]["since"] == SINCE
    again = await api.call("PUT", f"/webhooks/{made['id']}", reply.json)
    assert (again.status, "catch_up" in again.text) == (200, False)


async def test_one_that_is_still_disabled_or_paused_has_nothing_to_catch_up_with_yet(api: Api) -> None:
    made = await api.call.made()
    await api.call("PATCH", f"/webhooks/{made['id']}", {"status": "paused"})
    subscription = api.view.subscription(made["id"])
    assert subscription is not None
    await judge(api, disabling(subscription))
    changed = await api.call("PATCH", f"/webhooks/{made['id']}", {"description": "mine"})
    enabled = await api.call("POST", f"/webhooks/{made['id']}/enable")
    assert [each.status for each in (changed, enabled)] == [200, 200]
    assert "catch_up" not in changed.text + enabled.text
    kept = api.view.subscription(made["id"])
    assert kept is not None
    assert kept.status is SubscriptionStatus.PAUSED


async def test_one_that_was_paused_is_not_told_since_when(api: Api) -> None:
    made = await api.call.made()
    await api.call("PATCH", f"/webhooks/{made['id']}", {"status": "paused"})
    reply = await api.call("PATCH", f"/webhooks/{made['id']}", {"status": "active"})
    assert (reply.status, "catch_up" in reply.json) == (200, False)
