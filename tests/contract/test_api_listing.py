"""Lists of webhooks: pages that miss nothing and show nothing twice, filters, and queries that are wrong."""

from typing import Any
from urllib.parse import urlencode

import pytest

from fakes.api import Api, judge
from fakes.judgements import disabling


async def listed(api: Api, **query: object) -> Any:
    reply = await api.call("GET", f"/webhooks?{urlencode(query)}")
    assert reply.status == 200, reply.text
    return reply.json


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
async def test_pages_show_each_webhook_once_and_in_order(api: Api, limit: int) -> None:
    made = [(await api.call.made())["id"] for _ in range(6)]
    whole = [each["id"] for each in (await listed(api))["webhooks"]]
    seen: list[str] = []
    page = await listed(api, limit=limit)
    while True:
        seen += [each["id"] for each in page["webhooks"]]
        assert page["total"] == 6
        assert len(page["webhooks"]) <= limit
        if "next_cursor" not in page:
            break
        page = await listed(api, limit=limit, cursor=page["next_cursor"])
    assert seen == whole
    assert sorted(seen) == sorted(made)


async def test_a_cursor_goes_on_where_its_page_ended_whatever_is_deleted(api: Api) -> None:
    for _ in range(4):
        await api.call.made()
    whole = [each["id"] for each in (await listed(api))["webhooks"]]
    page = await listed(api, limit=2)
    for gone in whole[:2]:
        await api.call("DELETE", f"/webhooks/{gone}")
    assert [each["id"] for each in (await listed(api, cursor=page["next_cursor"]))["webhooks"]] == whole[2:]


async def test_the_list_is_filtered_by_status_and_by_event(api: Api) -> None:
    active = await api.call.made(events=["order.*"])
    paused = await api.call.made(events=["*"])
    ended = await api.call.made(events=["order.created", "user.created"])
    await api.call("PATCH", f"/webhooks/{paused['id']}", {"status": "paused"})
    subscription = api.view.subscription(ended["id"])
    assert subscription is not None
    await judge(api, disabling(subscription))
    for query, wanted in (
        ({"status": "active"}, [active]),
        ({"status": "paused"}, [paused]),
        ({"status": "disabled"}, [ended]),
        ({"event": "order.cancelled"}, [active, paused]),
        ({"event": "user.created"}, [paused, ended]),
        ({"event": "user.created", "status": "disabled"}, [ended]),
        ({"event": "payment.failed", "status": "active"}, []),
    ):
        page = await listed(api, **query)
        assert {each["id"] for each in page["webhooks"]} == {each["id"] for each in wanted}, query
        assert page["total"] == len(wanted)


@pytest.mark.parametrize(
    ("query", "field", "said"),
    [
        ("limit=0", "limit", "from 1 to 1000"),
        ("limit=1001", "limit", "from 1 to 1000"),
        ("limit=ten", "limit", "from 1 to 1000"),
        ("status=gone", "status", "'active', 'paused' or 'disabled'"),
        ("event=order.*", "event", "no event type"),
        ("cursor=", "cursor", "no cursor"),
        ("cursor=nonsense!", "cursor", "no cursor"),
        ("cursor=YWJj", "cursor", "no cursor"),
        ("cursor=%2F%2F%2F%2F", "cursor", "no cursor"),
        ("cursor=" + "A" * 300, "cursor", "at most 200"),
        ("page=2", "page", "no parameter"),
        ("limit=1&limit=1", "limit", "twice"),
        ("status=active&event=user.created&status=paused", "status", "twice"),
        ("after=1", "after", "no parameter"),
    ],
)
async def test_a_query_that_is_wrong_is_refused_by_name(api: Api, query: str, field: str, said: str) -> None:
    reply = await api.call("GET", f"/webhooks?{query}")
    assert reply.status == 422
    ((error),) = reply.json["errors"]
    assert error["field"] == field
    assert said in error["detail"]


async def test_another_accounts_webhooks_are_on_no_page(api: Api) -> None:
    made = await api.call.made()
    page = await listed(api, limit=1)
    assert "next_cursor" not in page
    reply = await api.stranger("GET", "/webhooks")
    assert made["id"] not in reply.text
