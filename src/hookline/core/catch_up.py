"""From when on a webhook that is enabled again has missed events, and what a replay may be asked for."""

from collections.abc import Collection, Sequence

from hookline.core.judgements import counts
from hookline.core.matching import wants
from hookline.schemas.records import Disabling, EndpointHealth, Subscription, SubscriptionStatus

_TRIED_FOR_MS = 86_400_000  # a delivery is tried for 20.6 hours, and clocks differ


def missed_since_ms(disabling: Disabling | None, health: EndpointHealth | None, after: Subscription) -> int | None:
    """Since when nothing has reached the endpoint of a subscription that this change enables; None if it enables none.

    What failed before it was disabled is missed as well: it was exhausted then, or cancelled with the disabling, also if it
    was published a day before and waited to be tried again. What was delivered a replay leaves out, so a day more costs
    nothing; but not what happened before the subscription was there. One that is still paused goes on missing events, so there
    is no end of it to tell.
    """
    if disabling is None or counts(disabling, after) or after.status is not SubscriptionStatus.ACTIVE:
        return None
    failing_since_ms = None if health is None else health.failing_since_ms
    began_ms = disabling.at_ms if failing_since_ms is None else min(disabling.at_ms, failing_since_ms)
    return min(began_ms, max(after.created_at_ms, began_ms - _TRIED_FOR_MS))


def complaint_about_unwanted(asked: Sequence[str], wanted: Collection[str], event_types: Collection[str]) -> str | None:
    """What is wrong with a replay's patterns, as a sentence: one fits nothing that the subscription wants; None if each fits."""
    types = [each for each in event_types if wants(wanted, each)]
    unwanted = next((each for each in asked if not any(wants([each], one) for one in types)), None)
    if unwanted is None:
        return None
    return f"has {unwanted!a}, which fits no event type that the webhook wants; it wants: {', '.join(types)}"
