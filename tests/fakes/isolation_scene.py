"""An isolation with one partition of each lane, and a clock that the tests move."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from fakes.deliveries import DELIVERY
from hookline.core.isolation import Isolation
from hookline.core.limits import FRESH, SECOND, Limits
from hookline.core.share import Postponed
from hookline.core.window import Arrival, Slot, Window


@dataclass(slots=True)
class Scene:
    """An isolation with one partition of each lane, and a clock."""

    fresh: int = 100
    second: int = 100
    most: int = 16
    held_max: int = 1_000
    doubt_held_ms: float = 30_000.0
    limits: dict[str, Limits] = field(default_factory=dict)
    lanes: Sequence[str] = (FRESH, SECOND)
    now_ms: float = 1_000.0
    rules: Isolation = field(init=False)
    windows: dict[str, Window] = field(init=False)
    offered: int = 0

    def __post_init__(self) -> None:
        self.rules = Isolation(
            budgets={FRESH: self.fresh, SECOND: self.second},
            endpoint_in_flight_max=self.most,
            held_max=self.held_max,
            doubt_held_ms=self.doubt_held_ms,
            limits_of=lambda name: self.limits.get(name, Limits()),
        )
        self.windows = {lane: _window(lane) for lane in self.lanes}
        for window in self.windows.values():
            self.rules.assigned(window)

    def offer(
        self, name: str, count: int = 1, *, lane: str = FRESH, postponed: int = 0, is_test: bool = False
    ) -> list[Postponed]:
        return [each for _ in range(count) if (each := self._offer(name, lane, postponed, is_test)) is not None]

    def tick(self, later_ms: float = 0.0) -> list[Postponed]:
        self.now_ms += later_ms
        return list(self.rules.tick(self.now_ms))

    def start(self) -> list[Slot]:
        return list(self.rules.start(self.now_ms))

    def started(self) -> Mapping[str, int]:
        return Counter(slot.delivery.subscription_id for slot in self.start())

    def end(self, slots: Sequence[Slot], *, succeeded: bool = True) -> None:
        for slot in slots:
            self.rules.answered(slot, succeeded=succeeded, now_ms=self.now_ms)
            self.rules.finish(slot, self.now_ms)
            slot.window.finish(slot)

    def prove(self, *names: str) -> None:
        """Each succeeds once, in 10 ms."""
        for name in names:
            self.offer(name)
            slots = self.start()
            self.now_ms += 10
            self.end(slots)

    def late_slot(self, name: str, made_at: int) -> Slot:
        """A delivery that is older than all others, on its way in the second lane."""
        delivery = replace(DELIVERY, delivery_id=f"late_{made_at}", subscription_id=name, created_at_ms=2_000 + made_at)
        window = self.windows[SECOND]
        offset = 100_000 + made_at
        assert window.arrive(delivery, offset, 1) is Arrival.START
        return Slot(window, offset, 1, delivery)

    def hang(self, name: str) -> None:
        """Two requests get no answer, and it is in doubt."""
        self.offer(name, 2)
        self.start()
        self.now_ms += 1_000
        self.rules.tick(self.now_ms)

    def _offer(self, name: str, lane: str, postponed: int, is_test: bool) -> Postponed | None:
        self.offered += 1
        delivery = replace(
            DELIVERY,
            delivery_id=f"delivery_{self.offered}",
            subscription_id=name,
            created_at_ms=self.offered,
            postponed=postponed,
            is_test=is_test,
        )
        window = self.windows[lane]
        assert window.arrive(delivery, self.offered, 1) is Arrival.START
        return self.rules.offer(Slot(window, self.offered, 1, delivery), self.now_ms)


def _window(lane: str) -> Window:
    return Window(lane=lane, topic=lane, partition=0, position=0, committed=0, records_max=10_000, keys_max=100)
