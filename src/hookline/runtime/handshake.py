"""Whether an endpoint agrees to be called: the handshake of CloudEvents' HTTP webhooks, section 4.

A customer can name any host. One that is not theirs does not answer our question with our name, so nobody can have us send
to somebody who never asked for it. https://github.com/cloudevents/spec/blob/main/cloudevents/http-webhook.md
"""

import logging
from dataclasses import dataclass
from enum import StrEnum

import aiohttp
from yarl import URL

from hookline.runtime.outbound_session import time_limits
from hookline.runtime.outbound_troubles import trouble_of

_log = logging.getLogger("hookline.outbound")
ORIGIN = "WebHook-Request-Origin"
_ALLOWED = "WebHook-Allowed-Origin"
_ANYBODY = "*"


class Refusal(StrEnum):
    """Why an endpoint may not be called."""

    NO_ANSWER = "no_answer"
    STATUS = "status"
    NO_PERMISSION = "no_permission"


@dataclass(frozen=True, slots=True)
class Agreed:
    """The endpoint wants to be called by us."""


@dataclass(frozen=True, slots=True)
class Refused:
    """It did not say so; the sentence is for its owner."""

    why: Refusal
    sentence: str


Agreement = Agreed | Refused

# One for all that can go wrong: whether there is such a name, what it resolves to, and whether anything listens there would
# tell a customer what our network looks like from inside.
_NO_ANSWER = Refused(Refusal.NO_ANSWER, "The endpoint did not answer the question whether it may be called (OPTIONS).")


async def agreed(session: aiohttp.ClientSession, url: str, *, origin: str, timeout_s: float = 10) -> Agreement:
    """Ask an endpoint whether `origin` may send to it. Takes at most `timeout_s`; whatever happens is in the answer.

    The question bears nothing of the subscription's but its URL without a user: no secret, no header.
    """
    try:
        place = URL(url).with_user(None)
    except ValueError:
        return _NO_ANSWER
    try:
        agreement = await _asked(session, place, origin, timeout_s)
    except Exception as error:  # noqa: BLE001 - no endpoint may make an error of ours
        trouble = trouble_of(error, is_tls=place.scheme == "https")
        _log.info("endpoint.asked", extra={"host": place.raw_host, "agreed": False, "error": trouble.word})
        return _NO_ANSWER
    _log.info("endpoint.asked", extra={"host": place.raw_host, "agreed": isinstance(agreement, Agreed), "error": "-"})
    return agreement


async def _asked(session: aiohttp.ClientSession, place: URL, origin: str, timeout_s: float) -> Agreement:
    # The body is not read: what came of it with the head is dropped with the connection.
    async with session.options(
        place, headers={ORIGIN: origin}, allow_redirects=False, timeout=time_limits(timeout_s)
    ) as response:
        allowed = [each.strip().lower() for each in response.headers.getall(_ALLOWED, [])]
        if not 200 <= response.status < 300:
            return Refused(
                Refusal.STATUS,
                f"The endpoint answered OPTIONS with {response.status}; only 2xx counts, and redirects are not followed.",
            )
    if _ANYBODY in allowed or origin.lower() in allowed:
        return Agreed()
    return Refused(
        Refusal.NO_PERMISSION,
        f"The endpoint's answer to OPTIONS does not allow it to be called: {_ALLOWED} must be {origin} or *.",
    )
