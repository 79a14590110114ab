"""Signing secrets of webhooks: shown, changed with an overlap, and switched over: `/webhooks/{id}/secret`."""

from aiohttp import web

from hookline.api.answers import answer, timestamp
from hookline.api.bodies import read_body
from hookline.api.drafts import advanced
from hookline.api.ports import Parts
from hookline.api.problems import rotation_under_way
from hookline.api.requests import NewSecret, without_nulls
from hookline.api.responses import SecretRotated, SecretShown
from hookline.api.vault import Vault
from hookline.api.webhooks import Webhooks, subscription_of
from hookline.core.asymmetric import jwk, public_key_text, signing_key
from hookline.core.rotation import promoted, rotated, secrets_at
from hookline.core.sealing import Purpose
from hookline.schemas.records import Subscription


class Secrets:
    """The handlers."""

    def __init__(self, parts: Parts, webhooks: Webhooks, vault: Vault) -> None:
        self._parts = parts
        self._webhooks = webhooks
        self._vault = vault

    async def read(self, request: web.Request) -> web.Response:
        """`GET /webhooks/{id}/secret`."""
        subscription = subscription_of(request, self._parts.view)
        current, coming = secrets_at(subscription, self._parts.clock.now_ms())
        shown: dict[str, str] = {"secret": self._vault.opened(current, Purpose.SECRET, subscription)}
        if coming is not None and subscription.next_secret_from_ms is not None:
            shown |= {
                "next_secret": self._vault.opened(coming, Purpose.SECRET, subscription),
                "next_secret_from": timestamp(subscription.next_secret_from_ms),
            }
        shown |= self._public_key(subscription)
        return answer(SecretShown(**shown))

    async def rotate(self, request: web.Request) -> web.Response:
        """`POST /webhooks/{id}/secret/rotate`: a new secret, and for a time both sign."""
        subscription_of(request, self._parts.view)
        wanted = await read_body(request, NewSecret) if request.can_read_body else NewSecret()
        secret = wanted.secret or self._parts.draw.signing_secret()

        def change(current: Subscription) -> Subscription:
            now_ms = self._parts.clock.now_ms()
            if secrets_at(current, now_ms).coming is not None:
                raise rotation_under_way()
            whose = {"account_id": current.account_id, "subscription_id": current.subscription_id}
            sealed = self._vault.sealed(secret, Purpose.SECRET, **whose)
            changed = rotated(current, sealed, now_ms=now_ms, overlap_ms=wanted.overlap_s * 1_000)
            return advanced(changed, now_ms=now_ms)

        changed = await self._webhooks.changed(request, "secret.rotate", change)
        from_ms = changed.next_secret_from_ms
        shown = {
            "secret": None if wanted.secret else secret,
            "next_secret_from": None if from_ms is None else timestamp(from_ms),
        }
        return answer(SecretRotated(**without_nulls(shown)), headers={"ETag": self._webhooks.edition(changed)})

    async def promote(self, request: web.Request) -> web.Response:
        """`POST /webhooks/{id}/secret/promote`: the overlap ends now."""

        def change(current: Subscription) -> Subscription:
            changed = promoted(current)
            return current if changed is current else advanced(changed, now_ms=self._parts.clock.now_ms())

        changed = await self._webhooks.changed(request, "secret.promote", change)
        return web.Response(status=204, headers={"ETag": self._webhooks.edition(changed)})

    def _public_key(self, subscription: Subscription) -> dict[str, str]:
        """What the receiver checks `v1a` with; nothing if the account has no such signatures."""
        account, keys = self._parts.view.account(subscription.account_id), self._parts.settings.asymmetric_keys
        if account is None or not account.signs_ed25519 or not keys:
            return {}
        key = signing_key(keys[0], subscription.account_id)
        return {"public_key": public_key_text(key), "public_key_id": jwk(key)["kid"]}
