"""An isolation with one partition of each lane, and a clock that the tests move."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from fakes.deliveries import DELIVERY
from hookline.core.isolation import Isolation
from hookline.core.limits import FRESH, LANES, REPLAYS, SECOND, Limits
from hookline.core.share import Postponed
from hookline.core.window import Arrival, Slot, Window
from hookline.schemas.records import Delivery


@dataclass(slots=True)
class Scene:
    """An isolation with one partition of each lane, and a clock."""

    fresh: int = 100
    second: int = 100
    replays: int = 100
    most: int = 16
    held_max: int = 1_000
    doubt_held_ms: float = 30_000.0
    limits: dict[str, Limits] = field(default_factory=dict)
    over: set[str] = field(default_factory=set)  # jobs that were cancelled
    lanes: Sequence[str] = LANES
    now_ms: float = 1_000.0
    rules: Isolation = field(init=False)
    windows: dict[str, Window] = field(init=False)
    offered: int = 0

    def __post_init__(self) -> None:
        self.rules = Isolation(
            budgets={FRESH: self.fresh, SECOND: self.second, REPLAYS: self.replays},
            endpoint_in_flight_max=self.most,
            held_max=self.held_max,
            doubt_held_ms=self.doubt_held_ms,
            limits_of=lambda name: self.limits.get(name, Limits()),
            is_over=lambda delivery: delivery.job_id in self.over,
        )
        self.windows = {lane: _window(lane) for lane in self.lanes}
        for window in self.windows.values():
            self.rules.assigned(window)

    def offer(
        self, name: str, count: int = 1, *, lane: str = FRESH, postponed: int = 0, is_test: bool = False, job: str = ""
    ) -> list[Postponed]:
        deliveries = [self._delivery(name, postponed, is_test, job) for _ in range(count)]
        return [moved for each in deliveries if (moved := self._offer(each, lane)) is not None]

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

    def offer_made(self, name: str, made_at: Sequence[int], *, lane: str) -> None:
        """As they lie in the log, which need not be the order they were made in."""
        for at in made_at:
            self.offered += 1
            delivery = replace(DELIVERY, delivery_id=f"delivery_{self.offered}", subscription_id=name, created_at_ms=at)
            self._offer_at(delivery, lane, self.offered)

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

    def slot(self, name: str, window: Window) -> Slot:
        """A delivery that nobody was offered."""
        delivery = self._delivery(name, 0, False, "")
        return Slot(window, delivery.created_at_ms, 1, delivery)

    def _delivery(self, name: str, postponed: int, is_test: bool, job: str) -> Delivery:
        self.offered += 1
        return replace(
            DELIVERY,
            delivery_id=f"delivery_{self.offered}",
            subscription_id=name,
            created_at_ms=self.offered,
            postponed=postponed,
            is_test=is_test,
            job_id=job or None,
        )

    def _offer(self, delivery: Delivery, lane: str) -> Postponed | None:
        return self._offer_at(delivery, lane, delivery.created_at_ms)

    def _offer_at(self, delivery: Delivery, lane: str, offset: int) -> Postponed | None:
        window = self.windows[lane]
        assert window.arrive(delivery, offset, 1) is Arrival.START
        return self.rules.offer(Slot(window, offset, 1, delivery), self.now_ms)


def _window(lane: str) -> Window:
    return Window(lane=lane, topic=lane, partition=0, position=0, committed=0, records_max=10_000, keys_max=100)
