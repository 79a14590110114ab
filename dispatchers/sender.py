"""One signed POST, and what came of it. Whatever an endpoint does is a value here, never an exception."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import aiohttp
from yarl import URL

from hookline.core.retry_after import retry_after_ms
from hookline.core.sealing import unseal
from hookline.core.signing import Signer, headers_of_two
from hookline.core.verdict import Answer, NoAnswer, Reply, Trouble
from hookline.dispatchers.session import time_limits
from hookline.dispatchers.troubles import trouble_of
from hookline.runtime.clock import Clock
from hookline.runtime.settings import MasterKey
from hookline.schemas.errors import ConfigError, ContractError
from hookline.schemas.records import Delivery, SealedSecret, Subscription

_log = logging.getLogger("hookline.dispatcher")
_BODY_KEPT_BYTES = 4 * 1024
_PREPARED_MAX = 10_000  # subscriptions whose keys are kept worked out
_MAY_ASK_FOR_TIME = frozenset({429, 503})


@dataclass(frozen=True, slots=True)
class Sent:
    """One request and its end. `started_at_ms` is the wall clock's; `duration_ms` goes to the end of the answer."""

    reply: Reply
    started_at_ms: int
    duration_ms: int


@dataclass(frozen=True, slots=True)
class _Prepared:
    subscription: Subscription  # this very one: two changes of unknown fate may bear the same version
    url: URL
    signer: Signer
    coming: Signer | None
    limits: aiohttp.ClientTimeout

    def headers(self, delivery: Delivery, started_at_ms: int) -> dict[str, str]:
        """The signature headers of a request that starts now; of two while its secret is being changed."""
        timestamp_s, from_ms = started_at_ms // 1_000, self.subscription.next_secret_from_ms
        if self.coming is None or from_ms is None:
            return self.signer.headers(delivery_id=delivery.delivery_id, timestamp_s=timestamp_s, body=delivery.body)
        if started_at_ms >= from_ms:
            return self.coming.headers(delivery_id=delivery.delivery_id, timestamp_s=timestamp_s, body=delivery.body)
        return headers_of_two(
            self.signer, self.coming, delivery_id=delivery.delivery_id, timestamp_s=timestamp_s, body=delivery.body
        )


class Sender:
    """Signs and sends. Keeps each subscription's URL and keys worked out until it changes."""

    def __init__(self, *, session: aiohttp.ClientSession, master_keys: Sequence[MasterKey], clock: Clock) -> None:
        self._session = session
        self._keys = tuple(master_keys)
        self._clock = clock
        self._prepared: dict[str, _Prepared] = {}

    async def send(self, delivery: Delivery, subscription: Subscription) -> Sent:
        """Make one attempt. Takes at most the subscription's `timeout_s`, or else the session's."""
        started_at_ms, started_s = self._clock.now_ms(), self._clock.monotonic_s()
        reply = await self._reply(delivery, subscription, started_at_ms)
        duration_ms = round((self._clock.monotonic_s() - started_s) * 1_000)
        return Sent(reply, started_at_ms, duration_ms)

    async def _reply(self, delivery: Delivery, subscription: Subscription, started_at_ms: int) -> Reply:
        try:
            prepared = self._prepare(subscription)
        except ValueError:
            return NoAnswer(Trouble.ADDRESS)
        except (ConfigError, ContractError) as error:
            _log.error(
                "secret.unreadable", extra={"subscription_id": subscription.subscription_id, "error": str(error)}
            )
            return NoAnswer(Trouble.SECRET)
        headers = prepared.headers(delivery, started_at_ms)
        headers["X-Webhook-Event"] = delivery.event_type
        headers["X-Webhook-Attempt"] = str(delivery.attempt)
        try:
            return await self._post(prepared, delivery.body, headers)
        except Exception as error:  # noqa: BLE001 - neither an endpoint nor its URL must be able to end the dispatcher
            return NoAnswer(trouble_of(error, is_tls=prepared.url.scheme == "https"))

    async def _post(self, prepared: _Prepared, body: bytes, headers: Mapping[str, str]) -> Reply:
        async with self._session.post(
            prepared.url, data=body, headers=headers, allow_redirects=False, timeout=prepared.limits
        ) as response:
            asked = response.headers.get("Retry-After") if response.status in _MAY_ASK_FOR_TIME else None
            try:
                beginning = await _beginning(response)
            except TimeoutError:
                return NoAnswer(Trouble.TIMEOUT_BODY)
            wait_ms = None if asked is None else retry_after_ms(asked, now_ms=self._clock.now_ms())
            return Answer(response.status, beginning, wait_ms)

    def _prepare(self, subscription: Subscription) -> _Prepared:
        known = self._prepared.get(subscription.subscription_id)
        if known is not None and known.subscription is subscription:
            return known
        if len(self._prepared) >= _PREPARED_MAX:
            self._prepared.clear()
        coming = None if subscription.next_secret is None else self._signer(subscription, subscription.next_secret)
        limits = self._session.timeout if subscription.timeout_s is None else time_limits(subscription.timeout_s)
        signer = self._signer(subscription, subscription.secret)
        prepared = _Prepared(subscription, URL(subscription.url), signer, coming, limits)
        self._prepared[subscription.subscription_id] = prepared
        return prepared

    def _signer(self, subscription: Subscription, sealed: SealedSecret) -> Signer:
        secret = unseal(
            sealed,
            keys=self._keys,
            account_id=subscription.account_id,
            subscription_id=subscription.subscription_id,
        )
        return Signer(secret)


async def _beginning(response: aiohttp.ClientResponse) -> bytes:
    """The first 4 KiB of the answer. It is read to its end, so that the connection can be used again."""
    kept = bytearray()
    async for chunk in response.content.iter_any():
        kept += chunk[: _BODY_KEPT_BYTES - len(kept)]
    return bytes(kept)
