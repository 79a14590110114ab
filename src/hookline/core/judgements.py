"""What dispatchers judged of endpoints, as `webhooks.endpoint-state` has it, and which of it still counts.

A judgement names the version of the subscription that it judged. It counts while that is at least the subscription's
`judged_from`: so what was under way when a customer enabled a webhook again, or gave it another URL, harms nothing.
"""

from hookline.schemas.records import Disabling, EndpointHealth, Subscription, disabling_key

# Judgements may come before their subscription (two topics), or after it was deleted: of these so many are kept. The former
# come within seconds, the latter are worth nothing.
_STRAYS_MAX = 1_000


class Judgements:
    """The last judgements of each subscription, by their records' keys."""

    def __init__(self) -> None:
        self._health: dict[bytes, EndpointHealth] = {}
        self._disablings: dict[bytes, Disabling] = {}
        self._strays: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self._health) + len(self._disablings)

    def health(self, subscription: Subscription) -> EndpointHealth | None:
        """What is known of its endpoint's health; None if nothing is, or nothing that still counts."""
        found = self._health.get(subscription.subscription_id.encode())
        return found if found is not None and counts(found, subscription) else None

    def disabling(self, subscription: Subscription) -> Disabling | None:
        """Why and since when it is disabled; None if it is not."""
        found = self._disablings.get(disabling_key(subscription.subscription_id))
        return found if found is not None and counts(found, subscription) else None

    def put(self, judgement: EndpointHealth | Disabling) -> None:
        """Add a judgement, in place of the one of its kind."""
        match judgement:
            case EndpointHealth():
                self._health[judgement.subscription_id.encode()] = judgement
            case Disabling():
                self._disablings[disabling_key(judgement.subscription_id)] = judgement

    def put_stray(self, judgement: EndpointHealth | Disabling) -> None:
        """Add a judgement of a subscription that is not known, or not yet; `trim` may drop it."""
        self._strays[judgement.subscription_id] = None
        self.put(judgement)

    def remove(self, key: bytes) -> str | None:
        """Take away the judgement with this record key; returns its subscription's id, None if there was none."""
        removed = self._health.pop(key, None) or self._disablings.pop(key, None)
        return None if removed is None else removed.subscription_id

    def claim(self, subscription_id: str) -> None:
        """The subscription is known now: what was judged of it is no stray."""
        self._strays.pop(subscription_id, None)

    def forget(self, subscription_id: str) -> None:
        """Take away all that was judged of a subscription."""
        self.remove(subscription_id.encode())
        self.remove(disabling_key(subscription_id))
        self.claim(subscription_id)

    def trim(self) -> None:
        """Drop the oldest strays beyond what is kept of them."""
        while len(self._strays) > _STRAYS_MAX:
            self.forget(next(iter(self._strays)))


def counts(judgement: EndpointHealth | Disabling, subscription: Subscription) -> bool:
    """Whether it still says something of this version of the subscription."""
    return judgement.subscription_version >= subscription.judged_from
