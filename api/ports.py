"""What the API needs of the programs' shared parts, as roles; the live view, Kafka's writer and the history store play them."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from hookline.core.jobs import Asked
from hookline.core.letters import Letter, Page
from hookline.core.rendering import Renderer
from hookline.core.resending import Counted
from hookline.runtime.changes import Changes
from hookline.runtime.clock import Clock
from hookline.runtime.history_questions import History
from hookline.runtime.kept import KeptDelivery
from hookline.runtime.log import Writer
from hookline.runtime.metrics import Metrics
from hookline.runtime.recovery_rows import States
from hookline.runtime.settings import Settings
from hookline.schemas.catalogue import Catalogue
from hookline.schemas.codec import Codec
from hookline.schemas.records import Account, ApiKey, Disabling, EndpointHealth, Place, Subscription
from hookline.schemas.topics import Topics


class Directory(Protocol):
    """The live view, as far as the API reads it."""

    @property
    def ready(self) -> bool: ...

    @property
    def applied(self) -> int: ...

    def cannot_read(self, record_id: str) -> bool: ...

    def subscription(self, subscription_id: str) -> Subscription | None: ...

    def subscriptions_of(self, account_id: str) -> Sequence[Subscription]: ...

    def health(self, subscription_id: str) -> EndpointHealth | None: ...

    def disabling(self, subscription_id: str) -> Disabling | None: ...

    def api_key(self, key_id: str) -> ApiKey | None: ...

    def account(self, account_id: str) -> Account | None: ...

    def accounts(self) -> Sequence[Account]: ...

    def keys_of(self, account_id: str) -> Sequence[ApiKey]: ...

    def subscription_by_uid(self, account_id: str, uid: str) -> Subscription | None: ...

    def job(self, job_id: str) -> Asked | None: ...

    def jobs_of(self, subscription_id: str) -> Sequence[Asked]: ...

    def open_jobs_of(self, subscription_id: str) -> Sequence[Asked]: ...

    def is_cancelled(self, job_id: str) -> bool: ...


class Draw(Protocol):
    """Draws ids and secrets of new things; `hookline.runtime.draw` is one."""

    def event_id(self) -> str: ...

    def subscription_id(self) -> str: ...

    def signing_secret(self) -> str: ...

    def sealing_nonce(self) -> bytes: ...

    def request_id(self) -> str: ...

    def audit_id(self) -> str: ...

    def account_id(self) -> str: ...

    def job_id(self) -> str: ...


class Endpoints(Protocol):
    """Asks endpoints whether they may be called (`hookline.runtime.handshake`)."""

    async def objection(self, url: str) -> str | None:
        """Why the endpoint at this URL may not be called, for its owner; None if it says that it may."""
        ...


class LetterBox(Protocol):
    """Reads dead letters (`hookline.runtime.dead_letters`). NotYet when Kafka is away."""

    async def page(self, *, before: Mapping[int, int] | None, limit: int, is_wanted: Callable[[Letter], bool]) -> Page:
        """The newest that are wanted, going back from `before`, by partition; None: from the end. Without their bytes."""
        ...

    async def whole_page(
        self, *, before: Mapping[int, int] | None, limit: int, is_wanted: Callable[[Letter], bool]
    ) -> Page:
        """The same with their bytes, of which a page has a bound."""
        ...

    async def at(self, place: Place) -> Letter | None:
        """The one at this place; None if there is none, or no longer."""


class Reach(Protocol):
    """Says whether history has what is on record of deliveries (`hookline.runtime.history_reach`)."""

    async def caught_up(self) -> Callable[[], Awaitable[None]]:
        """Return when history has all that is on record now; NotYet if it has not soon. What is returned says NotYet if it has it no more."""
        ...


class Kept(Protocol):
    """Reads what Kafka still has of deliveries (`hookline.runtime.kept`)."""

    async def delivery(self, place: Place, *, account_id: str, delivery_id: str) -> KeptDelivery | None:
        """The first record of this delivery of this account, if it is still at its place. NotYet when Kafka is away."""
        ...


class Rehearsal(Protocol):
    """Counts what a replay would send (`hookline.runtime.replay_counting`), for a bounded time. NotYet when Kafka or the store is away."""

    async def count(
        self, subscription: Subscription, *, since_ms: int, until_ms: int, events: tuple[str, ...], everything: bool
    ) -> Counted:
        """Of events from `since_ms` to before `until_ms`; `events` empty: all that the subscription wants."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Everything that the API's handlers work with."""

    view: Directory
    changes: Changes
    writer: Writer
    endpoints: Endpoints
    history: History
    states: States
    reach: Reach
    letters: LetterBox
    kept: Kept
    counting: Rehearsal
    codec: Codec
    catalogue: Catalogue
    renderer: Renderer
    topics: Topics
    settings: Settings
    clock: Clock
    draw: Draw
    metrics: Metrics
