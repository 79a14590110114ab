"""Who may ask the API: without a right key nothing is answered, and another account's webhook is as unknown as none."""

import pytest

from fakes.api import Api

OPERATIONS = [
    ("GET", ""),
    ("PUT", ""),
    ("DELETE", ""),
    ("GET", "/deliveries"),
    ("GET", "/logs"),
    ("POST", "/test"),
]


@pytest.mark.parametrize(("method", "suffix"), OPERATIONS)
async def test_a_webhook_of_another_account_is_as_unknown_as_none(api: Api, method: str, suffix: str) -> None:
    made = await api.call.made()
    body = {"event": "user.created"} if suffix == "/test" else {"status": "paused"} if method == "PUT" else None
    foreign = await api.stranger(method, f"/webhooks/{made['id']}{suffix}", body)
    missing = await api.stranger(method, f"/webhooks/wh_none{suffix}", body)
    assert foreign.status == missing.status == 404
    assert {**foreign.json, "request_id": 0} == {**missing.json, "request_id": 0}
    assert foreign.json["type"] == "urn:hookline:problem:unknown-webhook"
    assert api.view.subscription(made["id"]) is not None
    assert api.history.asked == []


@pytest.mark.parametrize(("method", "path"), [("GET", "/webhooks"), ("POST", "/webhooks"), ("PUT", "/webhooks/x")])
@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Bearer x", "Basic dTpw", "{wrong}", "{unknown}", "{key} x"]
)
async def test_without_a_right_key_nothing_is_answered(api: Api, method: str, path: str, header: str) -> None:
    flipped = "1" if api.call.key[25] == "0" else "0"
    wrong = api.call.key[:25] + flipped + api.call.key[26:]
    unknown = f"Bearer hl_{'0' * 16}_{'0' * 40}00000000"
    given = header.format(wrong=f"Bearer {wrong}", unknown=unknown, key=f"Bearer {api.call.key}")
    reply = await api.call(method, path, headers={"Authorization": given})
    assert reply.status == 401
    assert reply.headers["WWW-Authenticate"].startswith('Bearer realm="hookline"')
    assert reply.json["type"] == "urn:hookline:problem:unauthorized"
    assert api.call.key[25:] not in reply.text


async def test_a_right_checksum_alone_opens_nothing(api: Api) -> None:
    from hookline.core import apikeys

    known = apikeys.parse(api.call.key)
    assert known is not None
    for key_id, secret in [(known.key_id, "0" * 40), ("0" * 16, known.secret)]:
        forged = apikeys.write(key_id, secret)
        assert (await api.call("GET", "/webhooks", headers={"Authorization": f"Bearer {forged}"})).status == 401


async def test_a_key_works_whatever_the_case_of_its_scheme(api: Api) -> None:
    reply = await api.call("GET", "/webhooks", headers={"Authorization": f"bearer  {api.call.key}"})
    assert reply.status == 200
