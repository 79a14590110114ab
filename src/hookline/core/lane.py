"""Which open deliveries may start now: a lane has its own share of the requests in flight, and each endpoint a cap of its own."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from hookline.core.window import Hold, Slot


@dataclass(slots=True)
class _Endpoint:
    waiting: deque[Slot] = field(default_factory=deque)
    in_flight: int = 0
    queued: bool = False  # whether it stands in the lane's turn


class Lane:
    """Takes turns among endpoints that have something waiting and are below their cap; each endpoint's own in order.

    Invariants: `in_flight` never exceeds `in_flight_max`, an endpoint's share never `endpoint_in_flight_max`.
    """

    def __init__(self, *, in_flight_max: int, endpoint_in_flight_max: int) -> None:
        self.in_flight = 0
        self._in_flight_max = in_flight_max
        self._endpoint_in_flight_max = endpoint_in_flight_max
        self._endpoints: dict[str, _Endpoint] = {}
        self._turn: deque[str] = deque()

    def offer(self, slot: Slot) -> None:
        """Something waits for its turn. The window it comes from bounds how many."""
        endpoint = self._endpoints.setdefault(slot.delivery.subscription_id, _Endpoint())
        endpoint.waiting.append(slot)
        self._queue(slot.delivery.subscription_id, endpoint)

    def start(self) -> Iterator[Slot]:
        """The slots that may start now, each already counted as in flight. What another process owns now is dropped."""
        while self._turn and self.in_flight < self._in_flight_max:
            name = self._turn.popleft()
            endpoint = self._endpoints[name]
            endpoint.queued = False
            slot = _next_ours(endpoint.waiting)
            if slot is None:
                self._tidy(name, endpoint)
                continue
            self.in_flight += 1
            endpoint.in_flight += 1
            self._queue(name, endpoint)
            yield slot

    def finish(self, slot: Slot) -> None:
        """A started slot is not in flight any more."""
        name = slot.delivery.subscription_id
        endpoint = self._endpoints[name]
        self.in_flight -= 1
        endpoint.in_flight -= 1
        self._queue(name, endpoint)
        self._tidy(name, endpoint)

    def _queue(self, name: str, endpoint: _Endpoint) -> None:
        if endpoint.waiting and not endpoint.queued and endpoint.in_flight < self._endpoint_in_flight_max:
            endpoint.queued = True
            self._turn.append(name)

    def _tidy(self, name: str, endpoint: _Endpoint) -> None:
        if not endpoint.waiting and not endpoint.in_flight and not endpoint.queued:
            del self._endpoints[name]


def _next_ours(waiting: deque[Slot]) -> Slot | None:
    while waiting:
        slot = waiting.popleft()
        if slot.window.hold is Hold.OURS:
            return slot
    return None
