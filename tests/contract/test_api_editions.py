"""Two editors of one webhook: who has not seen the other's change is told so, and changes nothing."""

import asyncio

import pytest

from fakes.api import Api, judge
from fakes.judgements import disabling

CHANGE = {"description": "mine"}
NEWER = b"\xc3\x01" + bytes(8)  # a record of a schema that is not known here
# What has the right edition somewhere, and is none of what If-Match may be.
HALF_RIGHT = (
    ",9X*",
    "nonsense, *",
    '*, "7"',
    "**",
    'nonsense "1"',
    '"1" nonsense',
    'x"1"',
    '"7""1"',
    '"1", *',
    'w/"7", "1"',
)


async def test_every_answer_with_a_webhook_names_its_edition(api: Api) -> None:
    made = await api.call("POST", "/webhooks", {"url": "https://example.com/hook", "events": ["*"]})
    path = f"/webhooks/{made.json['id']}"
    changed = await api.call("PATCH", path, CHANGE)
    again = await api.call("PUT", path, CHANGE)
    read = await api.call("GET", path)
    assert [each.headers["ETag"] for each in (made, changed, again, read)] == ['"1"', '"2"', '"2"', '"2"']


@pytest.mark.parametrize("given", ['"1"', '"7", "1"', "*", " * ", '"7" , "1"', ', "7",, "1" ,', 'W/"1", "1"'])
async def test_a_change_of_the_edition_that_was_read_is_made(api: Api, given: str) -> None:
    made = await api.call.made()
    reply = await api.call("PATCH", f"/webhooks/{made['id']}", CHANGE, headers={"If-Match": given})
    assert (reply.status, reply.json["description"]) == (200, "mine")


@pytest.mark.parametrize("given", ['"2"', '"0"', 'W/"1"', '""', "1", '"1', "nonsense", ",", *HALF_RIGHT])
@pytest.mark.parametrize("method", ["PATCH", "PUT", "DELETE", "POST"])
async def test_a_change_of_another_edition_is_refused_and_changes_nothing(api: Api, given: str, method: str) -> None:
    made = await api.call.made(secret="given")
    path = f"/webhooks/{made['id']}"
    written = len(api.log.records)
    asked = f"{path}/enable" if method == "POST" else path
    body = CHANGE if method in {"PATCH", "PUT"} else None
    reply = await api.call(method, asked, body, headers={"If-Match": given})
    assert (reply.status, reply.json["type"]) == (412, "urn:hookline:problem:changed-meanwhile")
    assert reply.headers["ETag"] == '"1"'
    assert (await api.call("GET", path)).json == made
    assert len(api.log.records) == written


async def test_of_two_editors_at_once_one_is_told(api: Api) -> None:
    made = await api.call.made()
    path, headers = f"/webhooks/{made['id']}", {"If-Match": '"1"'}
    replies = await asyncio.gather(
        *(api.call("PATCH", path, {"description": name}, headers=headers) for name in ("a", "b", "c"))
    )
    assert sorted(reply.status for reply in replies) == [200, 412, 412]


async def test_a_webhook_that_was_read_before_it_was_disabled_is_not_enabled_by_being_sent_back(api: Api) -> None:
    made = await api.call.made()
    path = f"/webhooks/{made['id']}"
    edition = (await api.call("GET", path)).headers["ETag"]
    subscription = api.view.subscription(made["id"])
    assert subscription is not None
    await judge(api, disabling(subscription))
    reply = await api.call("PUT", path, {"status": "active"}, headers={"If-Match": edition})
    assert (reply.status, reply.headers["ETag"]) == (412, '"1-disabled"')
    assert (await api.call("GET", path)).json["status"] == "disabled"
    reply = await api.call("PUT", path, {"status": "active"}, headers={"If-Match": '"1-disabled"'})
    assert (reply.status, reply.headers["ETag"]) == (200, '"2"')


async def wrote_a_newer_release(api: Api, topic: str, name: str) -> None:
    written = await api.log.write(topic, key=name.encode(), value=NEWER)
    await api.view.wait_applied(topic, written.offset, timeout_s=5)


async def test_what_a_newer_release_wrote_is_not_changed_on_what_was_there_before(api: Api) -> None:
    made, topics = await api.call.made(), api.parts.topics
    path, account = f"/webhooks/{made['id']}", f"/accounts/{api.account_id}"
    await wrote_a_newer_release(api, topics.subscriptions, made["id"])
    await wrote_a_newer_release(api, topics.accounts, api.account_id)
    written = len(api.log.records)
    for method, at, body in (("PATCH", path, CHANGE), ("DELETE", path, None), ("POST", f"{path}/secret/rotate", None)):
        refused = await api.call(method, at, body)
        assert (refused.status, refused.headers["Retry-After"]) == (503, "5")
        assert "A newer release" in refused.json["detail"]
    assert (await api.admin("PATCH", account, {"name": "mine"})).status == 503
    assert len(api.log.records) == written
    assert (await api.call("GET", path)).status == 200


async def test_a_webhook_of_a_newer_release_is_not_made_once_more(api: Api) -> None:
    body, key = {"url": "https://example.com/hook", "events": ["*"]}, {"Idempotency-Key": "order-1"}
    made = (await api.call("POST", "/webhooks", body, headers=key)).json
    await api.call("DELETE", f"/webhooks/{made['id']}")
    await wrote_a_newer_release(api, api.parts.topics.subscriptions, made["id"])
    assert (await api.call("POST", "/webhooks", body, headers=key)).status == 503
