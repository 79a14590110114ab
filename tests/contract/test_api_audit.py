"""Who changed what: each change writes one entry in the same decision, without any secret, and its account can read it."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from fakes.api import Api, Caller, Reply, judge, running_api
from fakes.audit import AT_MS, audit_entry
from fakes.beside import beside
from fakes.judgements import disabling
from hookline.runtime.history import HistoryStore, open_history
from hookline.schemas.errors import NotYet
from hookline.schemas.records import AuditEntry

QUERY = "https://example.com/hook?token=canary-query"
FIELDS: Mapping[str, Any] = {
    "url": QUERY,
    "secret": "canary-secret",
    "headers": {"X-Tenant": "canary-header"},
    "description": "for orders",
    "metadata": {"secret": "no secret of ours"},
    "uid": "mine",
}


def id_of(caller: Caller) -> str:
    return caller.key.split("_")[1]


async def disabled(api: Api, webhook: Any) -> None:
    subscription = api.view.subscription(webhook["id"])
    assert subscription is not None
    await judge(api, disabling(subscription))


def shown(text: str | None) -> Any:
    return None if text is None else json.loads(text)


# -- pages ------------------------------------------------------------------------------------------------------------


async def test_a_page_that_is_full_before_its_limit_leads_on(api: Api) -> None:
    api.history.audit_entries = [
        replace(audit_entry(number), after=json.dumps({"a": "x" * 600_000})) for number in (3, 2)
    ]
    page = (await api.call("GET", "/audit?limit=5")).json
    assert len(page["entries"]) == 2
    assert (await api.call("GET", f"/audit?limit=5&cursor={page['next_cursor']}")).status == 200
    assert api.history.audit_asked[-1][2] == (AT_MS, "audit_000002")
    api.history.audit_entries = [audit_entry()]
    assert "next_cursor" not in (await api.call("GET", "/audit?limit=5")).json


# -- each change, once ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Deed:
    """A change, whoever may make it, and what the entry is to say: its subject, and what differs before and after."""

    operation: str
    by: str
    method: str
    path: str
    body: Any = None
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None


NEW = {"url": "https://example.com/hook?canary-new", "events": ["user.created"], "secret": "canary-new"}
DEEDS = [
    Deed("webhook.create", "call", "POST", "/webhooks", NEW, None, {"url": "https://example.com/hook?***"}),
    Deed("webhook.change", "call", "PUT", "/webhooks/{id}", {"uid": "other"}, {"uid": "mine"}, {"uid": "other"}),
    Deed(
        *("webhook.change", "call", "PATCH", "/webhooks/{id}", {"url": "https://example.com/hook?canary-other"}),
        {"url": "https://example.com/hook?***"},
        {"url": "https://example.com/hook?***"},
    ),
    Deed(
        *("webhook.change", "call", "PATCH", "/webhooks/mine", {"headers": {"X-A": "canary-other"}}),
        {"headers": {"X-Tenant": "***"}},
        {"headers": {"X-A": "***"}},
    ),
    Deed("webhook.delete", "call", "DELETE", "/webhooks/{id}", None, {"status": "active", "uid": "mine"}, None),
    Deed("secret.rotate", "call", "POST", "/webhooks/{id}/secret/rotate", {"secret": "canary-next"}, {}, {}),
    Deed("secret.rotate", "call", "POST", "/webhooks/{id}/secret/rotate", None, {}, {}),
    Deed("account.create", "admin", "POST", "/accounts", {"name": "Acme"}, None, {"name": "Acme"}),
    Deed(
        *("account.change", "admin", "PATCH", "/accounts/{account_id}", {"webhooks_max": 7}),
        {"webhooks_max": 100},
        {"webhooks_max": 7},
    ),
    Deed(
        *("key.create", "admin", "POST", "/accounts/{account_id}/keys", {"name": "backend", "scope": "read"}),
        None,
        {"name": "backend", "scopes": ["read"]},
    ),
    Deed(
        *("key.revoke", "admin", "DELETE", "/accounts/{account_id}/keys/{key_id}", None),
        {"name": "first", "scopes": ["read", "write"]},
        None,
    ),
    Deed("key.create", "admin", "POST", "/keys", {"name": "ops"}, None, {"name": "ops", "scopes": ["admin"]}),
]


@pytest.mark.parametrize("deed", DEEDS, ids=lambda deed: f"{deed.method} {deed.path}")
async def test_a_change_writes_one_entry_that_says_who_did_what(api: Api, deed: Deed) -> None:
    webhook = await api.call.made(**FIELDS)
    key = (await api.admin("POST", f"/accounts/{api.account_id}/keys", {"name": "first"})).json
    ids = {"id": webhook["id"], "account_id": api.account_id, "key_id": key["id"]}
    caller: Caller = getattr(api, deed.by)
    before = len(api.audited)
    reply = await caller(deed.method, deed.path.format(**ids), deed.body)
    assert reply.status in {200, 201, 204}, reply.text
    (entry,) = api.audited[before:]
    assert (entry.operation, entry.actor) == (deed.operation, id_of(caller))
    assert entry.request_id == reply.headers["X-Request-Id"]
    assert entry.subject == _subject(deed, reply, ids)
    assert entry.account_id == _owner(deed, reply, api)
    for text, wanted in ((entry.before, deed.before), (entry.after, deed.after)):
        found = shown(text)
        assert (found is None) == (wanted is None)
        assert {**(found or {}), **(wanted or {})} == (found or {})
        assert not {"secret", "next_secret", "key", "token"} & set(found or {})


def _subject(deed: Deed, reply: Reply, ids: Mapping[str, str]) -> str:
    if reply.status == 201:
        return str(reply.json["id"])
    kind = deed.operation.partition(".")[0]
    return {"account": ids["account_id"], "key": ids["key_id"]}.get(kind, ids["id"])


def _owner(deed: Deed, reply: Reply, api: Api) -> str:
    if deed.operation == "account.create":
        return str(reply.json["id"])
    return "" if deed.path == "/keys" else api.account_id


async def test_an_entry_is_written_with_its_change_or_not_at_all(api: Api) -> None:
    await api.call.made()
    topics = [record.topic for record in api.log.records[-2:]]
    assert topics == [api.parts.topics.subscriptions, api.parts.topics.audit]
    assert api.log.records[-1].key == api.account_id.encode()


async def test_what_enables_a_webhook_is_told_as_it_is_afterwards(api: Api) -> None:
    for method, suffix, body in (
        ("POST", "/enable", None),
        ("PUT", "", {"status": "active"}),
        ("PUT", "", {"url": "https://example.com/mended"}),
    ):
        webhook = await api.call.made()
        await disabled(api, webhook)
        reply = await api.call(method, f"/webhooks/{webhook['id']}{suffix}", body)
        entry = api.audited[-1]
        assert (shown(entry.before)["status"], shown(entry.before)["disabled_reason"]) == ("disabled", "gone")
        assert shown(entry.after) == {name: value for name, value in reply.json.items() if name != "catch_up"}
        assert reply.json["status"] == "active"


async def test_the_end_of_an_overlap_is_a_change(api: Api) -> None:
    webhook = await api.call.made()
    path = f"/webhooks/{webhook['id']}/secret"
    await api.call("POST", f"{path}/rotate")
    await api.call("POST", f"{path}/promote")
    assert [entry.operation for entry in api.audited] == ["webhook.create", "secret.rotate", "secret.promote"]
    await api.call("POST", f"{path}/promote")
    assert len(api.audited) == 3


async def test_an_administrator_in_an_account_is_told_by_their_own_key(api: Api) -> None:
    reply = await api.admin("POST", "/webhooks", NEW, headers={"Hookline-Account": api.account_id})
    entry = api.audited[-1]
    assert (entry.actor, entry.account_id, entry.subject) == (id_of(api.admin), api.account_id, reply.json["id"])


# -- none -------------------------------------------------------------------------------------------------------------


async def test_what_changes_nothing_or_is_refused_writes_no_entry(api: Api) -> None:
    webhook = await api.call.made(**FIELDS)
    path, account = f"/webhooks/{webhook['id']}", f"/accounts/{api.account_id}"
    key = (await api.admin("POST", f"{account}/keys", {"name": "first"})).json
    written, told = len(api.log.records), len(api.audited)
    for caller, method, to, body, status in (
        (api.call, "PUT", path, {"headers": {"X-Tenant": "***"}, "url": "https://example.com/hook?***"}, 200),
        (api.call, "POST", f"{path}/enable", None, 200),
        (api.call, "POST", f"{path}/secret/promote", None, 204),
        (api.admin, "PATCH", account, {"name": "Acme"}, 200),
        (api.call, "PUT", path, {"status": "disabled"}, 422),
        (api.call, "POST", "/webhooks", {**NEW, "uid": "mine"}, 409),
        (api.call, "PUT", path, {"events": []}, 422),
        (api.stranger, "DELETE", path, None, 404),
        (api.admin, "DELETE", path, None, 400),
        (api.call, "POST", f"{account}/keys", {"name": "first"}, 403),
        (api.admin, "DELETE", f"/keys/{key['id']}", None, 404),
        (api.admin, "POST", f"{account}/links", None, 201),
    ):
        assert (await caller(method, to, body)).status == status
    reply = await api.call("DELETE", path, headers={"If-Match": '"7"'})
    assert reply.status == 412
    assert (len(api.log.records), len(api.audited)) == (written, told)


async def test_a_test_delivery_is_no_change(api: Api) -> None:
    webhook = await api.call.made()
    assert (await api.call("POST", f"/webhooks/{webhook['id']}/test", {"event": "user.created"})).status == 202
    assert len(api.audited) == 1


async def test_of_20_changes_at_once_each_has_its_entry_in_order(api: Api) -> None:
    webhook = await api.call.made(description="0")
    path = f"/webhooks/{webhook['id']}"
    await asyncio.gather(*(api.call("PUT", path, {"description": f"{n}"}) for n in range(1, 21)))
    entries = api.audited
    assert len(entries) == 21
    for earlier, later in pairwise(entries):
        assert later.before == earlier.after


async def test_no_secret_is_in_any_entry(api: Api) -> None:
    webhook = await api.call.made(**FIELDS)
    path = f"/webhooks/{webhook['id']}"
    await api.call("PUT", path, {"headers": {"X-Other": "canary-other"}, "url": f"{QUERY}&canary-more"})
    await api.call("POST", f"{path}/secret/rotate", {"secret": "canary-next"})
    made = (await api.call("POST", f"{path}/secret/promote"), await api.call.made())[1]
    rotated = (await api.call("POST", f"/webhooks/{made['id']}/secret/rotate")).json
    key = (await api.admin("POST", f"/accounts/{api.account_id}/keys", {"name": "first"})).json
    link = (await api.admin("POST", f"/accounts/{api.account_id}/links")).json
    await api.call.with_key(link["token"])("DELETE", path)
    told = b"".join(value or b"" for value in api.log.values(api.parts.topics.audit))
    secrets = [made["secret"], rotated["secret"], key["key"], key["key"].split("_")[2], link["token"], api.admin.key]
    assert [text for text in (*secrets, "canary") if text.encode() in told] == []
    assert len(api.audited) == 8


# -- reading ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Told:
    """The same API, with a history store in a real database behind it."""

    api: Api
    store: HistoryStore
    asks: Callable[[Caller, str], Awaitable[Any]]

    async def take_in(self) -> list[AuditEntry]:
        """What the history role does; the entries, the newest first."""
        await self.store.ingest(self.api.audited, {})
        return sorted(self.api.audited, key=lambda each: (each.at_ms, each.audit_id), reverse=True)


@pytest.fixture
async def told(tmp_path: Path) -> AsyncIterator[Told]:
    async with (
        running_api(data_dir=tmp_path) as api,
        open_history(api.parts.settings) as store,
        beside(api, history=store) as other,
    ):

        async def asks(caller: Caller, query: str = "") -> Any:
            reply = await other.call.with_key(caller.key)("GET", f"/audit{query}")
            assert reply.status == 200, reply.text
            return reply.json

        yield Told(api, store, asks)


async def test_an_account_reads_its_own_entries_and_an_administrator_all(told: Told) -> None:
    api = told.api
    own, foreign = await api.call.made(), await api.stranger.made()
    await api.admin("POST", "/keys", {"name": "ops"})
    entries = await told.take_in()
    for caller, subjects in (
        (api.call, {own["id"]}),
        (api.stranger, {foreign["id"]}),
        (api.admin, {entry.subject for entry in entries}),
    ):
        assert {row["subject"] for row in (await told.asks(caller, ""))["entries"]} == subjects


async def test_an_entry_is_shown_as_what_was_done(told: Told) -> None:
    reply = await told.api.call("POST", "/webhooks", NEW)
    (entry,) = await told.take_in()
    (row,) = (await told.asks(told.api.call, ""))["entries"]
    assert list(row) == ["id", "at", "account_id", "actor", "request_id", "operation", "subject", "after"]
    assert row["after"] == reply.json
    assert (row["id"], row["request_id"]) == (entry.audit_id, reply.headers["X-Request-Id"])
    assert (row["account_id"], row["actor"]) == (told.api.account_id, id_of(told.api.call))


@pytest.mark.parametrize("limit", [1, 2, 5, 7])
async def test_pages_show_each_entry_once_the_newest_first(told: Told, limit: int) -> None:
    webhook = await told.api.call.made()
    for number in range(5):
        await told.api.call("PUT", f"/webhooks/{webhook['id']}", {"description": f"{number}"})
    entries = await told.take_in()
    seen: list[str] = []
    query = f"?limit={limit}"
    for _ in range(10):
        page = await told.asks(told.api.call, query)
        assert len(page["entries"]) <= limit
        seen += [row["id"] for row in page["entries"]]
        if "next_cursor" not in page:
            break
        query = f"?limit={limit}&cursor={page['next_cursor']}"
    assert seen == [entry.audit_id for entry in entries]


async def test_the_entries_of_one_subject_are_found(told: Told) -> None:
    api = told.api
    first, second = await api.call.made(), await api.call.made()
    await api.call("DELETE", f"/webhooks/{first['id']}")
    await told.take_in()
    rows = (await told.asks(api.call, f"?subject={first['id']}"))["entries"]
    assert [row["operation"] for row in rows] == ["webhook.delete", "webhook.create"]
    assert len((await told.asks(api.admin, f"?subject={second['id']}"))["entries"]) == 1
    for caller, subject in ((api.stranger, first["id"]), (api.call, "none"), (api.call, "%00"), (api.call, "%27--")):
        assert (await told.asks(caller, f"?subject={subject}"))["entries"] == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("cursor=nonsense!", "cursor"),
        ("cursor=", "cursor"),
        ("subject=" + "a" * 201, "subject"),
        ("subject=a&subject=b", "subject"),
        ("account_id=acct_1", "account_id"),
    ],
)
async def test_a_wrong_query_is_named(api: Api, query: str, field: str) -> None:
    reply = await api.call("GET", f"/audit?{query}")
    assert (reply.status, reply.json["errors"][0]["field"]) == (422, field)
    assert api.history.audit_asked == []


async def test_a_cursor_of_any_number_breaks_nothing(told: Told) -> None:
    await told.api.call.made()
    await told.take_in()
    for at in ("0", "9" * 18, "9" * 30, "9" * 120):
        for row_id in ("x", "\x00", "\u2603", "'; --"):
            cursor = base64.urlsafe_b64encode(f"audit:{at}:{row_id}".encode()).decode().rstrip("=")
            await told.asks(told.api.call, f"?cursor={cursor}")


async def test_who_asks_in_an_account_is_answered_for_it_alone(api: Api) -> None:
    await api.admin("GET", "/audit")
    await api.admin("GET", "/audit", headers={"Hookline-Account": api.foreign_id})
    await api.call("GET", "/audit?limit=3&subject=wh_1")
    assert api.history.audit_asked == [
        (None, None, None, 101),
        (api.foreign_id, None, None, 101),
        (api.account_id, "wh_1", None, 4),
    ]


async def test_a_history_store_that_is_away_is_no_bug(api: Api) -> None:
    api.history.error = NotYet("the store is busy")
    reply = await api.call("GET", "/audit")
    assert (reply.status, reply.headers["Retry-After"]) == (503, "5")
    assert reply.json["type"] == "urn:hookline:problem:unavailable"
