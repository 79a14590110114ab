"""One delivery again, now: what is written to Kafka for it, and when the answer is no."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest

from fakes.api import CODEC, Api, KeptInMemory, judge, running_api
from fakes.beside import beside
from fakes.history import FAILED, SUCCEEDED
from fakes.judgements import disabling
from fakes.recovery import BODY, kept_delivery
from hookline.runtime.kept import KeptDelivery
from hookline.schemas.errors import NotYet
from hookline.schemas.records import Delivery, Place

PATH = "/webhooks/{}/deliveries/{}/retry"


def again(api: Api) -> list[Delivery]:
    """What was written to be sent, without the delivery as it was fanned out."""
    sent = [CODEC.decode(value or b"", Delivery) for value in api.log.values(api.parts.topics.deliveries)]
    return [each for each in sent if each.run]


def kept(api: Api) -> KeptInMemory:
    assert isinstance(api.parts.kept, KeptInMemory)
    return api.parts.kept


async def retried(api: Api, webhook_id: str, delivery_id: str = FAILED.delivery_id) -> Any:
    return await api.call("POST", PATH.format(webhook_id, delivery_id))


async def test_it_is_sent_once_more_as_a_run_of_its_own(api: Api) -> None:
    made = await api.call.made()
    row = await kept_delivery(api, made["id"])
    began_ms = api.parts.clock.now_ms()
    reply = await retried(api, made["id"])
    (sent,) = again(api)
    assert (reply.status, reply.json) == (202, {"delivery_id": row.delivery_id, "run": sent.run})
    assert began_ms <= sent.run <= api.parts.clock.now_ms()
    assert sent == Delivery(
        delivery_id=row.delivery_id,
        account_id=api.account_id,
        subscription_id=made["id"],
        event_id=row.event_id,
        event_type=row.event_type,
        body=BODY,
        config_offset=api.view.applied,
        created_at_ms=sent.run,
        source_at_ms=sent.run,
        run=sent.run,
        attempt=1,
        postponed=0,
        is_test=False,
        origin=None,
        job_id=None,
    )
    record = [each for each in api.log.records if each.topic == api.parts.topics.deliveries][-1]
    assert record.key == made["id"].encode()


async def test_it_is_in_the_audit(api: Api) -> None:
    made = await api.call.made()
    row = await kept_delivery(api, made["id"])
    await retried(api, made["id"])
    told = api.audited[-1]
    assert (told.operation, told.subject, told.account_id) == ("delivery.retry", row.delivery_id, api.account_id)
    assert told.actor == (await api.call("GET", "/account")).json["actor"]


async def test_its_run_is_larger_than_the_last_one_that_is_on_record_even_if_the_clock_was_set_back(api: Api) -> None:
    made = await api.call.made()
    ahead = api.parts.clock.now_ms() + 3_600_000
    await kept_delivery(api, made["id"], run=ahead)
    assert (await retried(api, made["id"])).json["run"] == ahead + 1


async def test_one_that_was_delivered_is_sent_again_as_well(api: Api) -> None:
    made = await api.call.made()
    await kept_delivery(api, made["id"], status="succeeded", state="succeeded", next_attempt_at_ms=None)
    assert (await retried(api, made["id"])).status == 202


async def test_the_webhook_may_be_named_by_its_uid(api: Api) -> None:
    made = await api.call.made(uid="mine")
    await kept_delivery(api, made["id"])
    assert (await retried(api, "mine")).status == 202
    assert again(api)[0].subscription_id == made["id"]


async def test_a_test_is_sent_again_also_while_its_webhook_is_paused_or_disabled(api: Api) -> None:
    made = await api.call.made()
    await kept_delivery(api, made["id"], is_test=True)
    await api.call("PUT", f"/webhooks/{made['id']}", {"status": "paused"})
    subscription = api.view.subscription(made["id"])
    assert subscription is not None
    await judge(api, disabling(subscription))
    assert (await retried(api, made["id"])).status == 202
    assert again(api)[0].is_test


# -- the answer is no -------------------------------------------------------------------------------------------------


async def refused(api: Api, reply: Any, status: int, name: str) -> str:
    """The sentence of the refusal; nothing was written to be sent, and nothing to the audit."""
    assert (reply.status, reply.json["type"]) == (status, f"urn:hookline:problem:{name}")
    assert again(api) == []
    assert [each.operation for each in api.audited if each.operation == "delivery.retry"] == []
    return str(reply.json["detail"])


async def test_a_delivery_of_another_webhook_is_unknown(api: Api) -> None:
    made, other = await api.call.made(), await api.call.made()
    await kept_delivery(api, other["id"])
    await refused(api, await retried(api, made["id"]), 404, "unknown-delivery")
    await refused(api, await retried(api, made["id"], "delivery_none"), 404, "unknown-delivery")
    await refused(api, await retried(api, "wh_none"), 404, "unknown-webhook")


async def test_nobody_sends_what_is_another_accounts(api: Api) -> None:
    made = await api.call.made()
    row = await kept_delivery(api, made["id"])
    reply = await api.stranger("POST", PATH.format(made["id"], row.delivery_id))
    await refused(api, reply, 404, "unknown-webhook")
    theirs = await api.stranger.made()
    reply = await api.stranger("POST", PATH.format(theirs["id"], row.delivery_id))
    await refused(api, reply, 404, "unknown-delivery")


async def test_a_body_that_is_no_longer_kept_cannot_be_sent(api: Api) -> None:
    made = await api.call.made()
    row = await kept_delivery(api, made["id"])
    kept(api).forgotten.add(row.origin.offset)
    said = await refused(api, await retried(api, made["id"]), 410, "body-no-longer-kept")
    assert "Nothing was sent" in said


async def test_what_lies_at_its_place_by_now_is_not_sent_if_it_is_anothers(api: Api) -> None:
    made = await api.call.made()
    row = await kept_delivery(api, made["id"])
    await kept_delivery(api, made["id"], delivery_id="delivery_other")
    api.history.delivery_rows = [replace(row, origin=replace(row.origin, offset=row.origin.offset + 1))]
    await refused(api, await retried(api, made["id"]), 410, "body-no-longer-kept")


async def test_a_paused_webhook_is_to_be_set_active_first(api: Api) -> None:
    made = await api.call.made()
    await kept_delivery(api, made["id"])
    await api.call("PUT", f"/webhooks/{made['id']}", {"status": "paused"})
    said = await refused(api, await retried(api, made["id"]), 409, "webhook-not-active")
    assert "paused" in said
    assert '{"status": "active"}' in said


async def test_a_disabled_webhook_is_to_be_enabled_first(api: Api) -> None:
    made = await api.call.made()
    await kept_delivery(api, made["id"])
    subscription = api.view.subscription(made["id"])
    assert subscription is not None
    await judge(api, disabling(subscription))
    said = await refused(api, await retried(api, made["id"]), 409, "webhook-not-active")
    assert "disabled" in said
    assert "/enable" in said


async def test_a_store_or_a_log_that_is_away_is_no_bug(api: Api) -> None:
    made = await api.call.made()
    await kept_delivery(api, made["id"])
    kept(api).error = NotYet("the broker is away")
    assert "Nothing was sent" in await refused(api, await retried(api, made["id"]), 503, "unavailable")
    api.history.error = NotYet("the store is busy")
    await refused(api, await retried(api, made["id"]), 503, "unavailable")


@pytest.mark.parametrize("state", [{"is_down": True}, {"is_silent": True}])
async def test_a_write_that_kafka_does_not_confirm_says_that_its_fate_is_unknown(state: Mapping[str, bool]) -> None:
    async with running_api(answer_s=0.2) as api:
        made = await api.call.made()
        await kept_delivery(api, made["id"])
        for name, value in state.items():
            setattr(api.log, name, value)
        reply = await retried(api, made["id"])
        assert (reply.status, "not known" in reply.json["detail"]) == (503, True)
        assert int(reply.headers["Retry-After"]) >= 1


@dataclass(frozen=True, slots=True)
class KeptSlowly:
    """A `Kept` that answers only after something else has happened."""

    kept: KeptInMemory
    meanwhile: Callable[[], Awaitable[object]]

    async def delivery(self, place: Place, *, account_id: str, delivery_id: str) -> KeptDelivery | None:
        found = await self.kept.delivery(place, account_id=account_id, delivery_id=delivery_id)
        await self.meanwhile()
        return found


async def test_a_webhook_that_is_paused_while_kafka_is_asked_gets_nothing(api: Api) -> None:
    made = await api.call.made()
    row = await kept_delivery(api, made["id"])
    slowly = KeptSlowly(kept(api), lambda: api.call("PUT", f"/webhooks/{made['id']}", {"status": "paused"}))
    async with beside(api, kept=slowly) as other:
        reply = await other.call("POST", PATH.format(made["id"], row.delivery_id))
    await refused(api, reply, 409, "webhook-not-active")


async def test_a_uid_that_moves_while_kafka_is_asked_sends_nothing_to_its_new_owner(api: Api) -> None:
    made, other_made = await api.call.made(uid="mine"), await api.call.made()
    row = await kept_delivery(api, made["id"])

    async def moved() -> None:
        await api.call("PATCH", f"/webhooks/{made['id']}", {"uid": None})
        assert (await api.call("PATCH", f"/webhooks/{other_made['id']}", {"uid": "mine"})).status == 200

    async with beside(api, kept=KeptSlowly(kept(api), moved)) as other:
        reply = await other.call("POST", PATH.format("mine", row.delivery_id))
    await refused(api, reply, 404, "unknown-delivery")


async def test_a_key_that_is_revoked_while_kafka_is_asked_sends_nothing(api: Api) -> None:
    made = await api.call.made()
    row = await kept_delivery(api, made["id"])
    path = f"/accounts/{api.account_id}/keys"
    key = (await api.admin("POST", path, {"name": "k"})).json
    slowly = KeptSlowly(kept(api), lambda: api.admin("DELETE", f"{path}/{key['id']}"))
    async with beside(api, kept=slowly) as other:
        reply = await other.call.with_key(key["key"])("POST", PATH.format(made["id"], row.delivery_id))
    await refused(api, reply, 401, "unauthorized")


async def test_rows_of_other_deliveries_are_no_matter(api: Api) -> None:
    made = await api.call.made()
    api.history.delivery_rows = [SUCCEEDED]
    row = await kept_delivery(api, made["id"])
    assert (await retried(api, made["id"])).json["delivery_id"] == row.delivery_id
    assert (await retried(api, made["id"], SUCCEEDED.delivery_id)).status == 404
