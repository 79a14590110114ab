"""SEAM until the merge: the replay role's own file of this name takes the place of this one. It counts nothing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from hookline.core.resending import Counted
from hookline.runtime.settings import Settings
from hookline.schemas.codec import Codec
from hookline.schemas.errors import NotYet
from hookline.schemas.records import Subscription
from hookline.schemas.topics import Topics


class _NoCounting:
    async def count(
        self,
        subscription: Subscription,  # noqa: ARG002 - the role's
        *,
        since_ms: int,  # noqa: ARG002
        until_ms: int,  # noqa: ARG002
        events: tuple[str, ...],  # noqa: ARG002
        everything: bool,  # noqa: ARG002
    ) -> Counted:
        raise NotYet("replays are not counted yet")


@asynccontextmanager
async def open_counting(
    settings: Settings,  # noqa: ARG001
    *,
    topics: Topics,  # noqa: ARG001
    codec: Codec,  # noqa: ARG001
) -> AsyncIterator[_NoCounting]:
    """What counts replays, for the block."""
    yield _NoCounting()
