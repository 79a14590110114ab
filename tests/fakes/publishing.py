"""A publisher that keeps what it is given, and fails by a script: no broker, same manners."""

from collections.abc import Mapping
from concurrent.futures import Future
from functools import cache

from hookline.producers import Event, HooklineError, Published
from hookline.runtime.catalogue import load_catalogue
from hookline.schemas.catalogue import Catalogue
from hookline.schemas.codec import Codec

_catalogue = cache(load_catalogue)


@cache
def _codec() -> Codec:
    return Codec(_catalogue())


class KeptEvents:
    """Takes events like a `Publisher`; the n-th (from 1) is answered with `failures[n]`, or refused with `refusals[n]`."""

    def __init__(
        self,
        *,
        failures: Mapping[int, HooklineError] | None = None,
        refusals: Mapping[int, HooklineError] | None = None,
    ) -> None:
        self.events: list[Event] = []
        self.submitted = 0
        self._failures = failures or {}
        self._refusals = refusals or {}
        self._catalogue = _catalogue()
        self._codec = _codec()

    @property
    def catalogue(self) -> Catalogue:
        return self._catalogue

    def submit(self, event: Event) -> Future[Published]:
        self.submitted += 1
        self._codec.encode_event(event)
        if self.submitted in self._refusals:
            raise self._refusals[self.submitted]
        future: Future[Published] = Future()
        if self.submitted in self._failures:
            future.set_exception(self._failures[self.submitted])
        else:
            self.events.append(event)
            future.set_result(Published(event_id=event.event_id, topic="t", partition=0, offset=len(self.events) - 1))
        return future

    def publish(self, event: Event) -> Published:
        return self.submit(event).result(0)

    def flush(self) -> None:
        pass
