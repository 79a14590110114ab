"""Making, reading, changing, enabling and deleting webhooks: `/webhooks` and `/webhooks/{id}`."""

import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple, TypeVar

from aiohttp import web

from hookline.api.answers import Standing, answer, webhook, webhook_list
from hookline.api.auth import CALLER, Caller, account_or_defaults
from hookline.api.bodies import read_body, read_query
from hookline.api.configuration import Configuration, Deed
from hookline.api.drafts import Order, changed_subscription, enabled_subscription, full_url, new_subscription
from hookline.api.edge import FACTS
from hookline.api.editions import check_edition, edition
from hookline.api.listing import is_listed, page_of, paged, place_of
from hookline.api.ports import Directory, Parts
from hookline.api.problems import (
    FieldError,
    invalid,
    newer_record,
    no_webhook,
    not_agreed,
    other_request,
    taken_uid,
    too_many_questions,
    too_many_webhooks,
)
from hookline.api.recovery_answers import catch_up
from hookline.api.requests import NewWebhook, Rules, WebhookChange, WebhookQuery
from hookline.api.responses import Webhook
from hookline.api.vault import Vault, digest_of
from hookline.core.catch_up import missed_since_ms
from hookline.core.ids import idempotent_subscription_id
from hookline.core.judgements import counts
from hookline.core.rotation import secrets_at
from hookline.core.sealing import Purpose
from hookline.runtime.changes import Decision
from hookline.runtime.settings import Settings
from hookline.schemas.catalogue import Catalogue
from hookline.schemas.records import Disabling, Subscription

IDEMPOTENCY_HEADER = "Idempotency-Key"
_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_NO_IDEMPOTENCY_KEY = "must be 1 to 255 printable ASCII characters without spaces"
_ASKED_MAX = 10  # endpoints of one account at a time: one that hangs holds two connections for 10 s

_T = TypeVar("_T")


class _UnaskedError(Exception):
    """What is to be decided needs the consent of the endpoint at this URL, and nobody has asked for it yet."""

    def __init__(self, url: str) -> None:
        super().__init__("an endpoint was not asked yet")
        self.url = url


class _Changed(NamedTuple):
    """A webhook after its change, and what dispatchers judged of it before."""

    after: Subscription
    judged: Standing


class Webhooks:
    """The handlers. A webhook of another account is as unknown as one that never was."""

    def __init__(self, parts: Parts, configuration: Configuration, vault: Vault) -> None:
        self._view = parts.view
        self._settings = parts.settings
        self._clock = parts.clock
        self._draw = parts.draw
        self._endpoints = parts.endpoints
        self._configuration = configuration
        self._vault = vault
        self._rules = rules(parts.catalogue, parts.settings)
        self._being_asked: Counter[str] = Counter()

    async def create(self, request: web.Request) -> web.Response:
        """`POST /webhooks`."""
        account_id = request[CALLER].account_id
        wanted = await read_body(request, NewWebhook, context=self._rules)
        key = _idempotency_key(request)
        order = Order(
            account_id=account_id,
            subscription_id=idempotent_subscription_id(account_id, key) if key else self._draw.subscription_id(),
            secret=wanted.secret or self._draw.signing_secret(),
            digest=digest_of(wanted) if key else None,
            now_ms=self._clock.now_ms(),
        )
        agreed = set[str]()
        decide = self._creation(request, wanted, order, agreed)
        made = await self._asking(account_id, agreed, lambda: self._configuration.change(request, decide))
        request[FACTS]["subscription_id"] = made.subscription_id
        secret = None if wanted.secret else self._secret(made)
        shown = webhook(made, self._standing(made), secret=secret)
        headers = {"Location": f"/webhooks/{made.subscription_id}", "ETag": self.edition(made)}
        return answer(shown, status=201, headers=headers)

    def _creation(
        self, request: web.Request, wanted: NewWebhook, order: Order, agreed: set[str]
    ) -> Callable[[Caller], Decision[Subscription]]:
        made = new_subscription(wanted, order, self._vault)

        def decide(caller: Caller) -> Decision[Subscription]:
            if self._view.cannot_read(order.subscription_id):
                raise newer_record()
            there = self._view.subscription(order.subscription_id)
            if there is not None:
                return Decision(self._made_before(there, order))
            self._check_room(order.account_id, made)
            self._check_ownership(order.account_id, wanted.url, agreed)
            deed = self.deed("webhook.create", None, made)
            return Decision(
                made, (self._configuration.subscription(made), self._configuration.audit(request, caller, deed))
            )

        return decide

    async def listing(self, request: web.Request) -> web.Response:
        """`GET /webhooks`."""
        asked = read_query(request, WebhookQuery, context=self._rules)
        page = page_of("webhooks", asked)
        all_of_them = self._view.subscriptions_of(request[CALLER].account_id)
        listed = [(each, self._view.disabling(each.subscription_id)) for each in all_of_them]
        found = [each for each in listed if is_listed(each, asked)]
        shown, cursor = paged(found, page, place_of)
        return answer(webhook_list(shown, total=len(found), next_cursor=cursor))

    async def read(self, request: web.Request) -> web.Response:
        """`GET /webhooks/{id}`."""
        return self._answer(subscription_of(request, self._view))

    async def change(self, request: web.Request) -> web.Response:
        """`PATCH` and `PUT /webhooks/{id}`: both change what is given and keep the rest, as the contract's PUT does."""
        before = subscription_of(request, self._view)  # 404 before anything is said of the body
        wanted = await read_body(request, WebhookChange, context=self._rules)
        agreed = set[str]()

        def change(current: Subscription) -> Subscription:
            self._check_uid(current, wanted)
            self._check_ownership(current.account_id, full_url(current, wanted, self._vault), agreed)
            return changed_subscription(
                current, wanted, self._vault, disabling=self._disabling(current), now_ms=self._clock.now_ms()
            )

        changing = self._asking(before.account_id, agreed, lambda: self._change(request, "webhook.change", change))
        return self._answer_changed(await changing)

    async def enable(self, request: web.Request) -> web.Response:
        """`POST /webhooks/{id}/enable`."""

        def change(current: Subscription) -> Subscription:
            disabling = self._disabling(current)
            return (
                current if disabling is None else enabled_subscription(current, disabling, now_ms=self._clock.now_ms())
            )

        return self._answer_changed(await self._change(request, "webhook.enable", change))

    async def delete(self, request: web.Request) -> web.Response:
        """`DELETE /webhooks/{id}`."""
        subscription_of(request, self._view)

        def decide(caller: Caller) -> Decision[None]:
            gone = self.current(request, caller)
            deed = self.deed("webhook.delete", gone, None)
            audit = self._configuration.audit(request, caller, deed)
            return Decision(None, (*self._configuration.no_subscription(gone.subscription_id), audit))

        await self._configuration.change(request, decide)
        return web.Response(status=204)

    async def changed(
        self, request: web.Request, operation: str, change: Callable[[Subscription], Subscription]
    ) -> Subscription:
        """The webhook that the path names, changed and confirmed, with its audit entry; nothing is written if it stays the same."""
        return (await self._change(request, operation, change)).after

    async def _change(
        self, request: web.Request, operation: str, change: Callable[[Subscription], Subscription]
    ) -> _Changed:
        subscription_of(request, self._view)  # who may not change it does not wait for those who may

        def decide(caller: Caller) -> Decision[_Changed]:
            current = self.current(request, caller)
            changed = _Changed(change(current), self._standing(current))
            if changed.after is current:
                return Decision(changed)
            audit = self._configuration.audit(request, caller, self.deed(operation, current, changed.after))
            return Decision(changed, (self._configuration.subscription(changed.after), audit))

        return await self._configuration.change(request, decide)

    def edition(self, subscription: Subscription) -> str:
        """Its ETag."""
        return edition(subscription, self._view.disabling(subscription.subscription_id))

    def current(self, request: web.Request, caller: Caller) -> Subscription:
        """The webhook that the path names, to be changed; Refused if it is not the edition that the request names."""
        current = own_subscription(request, self._view, caller)
        if self._view.cannot_read(current.subscription_id):
            raise newer_record()
        check_edition(request.headers.getall("If-Match", []), self.edition(current))
        return current

    def deed(self, operation: str, before: Subscription | None, after: Subscription | None) -> Deed:
        """What the audit says of a change of it."""
        of = before or after
        if of is None:
            raise AssertionError("a deed of nothing")
        return Deed(
            operation=operation,
            subject=of.subscription_id,
            account_id=of.account_id,
            before=None if before is None else self._shown(before).model_dump(exclude_unset=True),
            after=None if after is None else self._shown(after).model_dump(exclude_unset=True),
        )

    def _made_before(self, there: Subscription, order: Order) -> Subscription:
        """What the same request made before; Refused if it was another request."""
        if order.digest is None or not self._vault.was_asked(there, order.digest):
            raise other_request()
        return there

    def _check_room(self, account_id: str, made: Subscription) -> None:
        account = account_or_defaults(self._view.account(account_id), account_id)
        own_max = account.subscriptions_max
        most = self._settings.subscriptions_max if own_max is None else own_max
        if len(self._view.subscriptions_of(account_id)) >= most:
            raise too_many_webhooks(most)
        if made.uid is not None and self._view.subscription_by_uid(account_id, made.uid) is not None:
            raise taken_uid()

    def _check_uid(self, current: Subscription, wanted: WebhookChange) -> None:
        if wanted.uid is None:
            return
        owner = self._view.subscription_by_uid(current.account_id, wanted.uid)
        if owner is not None and owner.subscription_id != current.subscription_id:
            raise taken_uid()

    def _check_ownership(self, account_id: str, url: str | None, agreed: set[str]) -> None:
        """For each decision anew: what was to be found before it may be gone, and the account may want another thing now."""
        account = self._view.account(account_id)
        if url is not None and url not in agreed and account is not None and account.checks_ownership:
            raise _UnaskedError(url)

    async def _asking(self, account_id: str, agreed: set[str], change: Callable[[], Awaitable[_T]]) -> _T:
        """Make the change; while its decision needs an endpoint's consent, ask for it and have it decided again."""
        while True:
            try:
                return await change()
            except _UnaskedError as unasked:
                with self._place(account_id):
                    objection = await self._endpoints.objection(unasked.url)
                if objection is not None:
                    raise not_agreed(objection) from None
                agreed.add(unasked.url)

    @contextmanager
    def _place(self, account_id: str) -> Iterator[None]:
        """Refused with 429 if too many endpoints of the account are being asked."""
        if self._being_asked[account_id] >= _ASKED_MAX:
            raise too_many_questions(_ASKED_MAX)
        self._being_asked[account_id] += 1
        try:
            yield
        finally:
            self._being_asked[account_id] -= 1
            if not self._being_asked[account_id]:
                del self._being_asked[account_id]

    def _secret(self, subscription: Subscription) -> str:
        current = secrets_at(subscription, self._clock.now_ms()).current
        return self._vault.opened(current, Purpose.SECRET, subscription)

    def _disabling(self, subscription: Subscription) -> Disabling | None:
        return self._view.disabling(subscription.subscription_id)

    def _answer(self, subscription: Subscription) -> web.Response:
        return answer(self._shown(subscription), headers={"ETag": self.edition(subscription)})

    def _answer_changed(self, changed: _Changed) -> web.Response:
        """The webhook; one that is enabled with what it has missed, and how to have it sent."""
        after = changed.after
        since_ms = missed_since_ms(changed.judged.disabling, changed.judged.health, after)
        if since_ms is None:
            return self._answer(after)
        missed = catch_up(after.subscription_id, since_ms=since_ms, now_ms=self._clock.now_ms())
        shown = {**self._shown(after).model_dump(exclude_unset=True), "catch_up": missed}
        return answer(Webhook(**shown), headers={"ETag": self.edition(after)})

    def _shown(self, subscription: Subscription) -> Webhook:
        return webhook(subscription, self._standing(subscription))

    def _standing(self, subscription: Subscription) -> Standing:
        """Of this version of it, which may be one that is not written yet."""
        health = self._view.health(subscription.subscription_id)
        disabling = self._view.disabling(subscription.subscription_id)
        return Standing(
            health=health if health is not None and counts(health, subscription) else None,
            disabling=disabling if disabling is not None and counts(disabling, subscription) else None,
            disable_after_s=self._settings.disable_after_s,
        )


def rules(catalogue: Catalogue, settings: Settings) -> Rules:
    """What the checks of request bodies must know of this installation."""
    return Rules(event_types=tuple(catalogue.event_types), reach=settings.reach())


def subscription_of(request: web.Request, view: Directory) -> Subscription:
    """The subscription that the path names, by its id or its uid, if it is the caller's; else Refused with 404."""
    return own_subscription(request, view, request[CALLER])


def own_subscription(request: web.Request, view: Directory, caller: Caller) -> Subscription:
    """The same for a caller who was looked at again."""
    named = request.match_info["id"]
    found = view.subscription(named) or view.subscription_by_uid(caller.account_id, named)
    if found is None or found.account_id != caller.account_id:
        raise no_webhook()
    request[FACTS]["subscription_id"] = found.subscription_id
    return found


def _idempotency_key(request: web.Request) -> str | None:
    given = request.headers.getall(IDEMPOTENCY_HEADER, [])
    if not given:
        return None
    if len(given) > 1 or _IDEMPOTENCY_KEY.fullmatch(given[0]) is None:
        raise invalid([FieldError(IDEMPOTENCY_HEADER, _NO_IDEMPOTENCY_KEY)], what="request")
    return given[0]
