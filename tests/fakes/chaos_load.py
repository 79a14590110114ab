"""The events of a chaos run: numbered, and each for exactly one webhook, so that everybody can work out what must arrive.

Event number `n` goes to endpoint `n % endpoints`, an account of its own with one webhook. The number stands in the event's
id and in its data's id, so in the webhook's body too; the bytes are patched into a template, for encoding costs more.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from fakes.configuration import subscription
from fakes.kafka import write
from fakes.road import CATALOGUE, CODEC
from hookline.core.ids import delivery_id
from hookline.core.rendering import Renderer
from hookline.schemas.codec import sample_event
from hookline.schemas.records import Event, Subscription
from hookline.schemas.topics import Topics

NUMBER_DIGITS = 9
BODY_MARK = b'"id":"n'  # what stands before the number in every body
_STAND_IN = 10**NUMBER_DIGITS - 1
_OCCURRED_AT = datetime(2026, 1, 1, tzinfo=UTC)
_TYPES = tuple(sorted(CATALOGUE.event_types))


def account_of(endpoint: int) -> str:
    return f"acct_{endpoint:03d}"


def type_of(endpoint: int) -> str:
    return _TYPES[endpoint % len(_TYPES)]


def event(number: int, *, endpoints: int) -> Event:
    """Event number `number`, as a source system would have it."""
    endpoint = number % endpoints
    sample = sample_event(
        CATALOGUE,
        type_of(endpoint),
        event_id=f"evt_{number:0{NUMBER_DIGITS}d}",
        account_id=account_of(endpoint),
        occurred_at=_OCCURRED_AT,
    )
    entity = CATALOGUE.event_type(sample.type).entity
    return replace(sample, data={**sample.data, entity: f"n{number:0{NUMBER_DIGITS}d}"})


class Templates:
    """Encoded events, one template an endpoint."""

    def __init__(self, topics: Topics, *, endpoints: int) -> None:
        self._endpoints = endpoints
        self._parts = [self._template(endpoint) for endpoint in range(endpoints)]
        self._topics = [topics.events(type_of(endpoint)) for endpoint in range(endpoints)]

    def record(self, number: int) -> tuple[str, bytes, bytes]:
        """The topic, key and value of an event."""
        endpoint, digits = number % self._endpoints, b"%09d" % number
        return self._topics[endpoint], b"n" + digits, digits.join(self._parts[endpoint])

    def _template(self, endpoint: int) -> Sequence[bytes]:
        whole = CODEC.encode_event(replace(event(endpoint, endpoints=self._endpoints), event_id=f"evt_{_STAND_IN}"))
        parts = whole.replace(b"n%09d" % endpoint, b"n%d" % _STAND_IN).split(b"%d" % _STAND_IN)
        assert len(parts) == 3, f"{type_of(endpoint)} has its number {len(parts) - 1} times; wanted 2"
        return parts


@dataclass(frozen=True, slots=True)
class Load:
    """The webhooks of a run, one for each endpoint in order, and what each event must become."""

    subscriptions: Sequence[Subscription]

    def delivery_id(self, number: int) -> str:
        to = self.subscriptions[number % len(self.subscriptions)]
        return delivery_id(to.account_id, f"evt_{number:0{NUMBER_DIGITS}d}", to.subscription_id)

    def body(self, number: int) -> bytes:
        return _RENDERER.render(event(number, endpoints=len(self.subscriptions)))


def subscribe(bootstrap: str, topics: Topics, urls: Sequence[str]) -> Load:
    """A webhook for each URL, put into Kafka as the API would."""
    load = Load([subscription(url, type_of(number), account_id=account_of(number)) for number, url in enumerate(urls)])
    records = [(each.subscription_id.encode(), CODEC.encode(each)) for each in load.subscriptions]
    write(bootstrap, topics.subscriptions, records)
    return load


_RENDERER = Renderer(CATALOGUE)
