"""A signing secret is changed while webhooks are on their way, and the receiver changes over when it likes: none fails to verify."""

import time
from dataclasses import dataclass, field, replace

from aiohttp import web
from standardwebhooks.webhooks import Webhook

from fakes.configuration import MASTER_KEY, delivery, subscription
from fakes.contract import verify_signature, verify_webhook_signature
from fakes.dispatching import dispatching, until
from fakes.endpoint import endpoint
from hookline.core.rotation import promoted, rotated
from hookline.core.sealing import seal
from hookline.core.signing import Authenticity, verify
from hookline.schemas.records import SealedSecret, Subscription

OLD, NEW = "whsec_b2xkIHNlY3JldCBvZiBvbGQ=", "whsec_bmV3IHNlY3JldCBvZiBuZXc="
EACH, DAY_MS = 250, 86_400_000


@dataclass(slots=True)
class Receiver:
    """Verifies each request with the one secret that it has, by both schemes."""

    secret: str = OLD
    verdicts: list[Authenticity] = field(default_factory=list)

    async def receive(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.verdicts.append(verify(secret=self.secret, headers=request.headers, body=body, now_s=time.time()))
        Webhook(self.secret).verify(
            body, dict(request.headers)
        )  # raises if it does not fit: a 500, and a second attempt
        return web.Response()


def sealed(secret: str, of: Subscription) -> SealedSecret:
    nonce, account_id, subscription_id = secret.encode()[-12:], of.account_id, of.subscription_id
    return seal(secret, key=MASTER_KEY, nonce=nonce, account_id=account_id, subscription_id=subscription_id)


async def test_no_webhook_fails_to_verify_while_a_secret_is_changed() -> None:
    receiver = Receiver()
    async with endpoint(receiver.receive) as (url, seen), dispatching() as running:
        first = subscription(url, secret=OLD)
        changing = rotated(first, sealed(NEW, first), now_ms=int(time.time() * 1_000), overlap_ms=DAY_MS)
        changing, changed = replace(changing, version=2), replace(promoted(changing), version=3)
        sent = 0
        for to, secret in ((first, OLD), (changing, OLD), (changing, NEW), (changed, NEW)):
            receiver.secret = secret
            running.configure(to)
            running.deliver(*(delivery(to) for _ in range(EACH)))
            sent += EACH
            await until(lambda wanted=sent: running.committed() == wanted)  # type: ignore[misc]  # the number of this round
    assert receiver.verdicts == [Authenticity.VERIFIED] * sent
    assert len(seen) == sent


async def test_the_contracts_own_handlers_on_the_old_secret_refuse_nothing_during_the_overlap() -> None:
    refused: list[str] = []

    async def receive(request: web.Request) -> web.Response:
        body, signature = await request.read(), request.headers["X-Webhook-Signature"]
        is_fine = verify_signature(body, signature, OLD) and verify_webhook_signature(body.decode(), signature, OLD)
        refused.extend([] if is_fine else [signature])
        return web.Response(status=200 if is_fine else 401)

    async with endpoint(receive) as (url, seen), dispatching() as running:
        first = subscription(url, secret=OLD)
        running.configure(first)
        running.deliver(*(delivery(first) for _ in range(EACH)))
        running.configure(rotated(first, sealed(NEW, first), now_ms=int(time.time() * 1_000), overlap_ms=DAY_MS))
        running.deliver(*(delivery(first) for _ in range(EACH)))
        await until(lambda: running.committed() == 2 * EACH)
    assert len(seen) > EACH
    assert refused == []


async def test_a_receiver_that_tries_both_secrets_refuses_nothing_at_all_whenever_the_change_comes() -> None:
    verdicts: list[bool] = []

    async def receive(request: web.Request) -> web.Response:
        body = await request.read()
        given = [verify(secret=each, headers=request.headers, body=body, now_s=time.time()) for each in (OLD, NEW)]
        verdicts.append(Authenticity.VERIFIED in given)
        return web.Response(status=200 if verdicts[-1] else 401)

    async with endpoint(receive) as (url, seen), dispatching() as running:
        first = subscription(url, secret=OLD)
        overlapping = rotated(first, sealed(NEW, first), now_ms=int(time.time() * 1_000), overlap_ms=DAY_MS)
        for version, to in enumerate((first, overlapping, promoted(overlapping), overlapping, first), start=1):
            running.configure(replace(to, version=version))  # what came before is still on its way
            running.deliver(*(delivery(first) for _ in range(EACH)))
        await until(lambda: running.committed() == 5 * EACH)
    # On a busy machine some may have been postponed, for which nobody waits here.
    assert len(seen) > EACH
    assert verdicts == [True] * len(seen)


async def test_at_the_end_of_the_overlap_the_new_secret_signs_alone_without_anybody_s_doing() -> None:
    receiver = Receiver(secret=NEW)
    async with endpoint(receiver.receive) as (url, seen), dispatching() as running:
        first = subscription(url, secret=OLD)
        running.configure(rotated(first, sealed(NEW, first), now_ms=0, overlap_ms=1))
        running.deliver(delivery(first))
        (request,) = await seen.wait_for(1)
    assert receiver.verdicts == [Authenticity.VERIFIED]
    assert "X-Webhook-Signature-Next" not in request.headers
    assert " " not in request.headers["webhook-signature"]
