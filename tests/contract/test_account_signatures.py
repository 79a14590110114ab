"""Signatures that anybody can check who knows an account's public key, on real requests."""

import base64
import time
from dataclasses import replace
from random import Random

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks.webhooks import Webhook

from fakes.attempts import attempting
from fakes.configuration import ACCOUNT, SECRET, account, delivery, sealed_for, subscription, with_secrets
from fakes.dispatching import SETTINGS, dispatching, until
from fakes.endpoint import Request, endpoint
from hookline.core.asymmetric import public_key_text, signing_key
from hookline.core.rotation import rotated
from hookline.core.sealing import Purpose
from hookline.core.verdict import Answer
from hookline.runtime.clock import SystemClock
from hookline.runtime.receiver import Finding, Manner, Received, Receiver, receiving
from hookline.runtime.settings import MasterKey
from hookline.schemas.records import Account

NEWEST, OLDER = MasterKey("a2", b"n" * 32), MasterKey("a1", b"o" * 32)
KEYS = (NEWEST, OLDER)
OTHER_SECRET = "whsec_b3RoZXIgc2VjcmV0IG9mIG90aGVy"


def is_of(account_id: str, request: Request, *, master: MasterKey = NEWEST) -> bool:
    """Whether one of the request's v1a entries is of this account, as a receiver finds out."""
    public_key = base64.b64decode(public_key_text(signing_key(master, account_id)).removeprefix("whpk_"))
    content = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode() + request.body
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(base64.b64decode(entries(request)["v1a"]), content)
    except InvalidSignature:
        return False
    return True


def entries(request: Request) -> dict[str, str]:
    return dict(each.split(",") for each in request.headers["webhook-signature"].split(" "))


def versions(request: Request) -> list[str]:
    return [each.split(",")[0] for each in request.headers["webhook-signature"].split(" ")]


async def test_an_account_that_wants_it_has_its_requests_signed_by_its_newest_key_as_well() -> None:
    async with endpoint() as (url, seen), attempting(asymmetric_keys=KEYS) as attempt:
        await attempt.of(subscription(url), account=account(signs_ed25519=True))
    (request,) = seen
    assert versions(request) == ["v1", "v1a"]
    assert is_of(ACCOUNT, request)
    assert not is_of(ACCOUNT, request, master=OLDER)
    assert not is_of("acct_other", request)
    Webhook(SECRET).verify(request.body, dict(request.headers))


@pytest.mark.parametrize(
    ("owner", "keys"),
    [
        (account(signs_ed25519=False), KEYS),
        (account(signs_ed25519=True), ()),
        (None, KEYS),
    ],
)
async def test_nobody_elses_are(owner: Account | None, keys: tuple[MasterKey, ...]) -> None:
    async with endpoint() as (url, seen), attempting(asymmetric_keys=keys) as attempt:
        await attempt.of(subscription(url), account=owner)
    assert versions(seen[0]) == ["v1"]


async def test_while_a_secret_is_changed_both_sign_and_the_account_once() -> None:
    async with endpoint() as (url, seen), attempting(asymmetric_keys=KEYS) as attempt:
        goal = subscription(url)
        coming = sealed_for(goal, OTHER_SECRET, Purpose.SECRET)
        changing = rotated(goal, coming, now_ms=int(time.time() * 1_000), overlap_ms=86_400_000)
        await attempt.of(changing, account=account(signs_ed25519=True))
    (request,) = seen
    assert versions(request) == ["v1", "v1", "v1a"]
    assert is_of(ACCOUNT, request)
    for secret in (SECRET, OTHER_SECRET):
        Webhook(secret).verify(request.body, dict(request.headers))


async def test_a_changed_account_takes_effect_with_the_next_request() -> None:
    owner = account(signs_ed25519=False)
    async with endpoint() as (url, seen), dispatching(replace(SETTINGS, asymmetric_keys=KEYS)) as running:
        goal = subscription(url)
        running.configure(goal)
        for number, signs in enumerate((False, True, False, True), start=1):
            running.enroll(replace(owner, version=number, signs_ed25519=signs))
            running.deliver(delivery(goal))
            await until(lambda wanted=number: running.committed() == wanted)  # type: ignore[misc]  # of this round
    assert [versions(request) for request in seen] == [["v1"], ["v1", "v1a"], ["v1"], ["v1", "v1a"]]


async def test_our_own_receiver_accepts_such_requests() -> None:
    told = list[Received]()
    chance = Random(1)  # noqa: S311 - it decides which requests fail, and none does
    receiver = Receiver(secrets={"*": SECRET}, manner=Manner(), clock=SystemClock(), random=chance, say=told.append)
    async with (
        receiving(receiver, host="127.0.0.1", port=0) as url,
        attempting(asymmetric_keys=KEYS) as attempt,
    ):
        goal = with_secrets(subscription(url), headers={"X-A": "a"})
        sent = await attempt.of(goal, b'{"event":"user.created"}', account=account(signs_ed25519=True))
    assert isinstance(sent.reply, Answer)
    assert sent.reply.status == 200
    assert [each.finding for each in told] == [Finding.VERIFIED]
