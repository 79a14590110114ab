"""Public keys of Ed25519 signatures: for everybody, of accounts that sign so, and the ones that really sign."""

import asyncio
import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from fakes.api import Api, running_api
from hookline.core.asymmetric import signing_key
from hookline.runtime.settings import MasterKey

NEW, OLD = MasterKey("a2", bytes(range(1, 33))), MasterKey("a1", bytes(range(32)))


async def signs(api: Api, account_id: str, *, on: bool = True) -> None:
    assert (await api.admin("PATCH", f"/accounts/{account_id}", {"signs_ed25519": on})).status == 200


async def keys(api: Api) -> list[dict[str, str]]:
    reply = await api.call.with_key("")("GET", "/.well-known/jwks.json")
    assert reply.status == 200, reply.text
    found: list[dict[str, str]] = reply.json["keys"]
    return found


def public_key(jwk: dict[str, str]) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(jwk["x"] + "="))


async def test_each_account_that_signs_has_a_key_of_each_asymmetric_key() -> None:
    async with running_api(asymmetric_keys=(NEW, OLD)) as api:
        assert await keys(api) == []
        await signs(api, api.account_id)
        found = await keys(api)
        assert [set(each) for each in found] == [{"kty", "crv", "x", "alg", "use", "kid"}] * 2
        for jwk, master in zip(found, (NEW, OLD), strict=True):
            public_key(jwk).verify(signing_key(master, api.account_id).sign(b"content"), b"content")
        await signs(api, api.foreign_id)
        assert len({each["kid"] for each in await keys(api)}) == 4
        await signs(api, api.account_id, on=False)
        assert not {each["kid"] for each in found} & {each["kid"] for each in await keys(api)}


async def test_whoever_asks_while_it_is_made_gets_the_same() -> None:
    async with running_api(asymmetric_keys=(NEW, OLD)) as api:
        await signs(api, api.account_id)
        first, *others = await asyncio.gather(*(keys(api) for _ in range(20)))
        assert (len(first), others) == (2, [first] * 19)


async def test_the_key_set_tells_nothing_of_accounts() -> None:
    async with running_api(asymmetric_keys=(NEW,)) as api:
        await signs(api, api.account_id)
        text = str(await keys(api))
        assert [each for each in (api.account_id, "Acme", "a2") if each in text] == []


async def test_who_reads_the_secret_is_told_which_key_is_theirs() -> None:
    async with running_api(asymmetric_keys=(NEW, OLD)) as api:
        await signs(api, api.account_id)
        made, foreign = await api.call.made(secret="given"), await api.stranger.made(secret="given")
        shown = (await api.call("GET", f"/webhooks/{made['id']}/secret")).json
        (newest, _) = await keys(api)
        assert shown["public_key_id"] == newest["kid"]
        assert base64.b64decode(shown["public_key"].removeprefix("whpk_")) == public_key(newest).public_bytes_raw()
        assert (await api.stranger("GET", f"/webhooks/{foreign['id']}/secret")).json == {"secret": "given"}


async def test_without_asymmetric_keys_there_is_none(api: Api) -> None:
    await signs(api, api.account_id)
    made = await api.call.made(secret="given")
    assert await keys(api) == []
    assert (await api.call("GET", f"/webhooks/{made['id']}/secret")).json == {"secret": "given"}


async def test_keys_that_are_not_known_yet_are_not_told_as_none(api: Api) -> None:
    api.view._ready.clear()
    reply = await api.call.with_key("")("GET", "/.well-known/jwks.json")
    assert (reply.status, reply.headers["Retry-After"]) == (503, "1")


@pytest.mark.parametrize("method", ["POST", "DELETE", "PUT"])
async def test_the_key_set_is_read_only(api: Api, method: str) -> None:
    assert (await api.admin(method, "/.well-known/jwks.json")).status == 405
