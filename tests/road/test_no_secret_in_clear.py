"""No secret lies anywhere in clear: canaries go the whole road, and are then searched for in all that it wrote and said.

A secret is in three places by right: with the endpoint that was sent it, in the one answer that made it, and in answers to
who asks for it with the scope. All else is searched: Kafka's data files and records, the history database, logs, metrics,
terminal, and every other answer of the API, errors first.
"""

import asyncio
import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from fakes.canaries import found_among, found_in, records_of
from fakes.echo import as_json, echo
from fakes.endpoint import endpoint, hang, reset
from fakes.road import free_port
from fakes.up import Up, environment, hookline, upped

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]
EVENTS = ["user.created"]


@dataclass(slots=True)
class Canaries:
    """Secrets like no other text, by what they are."""

    by_name: dict[str, str] = field(default_factory=dict)

    def new(self, name: str) -> str:
        self.by_name[name] = f"canary{name}{secrets.token_hex(12)}"
        return self.by_name[name]


@dataclass(slots=True)
class Api:
    """Calls the API and keeps every answer that may show no secret."""

    session: aiohttp.ClientSession
    kept: Path
    number: int = 0

    async def __call__(
        self, method: str, path: str, body: Any = None, *, key: str, may_show: bool = False, **headers: str
    ) -> Any:
        given = {"Authorization": f"Bearer {key}", **{name.replace("_", "-"): value for name, value in headers.items()}}
        async with self.session.request(method, path, json=body, headers=given) as answer:
            text, said = await answer.text(), [f"{name}: {value}" for name, value in answer.headers.items()]
        if not may_show:
            self.number += 1
            (self.kept / f"{self.number}.txt").write_text("\n".join([f"{answer.status}", *said, text]))
        return json.loads(text) if text.startswith("{") else {"text": text}


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    with upped(tmp_path / "data", tmp_path / "screen", "--rate", "5", env=environment()) as running:
        running.wait_ready()
        yield running


async def test_no_secret_is_found_in_what_the_road_wrote_or_said(up: Up, tmp_path: Path) -> None:
    canaries, kept = Canaries(), tmp_path / "answers"
    kept.mkdir()
    account = json.loads((up.folder / "account.json").read_text())
    async with (
        aiohttp.ClientSession(up.file["api_url"]) as session,
        endpoint(200) as (fine, seen),
        endpoint(500, hang, reset) as (bad, _),
        endpoint(echo(as_json, status=500)) as (echoing, _),
    ):
        api = Api(session, kept)
        keys = await _keys(api, canaries, account)
        webhooks = await _webhooks(api, canaries, keys, [fine, bad, echoing, f"http://127.0.0.1:{free_port()}"])
        await _changes(api, canaries, keys, webhooks)
        await _mistakes(api, canaries, keys, webhooks)
        for _ in range(3):
            await asyncio.to_thread(
                hookline, "trigger", "user.created", "--data-dir", str(up.folder), env=environment()
            )
        requests = await seen.wait_for(3)
        sent = [f"{each.path} {dict(each.headers)}" for each in requests]
        assert canaries.by_name["query0"] in "".join(sent)  # they did go the road
        assert canaries.by_name["header0"] in "".join(sent)
        await _attempted(api, keys, webhooks)
        await _pages(session, up, kept)
    topics = [f"{up.file['topic_prefix']}webhooks.{name}" for name in _TOPICS]
    records = await asyncio.to_thread(lambda: list(records_of(up.file["bootstrap_servers"], topics)))
    wanted = list(canaries.by_name.values())
    assert found_among(records, wanted) == []  # in Kafka's files they are compressed
    assert up.stop() == 0
    assert found_in([up.folder, up.screen, kept], wanted) == []
    files = [path for path in up.folder.rglob("*") if path.is_file()]
    print(f"{len(canaries.by_name)} canaries, {len(files)} files, {api.number} answers, {len(records)} records")
    assert {path.suffix for path in files} >= {".log", ".sqlite"}
    assert found_in([up.folder], [webhooks[0]["id"]]) != []  # what may be found is found


_TOPICS = (
    "subscriptions",
    "accounts",
    "audit",
    "attempts",
    "deliveries",
    "redeliveries",
    "replays",
    "dead-letters",
    "endpoint-state",
)


async def _keys(api: Api, canaries: Canaries, account: dict[str, str]) -> dict[str, str]:
    """A key and a link, which are secrets themselves; both are kept nowhere."""
    admin, of_account = account["admin_key"], f"/accounts/{account['account_id']}"
    made = await api("POST", f"{of_account}/keys", {"name": "backend"}, key=admin, may_show=True)
    link = await api("POST", f"{of_account}/links", {}, key=admin, may_show=True)
    canaries.by_name |= {"key": made["key"], "link": link["token"]}
    assert "total" in await api("GET", "/webhooks", key=link["token"])
    return {"own": made["key"], "admin": admin, "account": of_account}


async def _webhooks(api: Api, canaries: Canaries, keys: dict[str, str], urls: list[str]) -> list[dict[str, Any]]:
    made = []
    for number, url in enumerate(urls):
        body = {
            "url": f"{url}/hook?token={canaries.new(f'query{number}')}",
            "events": EVENTS,
            "secret": canaries.new(f"secret{number}"),
            "headers": {"X-Token": canaries.new(f"header{number}")},
            "timeout_s": 2,
        }
        made.append(await api("POST", "/webhooks", body, key=keys["own"], Idempotency_Key=f"canary-{number}"))
        assert "id" in made[-1], made[-1]
    drawn = await api("POST", "/webhooks", {"url": urls[0], "events": EVENTS}, key=keys["own"], may_show=True)
    canaries.by_name["drawn"] = drawn["secret"]
    return [*made, drawn]


async def _changes(api: Api, canaries: Canaries, keys: dict[str, str], webhooks: list[dict[str, Any]]) -> None:
    path = f"/webhooks/{webhooks[0]['id']}"
    await api("POST", f"{path}/secret/rotate", {"secret": canaries.new("rotated")}, key=keys["own"])
    turned = await api("POST", f"/webhooks/{webhooks[-1]['id']}/secret/rotate", {}, key=keys["own"], may_show=True)
    canaries.by_name["turned"] = turned["secret"]
    await api(
        "PATCH", f"/webhooks/{webhooks[1]['id']}", {"headers": {"X-Other": canaries.new("changed")}}, key=keys["own"]
    )
    read = await api("GET", path, key=keys["own"])
    assert (read["url"].rpartition("?")[2], read["headers"]) == ("***", {"X-Token": "***"})
    assert "id" in await api("PUT", path, read, key=keys["own"])  # masked, as it was read


async def _mistakes(api: Api, canaries: Canaries, keys: dict[str, str], webhooks: list[dict[str, Any]]) -> None:
    """Requests that are refused, each with a secret in the wrong place."""
    path, own = f"/webhooks/{webhooks[0]['id']}", keys["own"]
    lost = canaries.new("lost")
    url = f"https://example.com/?x={lost}"
    for body in (
        {"url": f"ftp://u:{lost}@example.com", "events": EVENTS},
        {"url": f"https://u:{lost}@example.com/", "events": EVENTS},
        {"url": f"https://10.0.0.1/?x={lost}", "events": EVENTS},
        {"url": f"{url}#x", "events": EVENTS},
        {"url": url, "events": EVENTS, "secret": [lost]},
        {"url": url, "events": EVENTS, "secret": lost * 100},
        {"url": url, "events": EVENTS, "headers": {"X-Token": f"{lost}\r\n"}},
        {"url": url, "events": EVENTS, "headers": {"Cookie": lost}},
        {"url": url, "events": EVENTS, "headers": {"X-Token": lost * 300}},
        {"url": url, "events": [], "headers": {"X-Token": [lost]}},
    ):
        assert "type" in await api("POST", "/webhooks", body, key=own)
        assert "type" in await api("PUT", path, {**body, "status": "paused"}, key=own)
    await api("POST", f"{path}/secret/rotate", {"secret": lost, "overlap_s": -1}, key=own)
    await api("GET", "/webhooks", key=f"hl_{lost}")
    await api("GET", "/webhooks", key=f"hll_{lost}.{lost}")
    await api("GET", f"/webhooks?cursor={lost}", key=own)
    await api("GET", f"/webhooks/{webhooks[0]['id']}/deliveries?limit={lost}", key=own)


async def _attempted(api: Api, keys: dict[str, str], webhooks: list[dict[str, Any]]) -> None:
    """Return when every webhook has a failed or successful attempt on record; what is shown of them is kept."""
    async with asyncio.timeout(60):
        for webhook in webhooks:
            while not (await api("GET", f"/webhooks/{webhook['id']}/logs", key=keys["own"]))["logs"]:
                await asyncio.sleep(0.2)
        while len((await api("GET", "/audit", key=keys["own"]))["entries"]) < 7:
            await asyncio.sleep(0.2)
    for path in (
        "/webhooks",
        "/account",
        "/openapi.json",
        "/docs",
        f"{keys['account']}/keys",
        "/audit",
        keys["account"],
    ):
        await api("GET", path, key=keys["admin"], Hookline_Account=keys["account"].rpartition("/")[2])


async def _pages(session: aiohttp.ClientSession, up: Up, kept: Path) -> None:
    for name, url in up.file["health"].items():
        async with session.get(f"{url}/metrics") as page:
            (kept / f"{name}.metrics").write_text(await page.text())
