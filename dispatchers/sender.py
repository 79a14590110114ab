"""One signed POST, and what came of it. Whatever an endpoint does is a value here, never an exception."""

import logging
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import aiohttp
from yarl import URL

from hookline.core.sealing import unseal
from hookline.core.signing import Signer
from hookline.core.verdict import Answer, NoAnswer, Reply, Trouble
from hookline.dispatchers.session import AddressRefusedError
from hookline.runtime.clock import Clock
from hookline.runtime.settings import MasterKey
from hookline.schemas.errors import ConfigError, ContractError
from hookline.schemas.records import Delivery, Subscription

_log = logging.getLogger("hookline.dispatcher")
_BODY_KEPT_BYTES = 4 * 1024
_BODY_READ_BYTES = 64 * 1024  # a longer answer's connection is closed, which is cheaper than reading it to its end
_PREPARED_MAX = 10_000  # subscriptions whose keys are kept worked out
# The first row that fits counts: aiohttp's errors are each other's subclasses.
_TROUBLES: Sequence[tuple[type[Exception] | tuple[type[Exception], ...], Trouble]] = (
    (TimeoutError, Trouble.TIMEOUT),
    (aiohttp.ClientConnectorDNSError, Trouble.DNS),
    (aiohttp.InvalidURL, Trouble.ADDRESS),
    ((aiohttp.ClientSSLError, aiohttp.ServerFingerprintMismatch, ssl.SSLError), Trouble.TLS),
    (aiohttp.ClientConnectorError, Trouble.REFUSED),
    ((aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, ConnectionError), Trouble.RESET),
    (aiohttp.ClientError, Trouble.PROTOCOL),
)


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


class Sender:
    """Signs and sends. Keeps each subscription's URL and keys worked out until it changes."""

    def __init__(self, *, session: aiohttp.ClientSession, master_keys: Sequence[MasterKey], clock: Clock) -> None:
        self._session = session
        self._keys = tuple(master_keys)
        self._clock = clock
        self._prepared: dict[str, _Prepared] = {}

    async def send(self, delivery: Delivery, subscription: Subscription) -> Sent:
        """Make one attempt. Takes at most the session's total timeout."""
        started_at_ms, started_s = self._clock.now_ms(), self._clock.monotonic_s()
        reply = await self._reply(delivery, subscription, started_at_ms)
        duration_ms = round((self._clock.monotonic_s() - started_s) * 1_000)
        return Sent(reply, started_at_ms, duration_ms)

    async def _reply(self, delivery: Delivery, subscription: Subscription, started_at_ms: int) -> Reply:
        try:
            prepared = self._prepare(subscription)
            headers = _headers(delivery, prepared.signer, started_at_ms)
            return await self._post(prepared.url, delivery.body, headers)
        except (ConfigError, ContractError) as error:
            _log.error(
                "secret.unreadable", extra={"subscription_id": subscription.subscription_id, "error": str(error)}
            )
            return NoAnswer(Trouble.SECRET)
        except Exception as error:  # noqa: BLE001 - neither an endpoint nor its URL must be able to end the dispatcher
            return NoAnswer(_trouble(error))

    async def _post(self, url: URL, body: bytes, headers: Mapping[str, str]) -> Answer:
        async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as response:
            return Answer(response.status, await _beginning(response))

    def _prepare(self, subscription: Subscription) -> _Prepared:
        known = self._prepared.get(subscription.subscription_id)
        if known is not None and known.subscription is subscription:
            return known
        if len(self._prepared) >= _PREPARED_MAX:
            self._prepared.clear()
        secret = unseal(
            subscription.secret,
            keys=self._keys,
            account_id=subscription.account_id,
            subscription_id=subscription.subscription_id,
        )
        prepared = _Prepared(subscription, _url(subscription.url), Signer(secret))
        self._prepared[subscription.subscription_id] = prepared
        return prepared


def _url(text: str) -> URL:
    try:
        return URL(text)
    except ValueError as error:
        raise aiohttp.InvalidURL(text) from error


def _headers(delivery: Delivery, signer: Signer, started_at_ms: int) -> Mapping[str, str]:
    signed = signer.headers(delivery_id=delivery.delivery_id, timestamp_s=started_at_ms // 1_000, body=delivery.body)
    signed["X-Webhook-Event"] = delivery.event_type
    signed["X-Webhook-Attempt"] = str(delivery.attempt)
    return signed


async def _beginning(response: aiohttp.ClientResponse) -> bytes:
    """The first 4 KiB of the answer, read to its end if that is near, so that the connection can be used again."""
    kept, read = bytearray(), 0
    async for chunk in response.content.iter_any():
        read += len(chunk)
        if len(kept) < _BODY_KEPT_BYTES:
            kept += chunk[: _BODY_KEPT_BYTES - len(kept)]
        if read > _BODY_READ_BYTES:
            response.close()
            break
    return bytes(kept)


def _trouble(error: Exception) -> Trouble:
    if isinstance(error, aiohttp.ClientConnectorError) and isinstance(error.os_error, AddressRefusedError):
        return Trouble.ADDRESS
    for kinds, trouble in _TROUBLES:
        if isinstance(error, kinds):
            return trouble
    _log.error("endpoint.answer_misunderstood", extra={"error": type(error).__name__})
    return Trouble.PROTOCOL
