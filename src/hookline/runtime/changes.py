"""Changing the configuration: read all that was confirmed, decide, and write, with no other process's change in between."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from hookline.schemas.errors import NotYet
from hookline.schemas.records import disabling_key
from hookline.schemas.topics import Topics

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """One record to write; `value` None deletes."""

    topic: str
    key: bytes
    value: bytes | None


def without_subscription(topics: Topics, subscription_id: str) -> tuple[Write, ...]:
    """The tombstones of a deleted subscription, and of all that was judged of it."""
    judged = (subscription_id.encode(), disabling_key(subscription_id))
    return (
        Write(topic=topics.subscriptions, key=subscription_id.encode(), value=None),
        *(Write(topic=topics.endpoint_state, key=key, value=None) for key in judged),
    )


@dataclass(frozen=True, slots=True)
class Decision(Generic[Result]):
    """What to write, all of it or nothing, and what to answer then."""

    result: Result
    writes: Sequence[Write] = ()


class Unchanged(NotYet):
    """Nothing was written, and nothing will be."""


class Unknown(NotYet):
    """Whether it was written can't be known now."""


class Unapplied(NotYet):
    """It was written, but this process's view has not shown it in time."""


class Changes(Protocol):
    """Makes changes that no other process's change can come between."""

    async def make(self, decide: Callable[[], Decision[Result]]) -> Result:
        """Have `decide` look at the view, which then holds everything that any process has confirmed, and write its decision.

        Returns its result once the writes are confirmed and the view has applied them. `decide` may be called again when
        another process was quicker. What it raises is passed on, and nothing is written. Unchanged, Unknown or Unapplied
        when Kafka does not answer in time.
        """
        ...
