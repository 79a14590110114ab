"""One signed POST, and what came of it. Whatever an endpoint does is a value here, never an exception."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import aiohttp

from hookline.core.redaction import BEGINNING_BYTES_MAX, redacted
from hookline.core.retry_after import retry_after_ms
from hookline.core.shown_headers import shown_answers
from hookline.core.verdict import Answer, NoAnswer, Reply, Trouble
from hookline.dispatchers.prepared import Prepared, Preparer
from hookline.runtime.clock import Clock
from hookline.runtime.outbound_session import MayNotGoError, may_go
from hookline.runtime.outbound_troubles import trouble_of
from hookline.runtime.settings import MasterKey
from hookline.schemas.errors import ConfigError, ContractError
from hookline.schemas.records import Account, Delivery, Subscription

_log = logging.getLogger("hookline.dispatcher")
_MAY_ASK_FOR_TIME = frozenset({429, 503})


@dataclass(frozen=True, slots=True)
class Sent:
    """One request and its end. `started_at_ms` is the wall clock's; `duration_ms` goes to the end of the answer.

    Headers are as they are put on record; none where nothing could be prepared, or no answer came to its end.
    """

    reply: Reply
    started_at_ms: int
    duration_ms: int
    request_headers: tuple[str, ...] = ()
    response_headers: tuple[str, ...] = ()


class Sender:
    """Signs and sends. Keeps each subscription's URL, headers and keys worked out until it changes."""

    def __init__(
        self,
        *,
        session: aiohttp.ClientSession,
        master_keys: Sequence[MasterKey],
        asymmetric_keys: Sequence[MasterKey],
        origin: str,
        clock: Clock,
    ) -> None:
        self._session = session
        self._preparer = Preparer(
            master_keys=master_keys,
            asymmetric_keys=asymmetric_keys,
            origin=origin,
            limits=session.timeout,
            session_headers=session.headers,
        )
        self._clock = clock

    async def send(self, delivery: Delivery, subscription: Subscription, account: Account | None) -> Sent:
        """Make one attempt. Takes at most the subscription's `timeout_s`, or else the session's.

        `account`: the subscription's, if it is known; it says what its requests bear beside the usual. MayNotGoError: nothing was
        sent, for `may_go` forbade it.
        """
        started_at_ms, started_s = self._clock.now_ms(), self._clock.monotonic_s()
        prepared = self._prepared(subscription, account)
        if isinstance(prepared, NoAnswer):
            return Sent(prepared, started_at_ms, self._since_ms(started_s))
        shown = answered = tuple[str, ...]()
        try:
            headers = prepared.headers(delivery, started_at_ms)
            shown = prepared.shown(headers, delivery)
            reply, answered = await self._post(prepared, delivery.body, headers)
        except MayNotGoError:
            raise
        except Exception as error:
            trouble = trouble_of(error, is_tls=prepared.url.scheme == "https")
            if trouble is Trouble.TIMEOUT_CONNECTING and not may_go.get()():
                raise MayNotGoError from error  # our pause took its time, and no endpoint did
            reply = NoAnswer(trouble)
        return Sent(reply, started_at_ms, self._since_ms(started_s), shown, answered)

    def _since_ms(self, started_s: float) -> int:
        return round((self._clock.monotonic_s() - started_s) * 1_000)

    def _prepared(self, subscription: Subscription, account: Account | None) -> Prepared | NoAnswer:
        try:
            return self._preparer.prepared(subscription, account)
        except (ConfigError, ContractError) as error:
            _log.error(
                "secret.unreadable", extra={"subscription_id": subscription.subscription_id, "error": str(error)}
            )
            return NoAnswer(Trouble.SECRET)
        except ValueError:
            return NoAnswer(Trouble.ADDRESS)

    async def _post(self, prepared: Prepared, body: bytes, headers: Mapping[str, str]) -> tuple[Reply, tuple[str, ...]]:
        """The answer, and its headers as they are put on record."""
        async with self._session.post(
            prepared.url, data=body, headers=headers, allow_redirects=False, timeout=prepared.limits
        ) as response:
            asked = response.headers.get("Retry-After") if response.status in _MAY_ASK_FOR_TIME else None
            try:
                beginning = await _beginning(response)
            except TimeoutError:
                return NoAnswer(Trouble.TIMEOUT_BODY), ()
            wait_ms = None if asked is None else retry_after_ms(asked, now_ms=self._clock.now_ms())
            answer = Answer(response.status, redacted(beginning, prepared.secrets), wait_ms)
            return answer, shown_answers(response.raw_headers, prepared.secrets)


async def _beginning(response: aiohttp.ClientResponse) -> bytes:
    """The first 4 KiB of the answer. It is read to its end, so that the connection can be used again.

    Nothing is kept of one that came compressed, which we never ask for: no secret could be found in it.
    """
    kept = bytearray()
    async for chunk in response.content.iter_any():
        kept += chunk[: BEGINNING_BYTES_MAX - len(kept)]
    codings = {each.strip().lower() for each in response.headers.getall("Content-Encoding", [])}
    return b"" if codings - {"", "identity"} else bytes(kept)
