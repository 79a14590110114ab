"""Ids of deliveries and attempts are derived, so that a repeat has the same id."""

import hashlib


def delivery_id(account_id: str, event_id: str, subscription_id: str) -> str:
    """The id of one event's delivery to one subscription: the same however often the event is fanned out."""
    return f"delivery_{_digest('delivery', account_id, event_id, subscription_id)}"


def attempt_id(of_delivery_id: str, run: int, attempt: int, started_at_ms: int) -> str:
    """The id of one attempt; a request that was really made twice has two, for it started twice."""
    return f"log_{_digest('attempt', of_delivery_id, str(run), str(attempt), str(started_at_ms))}"


def idempotent_subscription_id(account_id: str, idempotency_key: str) -> str:
    """The id of the subscription that a request with this Idempotency-Key makes, however often it comes."""
    return f"wh_{_digest('subscription', account_id, idempotency_key)}"


def _digest(*parts: str) -> str:
    # Each part bears its length, so that ("ab", "c") and ("a", "bc") differ. 128 bits: no two alike, ever.
    joined = "".join([f"{len(part)}:{part}" for part in parts])
    return hashlib.blake2b(joined.encode(), digest_size=16).hexdigest()
