"""Signing secrets of webhooks: shown, changed with an overlap, and switched over: `/webhooks/{id}/secret`."""

from collections.abc import Callable

from aiohttp import web

from hookline.api.answers import answer, timestamp
from hookline.api.bodies import read_body
from hookline.api.configuration import Configuration
from hookline.api.edge import FACTS
from hookline.api.editions import check_edition, edition
from hookline.api.models import NewSecret, SecretRotated, SecretShown
from hookline.api.ports import Parts
from hookline.api.problems import rotation_under_way
from hookline.api.webhooks import advanced, subscription_of
from hookline.core.rotation import promoted, rotated, secrets_at
from hookline.core.sealing import seal, unseal
from hookline.schemas.records import SealedSecret, Subscription


class Secrets:
    """The handlers."""

    def __init__(self, parts: Parts, configuration: Configuration) -> None:
        self._parts = parts
        self._configuration = configuration

    async def read(self, request: web.Request) -> web.Response:
        """`GET /webhooks/{id}/secret`."""
        subscription = subscription_of(request, self._parts.view)
        current, coming = secrets_at(subscription, self._parts.clock.now_ms())
        shown: dict[str, str] = {"secret": self._opened(subscription, current)}
        if coming is not None and subscription.next_secret_from_ms is not None:
            shown |= {
                "next_secret": self._opened(subscription, coming),
                "next_secret_from": timestamp(subscription.next_secret_from_ms),
            }
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
            sealed = self._sealed(current, secret)
            return rotated(current, sealed, now_ms=now_ms, overlap_ms=wanted.overlap_s * 1_000)

        changed = await self._changed(request, change)
        shown: dict[str, str] = {} if wanted.secret else {"secret": secret}
        if changed.next_secret_from_ms is not None:
            shown["next_secret_from"] = timestamp(changed.next_secret_from_ms)
        return answer(SecretRotated(**shown), headers={"ETag": self._edition(changed)})

    async def promote(self, request: web.Request) -> web.Response:
        """`POST /webhooks/{id}/secret/promote`: the overlap ends now."""
        changed = await self._changed(request, promoted)
        return web.Response(status=204, headers={"ETag": self._edition(changed)})

    async def _changed(self, request: web.Request, change: Callable[[Subscription], Subscription]) -> Subscription:
        subscription_of(request, self._parts.view)
        async with self._configuration.alone(request.match_info["id"]):
            current = subscription_of(request, self._parts.view)
            request[FACTS]["subscription_id"] = current.subscription_id
            check_edition(request.headers.getall("If-Match", []), self._edition(current))
            changed = change(current)
            if changed is not current:
                changed = advanced(changed, now_ms=self._parts.clock.now_ms())
                await self._configuration.put(changed)
        return changed

    def _edition(self, subscription: Subscription) -> str:
        return edition(subscription, self._parts.view.disabling(subscription.subscription_id))

    def _sealed(self, subscription: Subscription, secret: str) -> SealedSecret:
        return seal(
            secret,
            key=self._parts.settings.master_keys[0],
            nonce=self._parts.draw.sealing_nonce(),
            account_id=subscription.account_id,
            subscription_id=subscription.subscription_id,
        )

    def _opened(self, subscription: Subscription, sealed: SealedSecret) -> str:
        return unseal(
            sealed,
            keys=self._parts.settings.master_keys,
            account_id=subscription.account_id,
            subscription_id=subscription.subscription_id,
        )
