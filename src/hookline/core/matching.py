"""Which subscriptions want an event, found in a time that depends on the matches and not on all subscriptions.

A pattern is an event type (`order.created`), all types below a word (`order.*`), or all there are (`*`).
"""

from collections.abc import Collection, Iterator, Sequence
from typing import TypeVar

from hookline.schemas.records import Subscription, SubscriptionStatus

_EVERYTHING = "*"
_K = TypeVar("_K")
_NONE: dict[str, Subscription] = {}


class SubscriptionIndex:
    """Subscriptions by id, by account, by account and uid, and the active ones by account and pattern."""

    def __init__(self) -> None:
        self._by_id: dict[str, Subscription] = {}
        self._by_account: dict[str, dict[str, Subscription]] = {}
        self._by_uid: dict[tuple[str, str], dict[str, Subscription]] = {}
        self._active: dict[tuple[str, str], dict[str, Subscription]] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def put(self, subscription: Subscription) -> None:
        """Add a subscription, or replace the one with its id."""
        self.remove(subscription.subscription_id)
        self._by_id[subscription.subscription_id] = subscription
        self._by_account.setdefault(subscription.account_id, {})[subscription.subscription_id] = subscription
        if subscription.uid is not None:
            named = self._by_uid.setdefault((subscription.account_id, subscription.uid), {})
            named[subscription.subscription_id] = subscription
        for place in _places(subscription):
            self._active.setdefault(place, {})[subscription.subscription_id] = subscription

    def withhold(self, subscription_id: str) -> None:
        """Let a subscription match nothing until it is put again; it is still listed."""
        subscription = self._by_id.get(subscription_id)
        if subscription is not None:
            self._match_no_more(subscription)

    def remove(self, subscription_id: str) -> None:
        """Forget a subscription; nothing happens if there is none."""
        subscription = self._by_id.pop(subscription_id, None)
        if subscription is not None:
            _drop(self._by_account, subscription.account_id, subscription_id)
            if subscription.uid is not None:
                _drop(self._by_uid, (subscription.account_id, subscription.uid), subscription_id)
            self._match_no_more(subscription)

    def subscription(self, subscription_id: str) -> Subscription | None:
        return self._by_id.get(subscription_id)

    def subscription_by_uid(self, account_id: str, uid: str) -> Subscription | None:
        """The account's subscription with this uid. Of several, while it moves from one to another, the last that was changed."""
        found = self._by_uid.get((account_id, uid), _NONE).values()
        return max(found, key=lambda each: (each.updated_at_ms, each.subscription_id), default=None)

    def subscriptions(self) -> Sequence[Subscription]:
        """All there are, in no order."""
        return tuple(self._by_id.values())

    def subscriptions_of(self, account_id: str) -> Sequence[Subscription]:
        """All of an account's subscriptions, in order of creation."""
        found = self._by_account.get(account_id, _NONE).values()
        return sorted(found, key=lambda each: (each.created_at_ms, each.subscription_id))

    def matching(self, account_id: str, event_type: str) -> Sequence[Subscription]:
        """The active subscriptions of this account that want this event type and are not withheld, each once."""
        matches: dict[str, Subscription] = {}
        for pattern in patterns_of(event_type):
            matches |= self._active.get((account_id, pattern), _NONE)
        return tuple(matches.values())

    def _match_no_more(self, subscription: Subscription) -> None:
        for place in _places(subscription):
            _drop(self._active, place, subscription.subscription_id)


def patterns_of(event_type: str) -> Iterator[str]:
    """Every pattern that an event type fits: itself, `order.*` of `order.created`, and `*`."""
    yield event_type
    head, dot, _ = event_type.rpartition(".")
    while dot:
        yield f"{head}.*"
        head, dot, _ = head.rpartition(".")
    yield _EVERYTHING


def wants(events: Collection[str], event_type: str) -> bool:
    """Whether one of these patterns fits the event type."""
    return any(pattern in events for pattern in patterns_of(event_type))


def complaint_about_events(events: Sequence[str], event_types: Collection[str]) -> str | None:
    """What is wrong with a subscription's list of patterns, as a sentence; None if nothing is."""
    if not events:
        return f"must name at least one event type of: {', '.join(event_types)}"
    known = {pattern for event_type in event_types for pattern in patterns_of(event_type)}
    unknown = next((each for each in events if each not in known), None)
    if unknown is not None:
        what = "fits" if unknown.endswith("*") else "is"
        return f"has {unknown[:64]!a}, which {what} no event type; there are: {', '.join(event_types)}"
    if len(set(events)) < len(events):
        return "names an event type twice"
    return None


def _places(subscription: Subscription) -> Iterator[tuple[str, str]]:
    if subscription.status is SubscriptionStatus.ACTIVE:
        for pattern in set(subscription.events):
            yield subscription.account_id, pattern


def _drop(index: dict[_K, dict[str, Subscription]], place: _K, subscription_id: str) -> None:
    found = index.get(place)
    if found is None:
        return
    found.pop(subscription_id, None)
    if not found:
        del index[place]
