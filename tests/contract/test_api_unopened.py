"""A webhook whose secrets were sealed with a master key that is not set: its owner hears so, and may give new ones."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from fakes.api import CODEC, Api, running_api
from fakes.configuration import sealed_for, subscription, with_secrets
from hookline.api.vault import Vault
from hookline.core.ids import idempotent_subscription_id
from hookline.core.sealing import Purpose
from hookline.runtime import draw
from hookline.runtime.settings import MasterKey
from hookline.schemas.records import Subscription

URL, MASKED = "https://example.com/hook?token=canary-1", "https://example.com/hook?***"
HEADERS, SHOWN = {"X-Tenant": "canary-2"}, {"X-Tenant": "***"}
LOST = [MasterKey("k2", bytes(32)), MasterKey("k1", bytes(32))]  # another key, and another one with the same id


@pytest.fixture(params=LOST, ids=["none has its id", "another has its id"])
async def api(request: pytest.FixtureRequest) -> AsyncIterator[Api]:
    async with running_api(master_keys=(request.param,)) as running:
        yield running


async def sealed_elsewhere(api: Api) -> Subscription:
    """The webhook `POST /webhooks` made with the Idempotency-Key `order-1`, when other master keys were set."""
    made = subscription("https://example.com/hook", account_id=api.account_id)
    made = replace(made, subscription_id=idempotent_subscription_id(api.account_id, "order-1"))
    made = with_secrets(made, headers=HEADERS, url=URL)
    made = replace(made, asked=sealed_for(made, "a digest", Purpose.REQUEST))
    topic, key = api.parts.topics.subscriptions, made.subscription_id.encode()
    written = await api.log.write(topic, key=key, value=CODEC.encode(made))
    await api.view.wait_applied(topic, written.offset, timeout_s=5)
    return made


def kept(api: Api, of: Subscription) -> Subscription:
    found = api.view.subscription(of.subscription_id)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("method", "suffix", "body", "noun"),
    [
        ("GET", "/secret", None, "secret"),
        ("PATCH", "", {"headers": {"X-Tenant": "***", "X-More": "1"}}, "set of static headers"),
        ("POST", "", {"url": "https://example.com/hook", "events": ["user.created"]}, "digest of a request"),
    ],
)
async def test_what_has_to_be_opened_is_refused_with_the_name_of_the_key(
    api: Api, caplog: pytest.LogCaptureFixture, method: str, suffix: str, body: object, noun: str
) -> None:
    made = await sealed_elsewhere(api)
    path = "/webhooks" if method == "POST" else f"/webhooks/{made.subscription_id}{suffix}"
    written = len(api.log.records)
    reply = await api.call(method, path, body, headers={"Idempotency-Key": "order-1"})
    assert (reply.status, reply.json["type"]) == (503, "urn:hookline:problem:unavailable")
    assert reply.json["detail"].startswith(f"{made.subscription_id}: its {noun} ")
    assert "the master key k1" in reply.json["detail"]
    assert (reply.headers["Retry-After"], len(api.log.records)) == ("60", written)
    (told,) = [each for each in caplog.records if each.message == "secret.unopened"]
    assert (told.levelname, vars(told)["master_key"]) == ("ERROR", "k1")


@pytest.mark.parametrize("body", [{"url": MASKED, "headers": SHOWN}, {"url": MASKED}, {"headers": SHOWN}])
async def test_what_is_sent_back_as_it_was_read_is_not_opened(api: Api, body: object) -> None:
    made = await sealed_elsewhere(api)
    reply = await api.call("PUT", f"/webhooks/{made.subscription_id}", body)
    assert (reply.status, kept(api, made)) == (200, made)


async def test_whatever_holds_no_secret_can_be_changed(api: Api) -> None:
    made = await sealed_elsewhere(api)
    path = f"/webhooks/{made.subscription_id}"
    assert (await api.call("PATCH", path, {"url": MASKED, "description": "shop"})).status == 200
    assert (kept(api, made).description, kept(api, made).sealed_url) == ("shop", made.sealed_url)
    assert (await api.call("POST", f"{path}/secret/rotate", {"secret": "new", "overlap_s": 0})).status == 200
    assert (await api.call("GET", f"{path}/secret")).json == {"secret": "new"}


@pytest.mark.parametrize("url", [URL, "https://example.com/hook?token=new", "https://other.example/hook"])
async def test_its_owner_gives_url_and_headers_anew(api: Api, url: str) -> None:
    made = await sealed_elsewhere(api)
    path, vault = f"/webhooks/{made.subscription_id}", Vault(api.parts.settings, draw)
    reply = await api.call("PATCH", path, {"url": url, "headers": HEADERS})
    assert reply.status == 200, reply.text
    record = kept(api, made)
    assert (vault.has_url(record, url), vault.headers(record), record.version) == (True, HEADERS, 2)


async def test_its_owner_takes_the_headers_away(api: Api) -> None:
    made = await sealed_elsewhere(api)
    assert (await api.call("PATCH", f"/webhooks/{made.subscription_id}", {"headers": None})).status == 200
    assert (kept(api, made).headers, kept(api, made).header_names) == (None, ())
