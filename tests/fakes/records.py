"""Records as dispatchers and the API write them for a history store, drawn anew from a seed."""

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from hookline.core.ids import attempt_id, delivery_id
from hookline.schemas.records import Attempt, Outcome, Place

ACCOUNT, WEBHOOK, AT_MS = "acct_1", "wh_1", 1_700_000_000_000
EVENT_TYPES = ("user.created", "order.created", "order.completed", "payment.failed")
_DAY_MS = 86_400_000
_FAILURES = (("status", 500), ("status", 503), ("status", 404), ("gone", 410), ("timeout", None), ("dns", None))


def attempt(
    number: int = 1,
    outcome: Outcome = Outcome.SUCCEEDED,
    *,
    event: str = "evt_1",
    at_ms: int = AT_MS,
    run: int = 0,
    account: str = ACCOUNT,
    webhook: str = WEBHOOK,
    next_ms: int | None = None,
) -> Attempt:
    """One record of `webhooks.attempts`; requests took 120 ms and were answered with 200 or 500."""
    delivery = delivery_id(account, event, webhook)
    is_request = outcome in {Outcome.SUCCEEDED, Outcome.FAILED}
    code = 200 if outcome is Outcome.SUCCEEDED else 500
    return Attempt(
        attempt_id=attempt_id(delivery, run, number, at_ms),
        delivery_id=delivery,
        account_id=account,
        subscription_id=webhook,
        event_id=event,
        event_type="order.created",
        run=run,
        attempt=number,
        is_test=False,
        outcome=outcome,
        started_at_ms=at_ms,
        duration_ms=120 if is_request else 0,
        response_code=code if is_request else None,
        response_body=b"",
        error=None if outcome is Outcome.SUCCEEDED else "status",
        detail=None if outcome is Outcome.SUCCEEDED else "The endpoint answered 500.",
        next_attempt_at_ms=next_ms,
        origin=Place(partition=1, offset=7),
    )


def lives(count: int, *, seed: int, at_ms: int = AT_MS, days: int = 3, webhooks: int = 5) -> Sequence[Attempt]:
    """What became of `count` deliveries that began within so many days, all of their records in the order of time."""
    random = Random(seed)  # noqa: S311 - the same every time
    found: list[Attempt] = []
    for number in range(count):
        webhook = random.randrange(webhooks)
        first = attempt(
            event=f"evt_{number}",
            at_ms=at_ms + random.randrange(days * _DAY_MS),
            account=f"acct_{webhook % 2}",
            webhook=f"wh_{webhook}",
        )
        place = Place(partition=webhook, offset=number)
        kept = replace(first, event_type=random.choice(EVENT_TYPES), is_test=random.random() < 0.05, origin=place)
        found += _life(kept, random)
    return sorted(found, key=lambda each: (each.started_at_ms, each.attempt_id))


def _life(first: Attempt, random: Random) -> Sequence[Attempt]:
    """One delivery's records: two in three succeed at once; the others are held back, fail, end or are sent again."""
    if random.random() < 0.67:
        return [_ended(first, Outcome.SUCCEEDED, random)]
    steps = [_step(first, Outcome.POSTPONED, random)] if random.random() < 0.3 else []
    now = _later(first, 1, random) if steps else first
    for number in range(1, random.randrange(2, 6)):
        now = replace(now, attempt=number)
        steps.append(_step(now, Outcome.FAILED, random))
        now = _later(now, number + 1, random)
    ends = (Outcome.SUCCEEDED, Outcome.SUCCEEDED, Outcome.FAILED, Outcome.CANCELLED, Outcome.EXPIRED)
    steps.append(_ended(now, random.choice(ends), random))
    if random.random() < 0.2:
        again = replace(_later(now, 1, random), run=random.randrange(1, 1_000), attempt=1)
        if again.run % 2:
            again = replace(again, job_id=f"job_{again.run}", origin=replace(again.origin, in_replays=True))
        steps.append(_ended(again, random.choice((Outcome.SUCCEEDED, Outcome.FAILED)), random))
    return steps


def _later(before: Attempt, number: int, random: Random) -> Attempt:
    wait_ms = random.choice((1_000, 300_000, 1_800_000, 43_200_000))
    return replace(before, attempt=number, started_at_ms=before.started_at_ms + wait_ms)


def _step(of: Attempt, outcome: Outcome, random: Random) -> Attempt:
    return replace(_ended(of, outcome, random), next_attempt_at_ms=of.started_at_ms + 60_000)


def _ended(of: Attempt, outcome: Outcome, random: Random) -> Attempt:
    asked = outcome in {Outcome.SUCCEEDED, Outcome.FAILED}
    failure: tuple[str | None, int | None] = random.choice(_FAILURES)
    error, code = (None, 200) if outcome is Outcome.SUCCEEDED else failure
    return replace(
        of,
        attempt_id=attempt_id(of.delivery_id, of.run, of.attempt, of.started_at_ms),
        outcome=outcome,
        duration_ms=int(random.lognormvariate(4, 1)) if asked else 0,
        response_code=code if asked else None,
        response_body=b'{"ok": \x00\xff}' if code and asked else b"",
        error=error,
        detail=None if error is None else f"It ended with {error}.",
        next_attempt_at_ms=None,
        request_headers=(f"webhook-id: {of.delivery_id}", "content-type: application/json") if asked else (),
        response_headers=("server: nginx", f"x-request-id: {of.attempt}") if asked and code else (),
    )
