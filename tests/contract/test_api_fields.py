"""Fields of a webhook that are its owner's own: uid, metadata, static headers and the query of the URL, the last two kept as secrets."""

import asyncio
import json
from typing import Any

import pytest

from fakes.api import Api, Caller, Reply, judge
from fakes.judgements import disabling
from hookline.api.vault import Vault
from hookline.runtime import draw
from hookline.schemas.records import Subscription

BODY = {"url": "https://example.com/hook", "events": ["user.created"]}
QUERY = "https://example.com/hook?token=canary"
MASKED = "https://example.com/hook?***"


def path(webhook: Any) -> str:
    return f"/webhooks/{webhook['id']}"


def kept(api: Api, webhook: Any) -> Subscription:
    found = api.view.subscription(webhook["id"])
    assert found is not None
    return found


def vault(api: Api) -> Vault:
    return Vault(api.parts.settings, draw)


async def changed(caller: Caller, webhook: Any, **fields: object) -> Any:
    reply = await caller("PATCH", path(webhook), fields)
    assert reply.status == 200, reply.text
    return reply.json


async def refused(api: Api, webhook: Any, field: str, **fields: object) -> str:
    """What is said of the field, when a new webhook and a changed one have it so; nothing is written."""
    written = len(api.log.records)
    said = set[str]()
    for reply in (
        await api.call("POST", "/webhooks", {**BODY, **fields}),
        await api.call("PUT", path(webhook), fields),
    ):
        assert (reply.status, [each["field"] for each in reply.json["errors"]]) == (422, [field]), reply.text
        said.add(reply.json["errors"][0]["detail"])
    assert len(api.log.records) == written
    return " / ".join(sorted(said))


# -- uid --------------------------------------------------------------------------------------------------------------


async def test_a_webhook_is_found_by_its_uid_wherever_its_id_can_stand(api: Api) -> None:
    made = await api.call.made(uid="Shop-7:orders_v1.2", secret="given")
    assert made["uid"] == "Shop-7:orders_v1.2"
    by_uid = "/webhooks/Shop-7:orders_v1.2"
    assert (await api.call("GET", by_uid)).json == made
    for method, suffix, body, status in (
        ("GET", "/secret", None, 200),
        ("GET", "/deliveries", None, 200),
        ("GET", "/logs", None, 200),
        ("POST", "/test", {"event": "user.created"}, 202),
        ("POST", "/secret/rotate", None, 200),
        ("POST", "/secret/promote", None, 204),
        ("POST", "/enable", None, 200),
        ("PUT", "", {"description": "found", "id": made["id"]}, 200),
        ("PATCH", "", {"status": "paused"}, 200),
        ("DELETE", "", None, 204),
    ):
        assert (await api.call(method, by_uid + suffix, body)).status == status
    assert api.view.subscription(made["id"]) is None


async def test_the_list_shows_uids_and_is_filtered_by_one(api: Api) -> None:
    made, other = await api.call.made(uid="mine"), await api.call.made()
    listed = (await api.call("GET", "/webhooks")).json["webhooks"]
    assert {each["id"]: each.get("uid") for each in listed} == {made["id"]: "mine", other["id"]: None}
    found = (await api.call("GET", "/webhooks?uid=mine")).json
    assert ([each["id"] for each in found["webhooks"]], found["total"]) == ([made["id"]], 1)
    assert (await api.call("GET", "/webhooks?uid=MINE")).json["total"] == 0
    assert (await api.stranger("GET", "/webhooks?uid=mine")).json["total"] == 0


async def test_a_uid_is_of_one_webhook_of_its_account_however_many_want_it_at_once(api: Api) -> None:
    replies = await asyncio.gather(*(api.call("POST", "/webhooks", {**BODY, "uid": "mine"}) for _ in range(20)))
    assert sorted(reply.status for reply in replies) == [201] + [409] * 19
    said = {reply.json["type"] for reply in replies if reply.status == 409}
    assert said == {"urn:hookline:problem:uid-taken"}
    assert (await api.call("GET", "/webhooks?uid=mine")).json["total"] == 1
    assert (await api.stranger.made(uid="mine"))["uid"] == "mine"


async def test_of_webhooks_that_are_to_have_one_uid_at_once_one_gets_it(api: Api) -> None:
    webhooks = [await api.call.made() for _ in range(20)]
    replies = await asyncio.gather(*(api.call("PUT", path(each), {"uid": "mine"}) for each in webhooks))
    assert sorted(reply.status for reply in replies) == [200] + [409] * 19
    assert (await api.call("GET", "/webhooks?uid=mine")).json["total"] == 1
    assert (await api.call("GET", "/webhooks/mine")).status == 200


async def test_a_uid_of_another_account_is_as_unknown_as_none(api: Api) -> None:
    await api.call.made(uid="mine")
    replies = [await api.stranger("GET", f"/webhooks/{name}") for name in ("mine", "none")]
    assert {**replies[0].json, "request_id": 0} == {**replies[1].json, "request_id": 0}
    foreign = await api.stranger.made(uid="mine")
    assert (await api.stranger("GET", "/webhooks/mine")).json["id"] == foreign["id"]


async def test_a_uid_that_was_taken_away_can_be_given_to_another(api: Api) -> None:
    first, second = await api.call.made(uid="mine"), await api.call.made()
    assert (await api.call("PUT", path(second), {"uid": "mine"})).status == 409
    assert "uid" not in await changed(api.call, first, uid=None)
    assert (await api.call("GET", "/webhooks/mine")).status == 404
    assert (await changed(api.call, second, uid="mine"))["uid"] == "mine"
    assert (await api.call("GET", "/webhooks/mine")).json["id"] == second["id"]
    await api.call("DELETE", "/webhooks/mine")
    assert (await changed(api.call, first, uid="mine"))["uid"] == "mine"


async def test_a_uid_sent_back_changes_nothing_and_one_left_out_stays(api: Api) -> None:
    made = await api.call.made(uid="mine")
    await changed(api.call, made, uid="mine")
    assert kept(api, made).version == 1
    assert (await changed(api.call, made, description="other"))["uid"] == "mine"


@pytest.mark.parametrize("uid", ["", ".", "..", "a/b", "a b", "wh_1", "\u00e9", "a%2fb", "a\n", "x" * 201, 5, ["a"]])
async def test_a_uid_that_cannot_stand_in_a_path_is_refused(api: Api, uid: object) -> None:
    await refused(api, await api.call.made(), "uid", uid=uid)


@pytest.mark.parametrize("uid", ["secret", "enable", "x" * 200, "...", "acct_1", "WH_1"])
async def test_any_other_uid_leads_to_its_webhook(api: Api, uid: str) -> None:
    made = await api.call.made(uid=uid, secret="given")
    assert (await api.call("GET", f"/webhooks/{uid}")).json == made
    assert (await api.call("GET", f"/webhooks/{uid}/secret")).json == {"secret": "given"}


# -- metadata ---------------------------------------------------------------------------------------------------------


async def test_metadata_keeps_its_order_and_the_types_of_its_values(api: Api) -> None:
    sent = '{"z": 1, "a": 1.0, "m": true, "b": "1", "big": 9007199254740992, "e": 1e22, "n": -0.5}'
    body = json.dumps(BODY)[:-1] + f', "metadata": {sent}}}'
    made = await api.call("POST", "/webhooks", data=body.encode())
    assert made.status == 201, made.text
    for reply in (made, await api.call("GET", path(made.json))):
        shown = json.loads(reply.text)["metadata"]
        assert [(name, type(value), value) for name, value in shown.items()] == [
            (name, type(value), value) for name, value in json.loads(sent).items()
        ]
    again = await api.call("PUT", path(made.json), data=json.dumps({"metadata": shown}).encode())
    assert again.headers["ETag"] == '"1"'


async def test_metadata_is_replaced_whole_emptied_and_taken_away(api: Api) -> None:
    made = await api.call.made(metadata={"a": 1, "b": 2})
    assert (await changed(api.call, made, metadata={"c": 3}))["metadata"] == {"c": 3}
    assert (await changed(api.call, made, description="other"))["metadata"] == {"c": 3}
    assert (await changed(api.call, made, metadata={}))["metadata"] == {}
    assert "metadata" not in await changed(api.call, made, metadata=None)
    assert kept(api, made).metadata is None
    assert "metadata" not in await api.call.made(metadata=None)


async def test_metadata_may_be_as_large_as_its_limits(api: Api) -> None:
    most = {f"{number:02}{'k' * 38}": "v" * 500 for number in range(50)}
    assert (await api.call.made(metadata=most))["metadata"] == most
    wide = {"\u2603" * 40: "\U0001f600" * 500}
    assert (await api.call.made(metadata=wide))["metadata"] == wide


@pytest.mark.parametrize(
    "metadata",
    [
        {"a": None},
        {"a": {"b": 1}},
        {"a": [1]},
        {"": 1},
        {"k" * 41: 1},
        {"a": "v" * 501},
        {"a": 2**53 + 1},
        {f"{number}": 1 for number in range(51)},
        [],
        "{}",
        5,
    ],
)
async def test_metadata_that_is_no_flat_object_of_small_values_is_refused(api: Api, metadata: object) -> None:
    said = await refused(api, await api.call.made(), "metadata", metadata=metadata)
    assert "vvv" not in said


async def test_what_is_secret_elsewhere_is_only_a_word_in_metadata(api: Api) -> None:
    metadata = {"secret": "of mine", "key": "k", "headers": "***", "__class__": "x"}
    assert (await api.call.made(metadata=metadata))["metadata"] == metadata


# -- static headers ---------------------------------------------------------------------------------------------------


async def test_static_headers_are_shown_by_name_and_never_by_value(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    made = await api.call.made(headers={"X-Tenant": "canary-1", "authorization": "Bearer canary-2"})
    assert made["headers"] == {"X-Tenant": "***", "authorization": "***"}
    replies = [
        await api.call("GET", path(made)),
        await api.call("GET", "/webhooks"),
        await api.call("PUT", path(made), {"status": "paused"}),
        await api.call("PUT", path(made), {"headers": {"X-Tenant": "canary-1", "Host": "canary-3"}}),
        await api.call("POST", f"{path(made)}/enable"),
    ]
    told = [*(reply.text for reply in replies), caplog.text, str(api.log.records), str(api.audited)]
    assert [text for text in told if "canary" in text] == []
    assert vault(api).headers(kept(api, made)) == {"X-Tenant": "canary-1", "authorization": "Bearer canary-2"}


async def test_a_masked_header_keeps_its_value_and_the_others_are_replaced(api: Api) -> None:
    made = await api.call.made(headers={"X-A": "1", "X-B": "2", "X-C": "3"})
    shown = await changed(api.call, made, headers={"X-C": "***", "X-A": "9", "X-D": "4"})
    assert list(shown["headers"]) == ["X-C", "X-A", "X-D"]
    assert vault(api).headers(kept(api, made)) == {"X-C": "3", "X-A": "9", "X-D": "4"}


async def test_headers_sent_back_as_they_were_read_change_nothing(api: Api) -> None:
    made = await api.call.made(headers={"X-A": "1", "X-B": "2"}, secret="given")
    written = len(api.log.records)
    for headers in (made["headers"], {"X-B": "***", "X-A": "1"}):
        assert (await changed(api.call, made, headers=headers))["headers"] == made["headers"]
    assert (await api.call("PUT", path(made), made)).headers["ETag"] == '"1"'
    assert len(api.log.records) == written


@pytest.mark.parametrize("nothing", [None, {}])
async def test_headers_are_taken_away(api: Api, nothing: object) -> None:
    made = await api.call.made(headers={"X-A": "1"})
    assert "headers" not in await changed(api.call, made, headers=nothing)
    record = kept(api, made)
    assert (record.headers, record.header_names, record.version) == (None, (), 2)
    await changed(api.call, made, headers=nothing)
    assert kept(api, made).version == 2


async def test_a_header_written_in_another_case_is_the_same_header(api: Api) -> None:
    made = await api.call.made(headers={"X-Tenant": "1"})
    shown = await changed(api.call, made, headers={"x-tenant": "***"})
    assert (shown["headers"], vault(api).headers(kept(api, made))) == ({"x-tenant": "***"}, {"x-tenant": "1"})
    said = await refused(api, made, "headers", headers={"X-A": "1", "x-a": "2"})
    assert "upper and lower case" in said


@pytest.mark.parametrize("headers", [{"X-B": "***"}, {"X-A": "***", "X-B": "***"}])
async def test_a_mask_that_stands_for_nothing_is_refused(api: Api, headers: dict[str, str]) -> None:
    made = await api.call.made(headers={"X-A": "1"})
    reply = await api.call("PUT", path(made), {"headers": headers})
    assert (reply.status, reply.json["errors"][0]["field"]) == (422, "headers")
    assert reply.json["errors"][0]["detail"].endswith(": X-B")
    assert (await api.call("POST", "/webhooks", {**BODY, "headers": headers})).status == 422
    assert kept(api, made).version == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "canary"},
        {"content-length": "canary"},
        {"Transfer-Encoding": "canary"},
        {"X-Webhook-Signature": "canary"},
        {"webhook-id": "canary"},
        {"Cookie": "canary"},
        {"X-Forwarded-For": "canary"},
        {"X-A": "canary\r\nX-B: 1"},
        {"X-A": "canary\n"},
        {"X-A": "canary\u0000"},
        {"X-A": "canary\u00e9"},
        {"X-A": " canary"},
        {"X-A: canary\r\nX-B": "1"},
        {"X A": "canary"},
        {"": "canary"},
        {"X-A": "canary" * 1_000},
        {f"X-{number}": "canary" for number in range(21)},
        {"X-A": 5},
        {"X-A": None},
        {"X-A": ["canary"]},
        ["canary"],
        "X-A: canary",
    ],
)
async def test_headers_that_may_not_be_sent_are_refused_without_their_values(api: Api, headers: Any) -> None:
    made = await api.call.made(headers={"X-Kept": "1"})
    written = len(api.log.records)
    for method, to, body in (
        ("POST", "/webhooks", {**BODY, "headers": headers}),
        ("PUT", path(made), {"headers": headers}),
    ):
        reply = await api.call(method, to, body)
        assert reply.status == 422
        assert {each["field"].partition(".")[0] for each in reply.json["errors"]} == {"headers"}
        assert "canary" not in reply.text
    assert len(api.log.records) == written


# -- the URL's query --------------------------------------------------------------------------------------------------


async def test_a_urls_query_is_never_shown(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    made = await api.call.made(url=QUERY)
    assert made["url"] == MASKED
    replies = [
        await api.call("GET", path(made)),
        await api.call("GET", "/webhooks"),
        await api.call("PUT", path(made), {"status": "paused"}),
        await api.call("PUT", path(made), {"url": "https://10.0.0.1/?canary"}),
        await api.call("PUT", path(made), {"url": "https://example.com/#canary"}),
    ]
    told = [*(reply.text for reply in replies), caplog.text, str(api.log.records), str(api.audited)]
    assert [text for text in told if "canary" in text] == []
    assert vault(api).url(kept(api, made)) == QUERY


@pytest.mark.parametrize("url", [MASKED, QUERY])
async def test_a_url_sent_back_changes_nothing(api: Api, url: str) -> None:
    made = await api.call.made(url=QUERY)
    written = len(api.log.records)
    assert (await changed(api.call, made, url=url)) == {name: made[name] for name in made if name != "secret"}
    assert len(api.log.records) == written


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        (QUERY, "https://example.com/hook?token=other", MASKED),
        (QUERY, "https://example.com/hook", "https://example.com/hook"),
        (QUERY, "https://example.com/hook?", "https://example.com/hook?"),
        ("https://example.com/hook", QUERY, MASKED),
        (QUERY, "https://example.com/hook?a=1?***", MASKED),
    ],
)
async def test_another_query_is_another_url_and_another_endpoint(api: Api, before: str, after: str, shown: str) -> None:
    made = await api.call.made(url=before)
    await judge(api, disabling(kept(api, made)))
    assert (await api.call("GET", path(made))).json["status"] == "disabled"
    changed_to = await changed(api.call, made, url=after)
    assert (changed_to["url"], changed_to["status"]) == (shown, "active")
    record = kept(api, made)
    assert (vault(api).url(record), record.judged_from, record.version) == (after, 2, 2)
    assert (record.sealed_url is None) == (shown == after)


@pytest.mark.parametrize("url", ["https://example.com/other?***", "https://other.example/hook?***"])
async def test_the_mask_of_another_url_is_refused(api: Api, url: str) -> None:
    made = await api.call.made(url=QUERY)
    said = await refused(api, made, "url", url=url)
    assert "***" in said
    plain = await api.call.made()
    assert (await api.call("PUT", path(plain), {"url": f"{plain['url']}?***"})).status == 422


async def test_a_masked_url_is_of_the_webhook_as_it_is_when_it_is_changed(api: Api) -> None:
    """Read before another editor moved it: the mask then is none of the new URL."""
    made = await api.call.made(url=QUERY)
    await changed(api.call, made, url="https://example.com/moved?token=canary")
    reply: Reply = await api.call("PUT", path(made), {"url": MASKED, "description": "late"})
    assert reply.status == 422
    assert kept(api, made).description is None


@pytest.mark.parametrize("headers", [..., {"X-Token": "***"}])
@pytest.mark.parametrize(
    "url", ["https://thief.example.com/hook", "https://example.com:8443/hook", "http://localhost:8080/hook"]
)
async def test_header_values_do_not_go_to_another_host_unless_they_are_given_again(
    api: Api, url: str, headers: object
) -> None:
    made = await api.call.made(url="https://example.com/hook", headers={"X-Token": "never shown"})
    body = {"url": url} | ({} if headers is ... else {"headers": headers})
    reply = await api.call("PATCH", f"/webhooks/{made['id']}", body)
    assert (reply.status, [each["field"] for each in reply.json["errors"]]) == (422, ["headers"])
    for given in ({"X-Token": "known to me"}, None):
        assert (await api.call("PATCH", f"/webhooks/{made['id']}", {"url": url, "headers": given})).status == 200


async def test_header_values_stay_when_the_path_or_the_query_changes(api: Api) -> None:
    made = await api.call.made(url="https://example.com/hook", headers={"X-Token": "never shown"})
    reply = await api.call("PATCH", f"/webhooks/{made['id']}", {"url": "https://EXAMPLE.com/other?x=1"})
    assert (reply.status, reply.json["headers"]) == (200, {"X-Token": "***"})
