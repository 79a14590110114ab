"""Attempts as thirty days of a believable installation leave them: one webhook with half of the traffic, few that many use, many small.

Everything comes in the order of time. Of the deliveries 94 % succeed at once; the others are tried again and mostly succeed then.
"""

import heapq
from bisect import bisect
from collections.abc import Iterator
from dataclasses import replace
from itertools import accumulate
from random import Random

from hookline.core.ids import attempt_id, delivery_id
from hookline.schemas.records import Attempt, Outcome, Place

DAY_MS = 86_400_000
BIG = "wh_" + "0" * 22
EVENT_TYPES = (
    "user.created",
    "user.updated",
    "user.deleted",
    "order.created",
    "order.completed",
    "order.cancelled",
    "payment.succeeded",
    "payment.failed",
)
RARE_CODE, RARE_OF = 418, 200_000
_ACCOUNTS = 500
_WAITS_MS = (1_000, 300_000, 1_800_000, 7_200_000)
_FAILURES = (
    ("status", 500),
    ("status", 503),
    ("status", 404),
    ("status", 429),
    ("timeout", None),
    ("dns", None),
    ("refused", None),
)
_ANSWER = b'{"received": true, "id": "0123456789abcdef"}'
_ANSWERED = (
    "Date: Tue, 20 Jun 2023 14:15:35 GMT",
    "Content-Type: application/json; charset=utf-8",
    "Content-Length: 44",
    "Connection: keep-alive",
    "Server: nginx/1.24.0",
    "X-Request-Id: 7f1d3c52-6f0a-4c0e-9d0b-0123456789ab",
)


class Traffic:
    """Endless attempts, from `begins_ms` on, `per_day` of them."""

    def __init__(self, *, webhooks: int, begins_ms: int, per_day: int, seed: int = 1) -> None:
        self._random = Random(seed)  # noqa: S311 - the same every time
        shares = [0.5] + [0.5 / (number + 1) ** 0.8 for number in range(1, webhooks)]
        scale = 0.5 / sum(shares[1:])
        self._shares = list(accumulate([shares[0], *(share * scale for share in shares[1:])]))
        self._now_ms, self._step_ms = float(begins_ms), DAY_MS / per_day * 1.1
        self._due: list[tuple[int, str, Attempt]] = []
        self._number = 0

    def attempts(self) -> Iterator[Attempt]:
        """The next one, and the next."""
        while True:
            self._now_ms += self._step_ms
            while self._due and self._due[0][0] <= self._now_ms:
                yield self._ended(heapq.heappop(self._due)[2])
            yield self._ended(self._new())

    def webhook(self) -> str:
        """One of the small ones, by its share."""
        return name_of(1 + min(len(self._shares) - 2, int(self._random.paretovariate(0.5))))

    def _new(self) -> Attempt:
        self._number += 1
        webhook = bisect(self._shares, self._random.random() * self._shares[-1])
        account, subscription, event = account_of(webhook), name_of(webhook), f"evt_{self._number:026}"
        delivery, event_type = delivery_id(account, event, subscription), self._random.choice(EVENT_TYPES)
        return Attempt(
            attempt_id="",
            delivery_id=delivery,
            account_id=account,
            subscription_id=subscription,
            event_id=event,
            event_type=event_type,
            run=0,
            attempt=1,
            is_test=False,
            outcome=Outcome.SUCCEEDED,
            started_at_ms=int(self._now_ms),
            duration_ms=0,
            response_code=200,
            response_body=_ANSWER,
            error=None,
            detail=None,
            next_attempt_at_ms=None,
            origin=Place(partition=webhook % 64, offset=self._number),
            request_headers=_sent(delivery, event_type, int(self._now_ms)),
            response_headers=_ANSWERED,
        )

    def _ended(self, begun: Attempt) -> Attempt:
        """The attempt with its outcome; if it failed, the next one is due later."""
        failed = self._random.random() < (0.06 if begun.attempt == 1 else 0.4)
        made = replace(
            begun,
            attempt_id=attempt_id(begun.delivery_id, 0, begun.attempt, begun.started_at_ms),
            duration_ms=int(self._random.lognormvariate(4, 0.7)),
        )
        if not failed:
            return made
        error, code = self._random.choice(_FAILURES)
        if self._number % RARE_OF == 0:
            error, code = "status", RARE_CODE
        due_ms = self._again(begun)
        detail = f"The endpoint answered {code}; only 2xx counts as success." if code else "It did not answer."
        return replace(
            made,
            outcome=Outcome.FAILED,
            response_code=code,
            error=error,
            detail=detail,
            next_attempt_at_ms=due_ms,
            response_headers=made.response_headers if code else (),
        )

    def _again(self, begun: Attempt) -> int | None:
        if begun.attempt > len(_WAITS_MS):
            return None
        due_ms = begun.started_at_ms + _WAITS_MS[begun.attempt - 1]
        again = replace(begun, attempt=begun.attempt + 1, started_at_ms=due_ms)
        heapq.heappush(self._due, (due_ms, begun.delivery_id, again))
        return due_ms


def _sent(delivery: str, event_type: str, at_ms: int) -> tuple[str, ...]:
    """A request's headers as they are kept: the signatures are shortened."""
    at_s = at_ms // 1_000
    return (
        "User-Agent: Hookline/1.0",
        "Content-Type: application/json",
        f"X-Webhook-Event: {event_type}",
        f"X-Webhook-Signature: sha256={at_s % 2**32:08x}...",
        f"webhook-id: {delivery}",
        f"webhook-timestamp: {at_s}",
        f"webhook-signature: v1,{at_s % 2**32:08x}...",
        "Authorization: ***",
    )


def name_of(webhook: int) -> str:
    """A webhook's id, by its number: 0 is the big one."""
    return f"wh_{webhook:022}"


def account_of(webhook: int) -> str:
    """Whose it is."""
    return f"acct_{webhook % _ACCOUNTS:016}"
