"""Every operation that the OpenAPI document has, asked by everybody who might: each gets what their key lets them have."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from fakes.api import CODEC, Api, Caller, Reply, key_caller, running_api
from fakes.history import SUCCEEDED
from fakes.letters import buried, letter
from fakes.recovery import job_written, kept_delivery
from hookline.api.app import build_app
from hookline.schemas.records import Delivery

# What each operation wants. An operation that is not here makes the walk fail.
WANTED: Mapping[str, str] = {
    "createWebhook": "write",
    "listWebhooks": "read",
    "readWebhook": "read",
    "changeWebhook": "write",
    "patchWebhook": "write",
    "deleteWebhook": "write",
    "enableWebhook": "write",
    "readSecret": "write",
    "rotateSecret": "write",
    "promoteSecret": "write",
    "listDeliveries": "read",
    "listLogs": "read",
    "testWebhook": "write",
    "readDelivery": "read",
    "readEvent": "read",
    "readWebhookStats": "read",
    "readStats": "read",
    "retryDelivery": "write",
    "recoverWebhook": "write",
    "replayWebhook": "write",
    "cancelRetries": "write",
    "listJobs": "read",
    "readJob": "read",
    "changeJob": "write",
    "pauseJob": "write",
    "resumeJob": "write",
    "cancelJob": "write",
    "readIdentity": "read",
    "listAudit": "read",
    "createAccount": "admin",
    "listAccounts": "admin",
    "readAccount": "admin",
    "changeAccount": "admin",
    "createKey": "admin",
    "listKeys": "admin",
    "revokeKey": "admin",
    "createAdminKey": "admin",
    "listAdminKeys": "admin",
    "revokeAdminKey": "admin",
    "createLink": "admin",
    "listDeadLetters": "admin",
    "readDeadLetter": "admin",
    "redriveDeadLetter": "admin",
    "redriveDeadLetters": "admin",
    "readKeySet": "",
    "readDocument": "",
    "readDocs": "",
}
# What an administrator may ask without saying whose account is meant.
WITHOUT_ACCOUNT = {name for name, wanted in WANTED.items() if wanted == "admin"} | {"readIdentity", "listAudit"}
INCLUDED = {"read": {"read"}, "write": {"read", "write"}, "admin": {"read", "write", "admin"}}
NONE = {
    "id": f"wh_{'0' * 32}",
    "account_id": f"acct_{'0' * 32}",
    "key_id": "0" * 16,
    "letter_id": "9-9",
    "delivery_id": f"delivery_{'0' * 32}",
    "event_id": f"evt_{'0' * 32}",
    "job_id": f"job_{'0' * 32}",
}
OF_ANSWER = {"x-request-id", "date"}


@dataclass(frozen=True, slots=True)
class Step:
    """One operation of the document, with the example of its body."""

    name: str
    method: str
    path: str
    body: Any
    successes: frozenset[int]

    @property
    def names_a_thing(self) -> bool:
        return "{" in self.path


@dataclass(frozen=True, slots=True)
class Scene:
    """New things of the first account; `marks` is all that may be in nobody else's answer."""

    ids: Mapping[str, str]
    marks: Sequence[str]


async def test_every_operation_lets_in_who_may_and_nobody_else() -> None:
    async with running_api(subscriptions_max=10_000) as api:
        steps = list(_steps((await api.call("GET", "/openapi.json")).json))
        assert {step.name for step in steps} == set(WANTED)
        assert {(step.method, step.path) for step in steps} == _routes(api)
        api.history.delivery_rows = [SUCCEEDED]
        callers = await _callers(api)
        for step in steps:
            if WANTED[step.name]:
                await _walk(api, step, callers)
            else:
                await _is_for_everybody(api, step)


async def _walk(api: Api, step: Step, callers: Mapping[str, Caller]) -> None:
    scene = await _scene(api, step)
    for who in ("nobody", "wrong", "expired", "revoked"):
        await _is_refused(api, step, scene, callers[who], (401, "unauthorized"))
    await _is_unknown(api, step, scene, api.stranger)
    if WANTED[step.name] != "admin":
        named = {"Hookline-Account": api.account_id}
        await _is_refused(api, step, scene, api.stranger, (404, "unknown-account"), named)
        await _is_unknown(api, step, scene, api.admin, {"Hookline-Account": api.foreign_id})
    if step.name not in WITHOUT_ACCOUNT:
        await _is_refused(api, step, scene, api.admin, (400, "account-needed"))
    for who, scope in (("reader", "read"), ("read link", "read"), ("write link", "write"), ("own", "write")):
        if WANTED[step.name] in INCLUDED[scope]:
            await _is_answered(api, step, callers[who])
        else:
            await _is_refused(api, step, scene, callers[who], (403, "forbidden"))
    await _is_answered(api, step, api.admin, {"Hookline-Account": api.account_id})


async def _callers(api: Api) -> Mapping[str, Caller]:
    path = f"/accounts/{api.account_id}"
    link = {
        scope: (await api.admin("POST", f"{path}/links", {"scope": scope})).json["token"] for scope in ("read", "write")
    }
    made = (await api.admin("POST", f"{path}/keys", {"name": "revoked"})).json
    assert (await api.admin("DELETE", f"{path}/keys/{made['id']}")).status == 204
    return {
        "nobody": api.call.with_key(""),
        "wrong": api.call.with_key(f"hl_{'0' * 16}_{'0' * 40}00000000"),
        "expired": await key_caller(api, api.account_id, expires_at_ms=1),
        "revoked": api.call.with_key(made["key"]),
        "reader": await key_caller(api, api.account_id, scopes="read"),
        "read link": api.call.with_key(link["read"]),
        "write link": api.call.with_key(link["write"]),
        "own": api.call,
    }


# -- what is to come of it --------------------------------------------------------------------------------------------


async def _is_for_everybody(api: Api, step: Step) -> None:
    scene = await _scene(api, step)
    reply = await _asked(api.call.with_key(""), step, {})
    assert reply.status in step.successes, step
    _tells_nothing(reply, scene.marks)


async def _is_answered(api: Api, step: Step, caller: Caller, headers: Mapping[str, str] | None = None) -> None:
    """On things of its own, for it may take them away."""
    scene = await _scene(api, step)
    reply = await _asked(caller, step, scene.ids, headers)
    assert reply.status in step.successes, (step, reply.text)


async def _is_refused(
    api: Api,
    step: Step,
    scene: Scene,
    caller: Caller,
    wanted: tuple[int, str],
    headers: Mapping[str, str] | None = None,
) -> None:
    written = len(api.log.records)
    reply = await _asked(caller, step, scene.ids, headers)
    status, name = wanted
    assert (reply.status, reply.json["type"]) == (status, f"urn:hookline:problem:{name}"), (step, reply.text)
    assert ("WWW-Authenticate" in reply.headers) == (status in {401, 403})
    _tells_nothing(reply, scene.marks)
    assert len(api.log.records) == written, step
    _is_alike(reply, await _asked(caller, step, NONE, headers))


async def _is_unknown(
    api: Api, step: Step, scene: Scene, caller: Caller, headers: Mapping[str, str] | None = None
) -> None:
    """Whoever is of another account finds nothing of the first one, and changes nothing of it."""
    written = len(api.log.records)
    reply = await _asked(caller, step, scene.ids, headers)
    assert not (step.names_a_thing and reply.status in step.successes), step
    _tells_nothing(reply, scene.marks)
    if step.names_a_thing:
        assert reply.status == (404 if WANTED[step.name] != "admin" else 403), step
        assert len(api.log.records) == written, step
        _is_alike(reply, await _asked(caller, step, NONE, headers))
        if "id" in scene.ids:
            _is_alike(reply, await _asked(caller, step, {**scene.ids, "id": scene.ids["uid"]}, headers))
    assert api.account_id not in _owners(api, written), step


def _tells_nothing(reply: Reply, marks: Sequence[str]) -> None:
    told = f"{reply.text}{dict(reply.headers)}"
    assert [mark for mark in marks if mark in told] == []


def _is_alike(reply: Reply, other: Reply) -> None:
    assert (reply.status, _without_ids(reply)) == (other.status, _without_ids(other))


def _without_ids(reply: Reply) -> tuple[Any, dict[str, str]]:
    headers = {name: value for name, value in reply.headers.items() if name.lower() not in OF_ANSWER}
    return {**reply.json, "request_id": 0}, headers


def _owners(api: Api, written: int) -> set[str]:
    """Whose the records are that have been written since."""
    values = [record.value for record in api.log.records[written:] if record.value is not None]
    return {str(getattr(CODEC.decode_any(value), "account_id", "")) for value in values}


# -- the way ----------------------------------------------------------------------------------------------------------


def _steps(document: Any) -> Iterator[Step]:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            name = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
            body = document["components"]["schemas"][name]["examples"][0] if name else None
            statuses = frozenset(int(status) for status in operation["responses"] if status.startswith("2"))
            yield Step(operation["operationId"], method.upper(), path, body, statuses)


def _routes(api: Api) -> set[tuple[str, str]]:
    """What the application itself knows, but for HEAD, which goes with GET."""
    routes = build_app(api.parts).router.routes()
    return {(each.method, each.resource.canonical) for each in routes if each.resource and each.method != "HEAD"}


async def _scene(api: Api, step: Step) -> Scene:
    number = len(api.log.records)
    ids = {"account_id": api.account_id}
    if "{id}" in step.path or not step.names_a_thing:
        uid = f"canary-uid-{number}"
        webhook = await api.call.made(
            url="https://example.com/canary-path?token=canary-query",
            description="canary-description",
            secret="canary-secret",
            uid=uid,
            metadata={"note": "canary-note"},
            headers={"X-Canary": "canary-header"},
        )
        ids |= {"id": webhook["id"], "uid": uid}
    if "{letter_id}" in step.path:
        of = (await api.call.made())["id"]
        dead = letter(number, account_id=api.account_id, subscription_id=of, detail="canary-detail")
        ids["letter_id"] = await buried(api, dead)
    if "{key_id}" in step.path:
        path = step.path.replace("{account_id}", api.account_id).removesuffix("/{key_id}")
        ids["key_id"] = (await api.admin("POST", path, {"name": "canary-name"})).json["id"]
    if "{job_id}" in step.path:
        ids["job_id"] = (await job_written(api, "wh_canary", detail="canary-detail")).job_id
    if "{id}" in step.path and "{delivery_id}" in step.path:
        ids["delivery_id"] = (await kept_delivery(api, ids["id"])).delivery_id
    elif "{delivery_id}" in step.path or "{event_id}" in step.path:
        ids |= {"delivery_id": SUCCEEDED.delivery_id, "event_id": SUCCEEDED.event_id}
    return Scene(ids, [*ids.values(), "canary", "X-Canary"])


async def _asked(caller: Caller, step: Step, ids: Mapping[str, str], headers: Mapping[str, str] | None = None) -> Reply:
    path = re.sub(r"\{(\w+)\}", lambda found: ids[found[1]], step.path)
    return await caller(step.method, path, step.body, headers=headers)


# -- beside the way ---------------------------------------------------------------------------------------------------


async def test_head_asks_for_the_same_key_as_get(api: Api) -> None:
    made = await api.call.made()
    for path in ("/webhooks", f"/webhooks/{made['id']}", f"/webhooks/{made['id']}/secret", "/account", "/audit"):
        assert (await api.call("HEAD", path)).status == 200
        assert (await api.call.with_key("")("HEAD", path)).status == 401
    assert (await api.stranger("HEAD", f"/webhooks/{made['id']}")).status == 404


async def test_a_scope_that_lacks_is_named(api: Api) -> None:
    reader = await key_caller(api, api.account_id, scopes="read")
    reply = await reader("POST", "/webhooks", {})
    assert reply.status == 403
    assert 'error="insufficient_scope", scope="write"' in reply.headers["WWW-Authenticate"]
    assert "scope write" in reply.json["detail"]


@pytest.mark.parametrize("scopes", ["", "reading", "READ", "admins", "read,write", "write-only"])
async def test_scopes_that_are_none_allow_nothing(api: Api, scopes: str) -> None:
    caller = await key_caller(api, api.account_id, scopes=scopes)
    for method, path in (("GET", "/webhooks"), ("GET", "/account"), ("GET", "/accounts")):
        assert (await caller(method, path)).status == 403


async def test_a_key_of_no_account_that_is_no_administrators_sees_nothing(api: Api) -> None:
    """Such a record is written by nobody; were there one, the audit of all accounts would not be for its owner."""
    await api.call.made()
    caller = await key_caller(api, "")
    for path in ("/webhooks", "/account", "/audit"):
        reply = await caller("GET", path)
        assert (reply.status, reply.json["type"]) == (400, "urn:hookline:problem:account-needed")
    assert api.history.audit_asked == []


async def test_a_test_delivery_of_an_administrator_is_in_the_account_that_they_name(api: Api) -> None:
    made = await api.call.made()
    path, named = f"/webhooks/{made['id']}/test", {"Hookline-Account": api.account_id}
    assert (await api.admin("POST", path, {"event": "user.created"}, headers=named)).status == 202
    (value,) = api.log.values(api.parts.topics.deliveries)
    assert CODEC.decode(value or b"", Delivery).account_id == api.account_id
