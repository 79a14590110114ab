"""What the API needs of the programs' shared parts, as roles; the live view, Kafka's writer and the history store play them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from hookline.core.rendering import Renderer
from hookline.runtime.clock import Clock
from hookline.runtime.history_questions import History
from hookline.runtime.log import Writer
from hookline.runtime.metrics import Metrics
from hookline.runtime.settings import Settings
from hookline.schemas.catalogue import Catalogue
from hookline.schemas.codec import Codec
from hookline.schemas.records import ApiKey, Disabling, EndpointHealth, Subscription
from hookline.schemas.topics import Topics


class Directory(Protocol):
    """The live view, as far as the API reads it."""

    @property
    def ready(self) -> bool: ...

    @property
    def applied(self) -> int: ...

    async def wait_applied(self, topic: str, offset: int, *, timeout_s: float) -> None: ...

    def subscription(self, subscription_id: str) -> Subscription | None: ...

    def subscriptions_of(self, account_id: str) -> Sequence[Subscription]: ...

    def health(self, subscription_id: str) -> EndpointHealth | None: ...

    def disabling(self, subscription_id: str) -> Disabling | None: ...

    def api_key(self, key_id: str) -> ApiKey | None: ...


class Draw(Protocol):
    """Draws ids and secrets of new things; `hookline.runtime.draw` is one."""

    def event_id(self) -> str: ...

    def subscription_id(self) -> str: ...

    def signing_secret(self) -> str: ...

    def sealing_nonce(self) -> bytes: ...

    def request_id(self) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Everything that the API's handlers work with."""

    view: Directory
    writer: Writer
    history: History
    codec: Codec
    catalogue: Catalogue
    renderer: Renderer
    topics: Topics
    settings: Settings
    clock: Clock
    draw: Draw
    metrics: Metrics
