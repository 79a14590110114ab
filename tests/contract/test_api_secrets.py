"""Signing secrets over the API: shown to their owner, changed with an overlap, never in clear anywhere else."""

import logging
from typing import Any

import pytest

from fakes.api import CODEC, Api, running_api
from fakes.configuration import MASTER_KEY
from hookline.core.sealing import unseal
from hookline.schemas.records import SealedSecret, Subscription

DAY_MS = 86_400_000


def kept(api: Api, made: Any) -> Subscription:
    found = api.view.subscription(made["id"])
    assert found is not None
    return found


def opened(subscription: Subscription, sealed: SealedSecret | None) -> str:
    assert sealed is not None
    account_id, subscription_id = subscription.account_id, subscription.subscription_id
    return unseal(sealed, keys=[MASTER_KEY], account_id=account_id, subscription_id=subscription_id)


async def test_the_owner_sees_the_secret(api: Api) -> None:
    made = await api.call.made(secret="given")
    reply = await api.call("GET", f"/webhooks/{made['id']}/secret")
    assert (reply.status, reply.json) == (200, {"secret": "given"})
    assert reply.headers["Cache-Control"] == "no-store"


async def test_a_new_secret_is_made_and_both_sign_for_a_day(api: Api) -> None:
    made = await api.call.made(secret="given")
    reply = await api.call("POST", f"/webhooks/{made['id']}/secret/rotate")
    assert reply.status == 200, reply.text
    assert list(reply.json) == ["secret", "next_secret_from"]
    subscription = kept(api, made)
    assert opened(subscription, subscription.secret) == "given"
    assert opened(subscription, subscription.next_secret) == reply.json["secret"]
    assert subscription.next_secret_from_ms == subscription.updated_at_ms + DAY_MS
    assert reply.headers["ETag"] == '"2"'
    shown = (await api.call("GET", f"/webhooks/{made['id']}/secret")).json
    assert shown == {
        "secret": "given",
        "next_secret": reply.json["secret"],
        "next_secret_from": reply.json["next_secret_from"],
    }


async def test_a_given_secret_is_not_shown_and_takes_over_at_once_without_an_overlap(api: Api) -> None:
    made = await api.call.made(secret="given")
    reply = await api.call("POST", f"/webhooks/{made['id']}/secret/rotate", {"secret": "other", "overlap_s": 0})
    assert (reply.status, reply.json) == (200, {})
    assert (await api.call("GET", f"/webhooks/{made['id']}/secret")).json == {"secret": "other"}
    assert kept(api, made).next_secret is None


async def test_promoting_ends_the_overlap(api: Api) -> None:
    made = await api.call.made(secret="given")
    path = f"/webhooks/{made['id']}/secret"
    await api.call("POST", f"{path}/rotate", {"secret": "other"})
    for edition in ('"3"', '"3"'):  # a second time nothing is left to do
        reply = await api.call("POST", f"{path}/promote")
        assert (reply.status, reply.headers["ETag"]) == (204, edition)
    assert (await api.call("GET", path)).json == {"secret": "other"}


async def test_a_second_rotation_waits_for_the_first(api: Api) -> None:
    made = await api.call.made(secret="given")
    path = f"/webhooks/{made['id']}/secret"
    await api.call("POST", f"{path}/rotate", {"secret": "other"})
    reply = await api.call("POST", f"{path}/rotate", {"secret": "third"})
    assert (reply.status, reply.json["type"]) == (409, "urn:hookline:problem:rotation-under-way")
    await api.call("POST", f"{path}/promote")
    assert (await api.call("POST", f"{path}/rotate", {"secret": "third"})).status == 200
    shown = (await api.call("GET", path)).json
    assert (shown["secret"], shown["next_secret"]) == ("other", "third")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"overlap_s": -1}, "overlap_s"),
        ({"overlap_s": 604_801}, "overlap_s"),
        ({"overlap_s": "1"}, "overlap_s"),
        ({"secret": ""}, "secret"),
        ({"secret": "x" * 513}, "secret"),
        ({"overlap": 1}, "overlap"),
    ],
)
async def test_a_rotation_that_is_wrong_changes_nothing(api: Api, body: object, field: str) -> None:
    made = await api.call.made(secret="given")
    reply = await api.call("POST", f"/webhooks/{made['id']}/secret/rotate", body)
    assert (reply.status, reply.json["errors"][0]["field"]) == (422, field)
    assert kept(api, made).version == 1


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("POST", "/rotate"), ("POST", "/promote")])
async def test_nobody_sees_or_changes_another_accounts_secret(api: Api, method: str, path: str) -> None:
    made = await api.call.made(secret="given")
    reply = await api.stranger(method, f"/webhooks/{made['id']}/secret{path}")
    assert reply.status == 404
    assert "given" not in reply.text
    assert kept(api, made).version == 1


async def test_an_edition_that_is_not_the_current_one_rotates_nothing(api: Api) -> None:
    made = await api.call.made(secret="given")
    for path in ("rotate", "promote"):
        reply = await api.call("POST", f"/webhooks/{made['id']}/secret/{path}", headers={"If-Match": '"7"'})
        assert reply.status == 412
    assert kept(api, made).version == 1


async def test_no_secret_is_in_a_log_or_in_kafka(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with running_api() as api:
        made = await api.call.made(secret="canary-1")
        path = f"/webhooks/{made['id']}/secret"
        await api.call("POST", f"{path}/rotate", {"secret": "canary-2"})
        await api.call("GET", path)
        await api.call("POST", f"{path}/rotate", {"secret": "canary-3"})
        await api.call("POST", f"{path}/promote")
        for written in (caplog.text, str(api.log.records), (await api.call("GET", f"/webhooks/{made['id']}")).text):
            assert "canary" not in written
        assert CODEC.encode(kept(api, made)).find(b"canary") == -1


async def test_no_two_things_are_sealed_with_one_nonce(api: Api) -> None:
    """With AES-GCM one nonce for two texts gives away what differs between them, and the key of its tag."""
    body = {"url": "https://example.com/hook?a=1", "events": ["user.created"], "headers": {"X-A": "1"}}
    for number in range(3):
        made = (await api.call("POST", "/webhooks", body, headers={"Idempotency-Key": f"{number}"})).json
        await api.call("POST", f"/webhooks/{made['id']}/secret/rotate")
        await api.call("PUT", f"/webhooks/{made['id']}", {"headers": {"X-A": "2"}, "url": "https://example.com/?a=2"})
    values = api.log.values(api.parts.topics.subscriptions)
    sealed = {part for value in values for part in _sealed(CODEC.decode(value or b"", Subscription))}
    assert len(sealed) == 3 * (4 + 1 + 2)
    assert len({part.nonce for part in sealed}) == len(sealed)


def _sealed(subscription: Subscription) -> set[SealedSecret]:
    names = ("secret", "next_secret", "headers", "sealed_url", "asked")
    return {part for name in names if (part := getattr(subscription, name)) is not None}
