"""Making, reading, changing, enabling and deleting webhooks: `/webhooks` and `/webhooks/{id}`."""

from dataclasses import replace
from typing import Any

from aiohttp import web

from hookline.api.answers import Standing, answer, timestamp, webhook, webhook_list
from hookline.api.auth import account_of
from hookline.api.bodies import read_body
from hookline.api.configuration import Configuration
from hookline.api.edge import FACTS
from hookline.api.editions import check_edition, edition
from hookline.api.listing import asked_of
from hookline.api.models import NewWebhook, Rules, WebhookChange
from hookline.api.ports import Directory, Parts
from hookline.api.problems import FieldError, invalid, no_webhook, too_many_webhooks
from hookline.core.sealing import seal
from hookline.runtime.settings import Settings
from hookline.schemas.catalogue import Catalogue
from hookline.schemas.records import Subscription, SubscriptionStatus

_NOT_DISABLED = "can be sent back only while the webhook is disabled, and it is not; send 'active' or 'paused'"


class Webhooks:
    """The handlers. A webhook of another account is as unknown as one that never was."""

    def __init__(self, parts: Parts, configuration: Configuration) -> None:
        self._view = parts.view
        self._settings = parts.settings
        self._clock = parts.clock
        self._draw = parts.draw
        self._configuration = configuration
        self._rules = rules(parts.catalogue, parts.settings)

    async def create(self, request: web.Request) -> web.Response:
        """`POST /webhooks`."""
        account_id = account_of(request, self._view)
        wanted = await read_body(request, NewWebhook, context=self._rules)
        secret = wanted.secret or self._draw.signing_secret()
        async with self._configuration.alone(account_id):
            if len(self._view.subscriptions_of(account_id)) >= self._settings.subscriptions_max:
                raise too_many_webhooks(self._settings.subscriptions_max)
            made = self._made(account_id, wanted, secret)
            request[FACTS]["subscription_id"] = made.subscription_id
            await self._configuration.put(made)
        shown = webhook(made, self._standing(made), secret=None if wanted.secret else secret)
        headers = {"Location": f"/webhooks/{made.subscription_id}", "ETag": self._edition(made)}
        return answer(shown, status=201, headers=headers)

    async def listing(self, request: web.Request) -> web.Response:
        """`GET /webhooks`."""
        account_id = account_of(request, self._view)
        asked = asked_of(request.query, self._rules.event_types)
        all_of_them = self._view.subscriptions_of(account_id)
        shown, total, cursor = asked.page([(each, self._view.disabling(each.subscription_id)) for each in all_of_them])
        return answer(webhook_list(shown, total=total, next_cursor=cursor))

    async def read(self, request: web.Request) -> web.Response:
        """`GET /webhooks/{id}`."""
        return self._shown(subscription_of(request, self._view))

    async def change(self, request: web.Request) -> web.Response:
        """`PATCH` and `PUT /webhooks/{id}`: both change what is given and keep the rest, as the contract's PUT does."""
        subscription_of(request, self._view)  # 404 before anything is said of the body
        wanted = await read_body(request, WebhookChange, context=self._rules)
        async with self._configuration.alone(request.match_info["id"]):
            current = subscription_of(request, self._view)
            self._check_edition(request, current)
            changed = self._changed(current, wanted)
            if changed is not current:
                await self._configuration.put(changed)
        return self._shown(changed)

    async def enable(self, request: web.Request) -> web.Response:
        """`POST /webhooks/{id}/enable`."""
        subscription_of(request, self._view)
        async with self._configuration.alone(request.match_info["id"]):
            shown = subscription_of(request, self._view)
            self._check_edition(request, shown)
            if self._is_disabled(shown):
                shown = self._enabled(shown)
                await self._configuration.put(shown)
        return self._shown(shown)

    async def delete(self, request: web.Request) -> web.Response:
        """`DELETE /webhooks/{id}`."""
        subscription_of(request, self._view)  # who may not delete it does not wait for those who may
        async with self._configuration.alone(request.match_info["id"]):
            gone = subscription_of(request, self._view)
            self._check_edition(request, gone)
            await self._configuration.remove(gone.subscription_id)
        return web.Response(status=204)

    def _made(self, account_id: str, wanted: NewWebhook, secret: str) -> Subscription:
        now_ms = self._clock.now_ms()
        subscription_id = self._draw.subscription_id()
        sealed = seal(
            secret,
            key=self._settings.master_keys[0],
            nonce=self._draw.sealing_nonce(),
            account_id=account_id,
            subscription_id=subscription_id,
        )
        return Subscription(
            subscription_id=subscription_id,
            account_id=account_id,
            version=1,
            url=wanted.url,
            events=tuple(wanted.events),
            description=wanted.description,
            status=SubscriptionStatus.ACTIVE,
            secret=sealed,
            created_at_ms=now_ms,
            updated_at_ms=now_ms,
            rate_limit=wanted.rate_limit,
            timeout_s=wanted.timeout_s,
        )

    def _changed(self, current: Subscription, wanted: WebhookChange) -> Subscription:
        """The subscription as wanted; the very same one if that changes nothing."""
        is_disabled, given = self._is_disabled(current), _given(wanted)
        _check_unchangeable(current, wanted)
        if wanted.status == "disabled" and not is_disabled:
            raise invalid([FieldError("status", _NOT_DISABLED)])
        was_off = is_disabled or current.status is SubscriptionStatus.PAUSED
        enables = was_off and given.get("status") is SubscriptionStatus.ACTIVE
        changed = replace(current, **given)
        if enables or changed.url != current.url:
            # What was judged before, or is being judged now, is of an endpoint that its owner has changed or mended; and the
            # time for which it was paused is none in which it failed.
            changed = replace(changed, judged_from=current.version + 1)
        return current if changed == current else self._next(changed)

    def _enabled(self, current: Subscription) -> Subscription:
        return self._next(replace(current, judged_from=current.version + 1))

    def _next(self, changed: Subscription) -> Subscription:
        return advanced(changed, now_ms=self._clock.now_ms())

    def _is_disabled(self, subscription: Subscription) -> bool:
        return self._view.disabling(subscription.subscription_id) is not None

    def _shown(self, subscription: Subscription) -> web.Response:
        shown = webhook(subscription, self._standing(subscription))
        return answer(shown, headers={"ETag": self._edition(subscription)})

    def _edition(self, subscription: Subscription) -> str:
        return edition(subscription, self._view.disabling(subscription.subscription_id))

    def _check_edition(self, request: web.Request, current: Subscription) -> None:
        check_edition(request.headers.getall("If-Match", []), self._edition(current))

    def _standing(self, subscription: Subscription) -> Standing:
        return Standing(
            health=self._view.health(subscription.subscription_id),
            disabling=self._view.disabling(subscription.subscription_id),
            disable_after_s=self._settings.disable_after_s,
        )


def rules(catalogue: Catalogue, settings: Settings) -> Rules:
    """What the checks of request bodies must know of this installation."""
    return Rules(event_types=tuple(catalogue.event_types), reach=settings.reach())


def advanced(changed: Subscription, *, now_ms: int) -> Subscription:
    """A changed subscription as its next version."""
    return replace(changed, version=changed.version + 1, updated_at_ms=now_ms)


def subscription_of(request: web.Request, view: Directory) -> Subscription:
    """The subscription that the path names, if it is the caller's; else Refused with 404."""
    account_id = account_of(request, view)
    found = view.subscription(request.match_info["id"])
    if found is None or found.account_id != account_id:
        raise no_webhook()
    request[FACTS]["subscription_id"] = found.subscription_id
    return found


def _given(wanted: WebhookChange) -> dict[str, Any]:
    values: dict[str, Any] = {
        "url": wanted.url,
        "events": tuple(wanted.events),
        "description": wanted.description,
        "rate_limit": wanted.rate_limit,
        "timeout_s": wanted.timeout_s,
    }
    if wanted.status != "disabled":  # sent back as it was read: it stays what it is
        values["status"] = SubscriptionStatus(wanted.status)
    return {name: value for name, value in values.items() if name in wanted.model_fields_set}


def _check_unchangeable(current: Subscription, wanted: WebhookChange) -> None:
    kept = {"id": current.subscription_id, "created_at": timestamp(current.created_at_ms)}
    sent = wanted.model_dump(include=wanted.model_fields_set & kept.keys())
    wrong = [name for name, value in sent.items() if value != kept[name]]
    if wrong:
        raise invalid([FieldError(name, "can't be changed; leave it out or send it as it is") for name in wrong])
