import threading
from collections import Counter, defaultdict
from collections.abc import Mapping
from concurrent.futures import Future
from decimal import Decimal
from itertools import islice, pairwise
from random import Random
from typing import Any

import pytest

from fakes.publishing import KeptEvents
from hookline.producers import Broken, ConfigError, Event, HooklineError, NotYet, Published
from hookline.producers.demo import Demo, Pace, run_demo
from hookline.producers.histories import Fact, facts
from hookline.runtime.catalogue import load_catalogue

SEEDS = [0, 1, 7, 2023]
START_MS = 1_687_270_530_000


def told(seed: int, count: int = 2_000) -> list[Fact]:
    return list(islice(facts(Random(seed)), count))  # noqa: S311 - a story


class SteppedTime:
    """A clock and a stop at once: waiting takes the time on, and after `events` waits the demo is stopped."""

    def __init__(self, *, events: int, wall_steps_ms: Mapping[int, int] | None = None) -> None:
        self.stop = _Stop(self)
        self.waits = 0
        self.events = events
        self._now_s = 0.0
        self._wall_ms = START_MS
        self._wall_steps_ms = wall_steps_ms or {}

    def monotonic_s(self) -> float:
        return self._now_s

    def now_ms(self) -> int:
        return self._wall_ms + round(self._now_s * 1_000)

    def wait(self, wait_s: float) -> bool:
        self.waits += 1
        self._now_s += wait_s
        self._wall_ms += self._wall_steps_ms.get(self.waits, 0)
        return self.waits > self.events


class _Stop(threading.Event):
    def __init__(self, time: SteppedTime) -> None:
        super().__init__()
        self._time = time

    def wait(self, timeout: float | None = None) -> bool:
        if self._time.wait(timeout or 0.0):
            self.set()
        return self.is_set()


def ran(
    *,
    events: int = 300,
    seed: int = 1,
    rate: float = 10,
    failures: Mapping[int, HooklineError] | None = None,
    refusals: Mapping[int, HooklineError] | None = None,
    wall_steps_ms: Mapping[int, int] | None = None,
) -> tuple[KeptEvents, list[str], int]:
    time = SteppedTime(events=events, wall_steps_ms=wall_steps_ms)
    kept, said = KeptEvents(failures=failures, refusals=refusals), list[str]()
    demo = Demo(account_id="acct_1", rate=rate, seed=seed)
    count = run_demo(demo, kept, clock=time, stop=time.stop, say=said.append)
    return kept, said, count


@pytest.mark.parametrize("seed", SEEDS)
def test_the_same_seed_tells_the_same_histories(seed: int) -> None:
    assert told(seed) == told(seed)


def test_another_seed_tells_others() -> None:
    assert told(1) != told(2)


@pytest.mark.parametrize("seed", SEEDS)
def test_all_event_types_appear_soon(seed: int) -> None:
    assert {fact.type for fact in told(seed, 250)} == set(load_catalogue().event_types)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_users_life_begins_with_its_creation_and_ends_with_its_deletion(seed: int) -> None:
    lives: dict[object, list[str]] = defaultdict(list)
    for fact in told(seed):
        lives[fact.data.get("user_id", fact.data["id"])].append(fact.type)
    for life in (life for user_id, life in lives.items() if str(user_id).startswith("user_")):
        assert life[0] == "user.created"
        assert Counter(life)["user.created"] == 1
        assert "user.deleted" not in life[:-1]


@pytest.mark.parametrize("seed", SEEDS)
def test_an_orders_total_is_that_of_its_items_and_stays_it(seed: int) -> None:
    totals: dict[object, tuple[object, object]] = {}
    for fact in told(seed):
        data: Mapping[str, Any] = fact.data
        if fact.type == "order.created":
            total = sum((item["price"] * item["quantity"] for item in data["items"]), Decimal(0))
            assert data["total"] == total
            totals[data["id"]] = (total, data["currency"])
        if fact.type == "order.completed":
            assert (data["total"], data["currency"]) == totals[data["id"]]
        if fact.type.startswith("payment."):
            assert (data["amount"], data["currency"]) == totals[data["order_id"]]


@pytest.mark.parametrize("seed", SEEDS)
def test_an_order_is_completed_only_after_a_payment_and_cancelled_only_without(seed: int) -> None:
    paid: set[object] = set()
    ended: set[object] = set()
    for fact in told(seed):
        if fact.type == "payment.succeeded":
            assert fact.data["order_id"] not in ended
            paid.add(fact.data["order_id"])
        if fact.type in {"order.completed", "order.cancelled"}:
            assert fact.data["id"] not in ended
            assert (fact.data["id"] in paid) == (fact.type == "order.completed")
            ended.add(fact.data["id"])


def test_histories_mix() -> None:
    users = [fact.data["user_id"] for fact in told(1) if fact.type == "order.created"]
    assert sum(one != other for one, other in pairwise(users)) > len(users) / 2


def test_every_event_fits_its_schema_and_belongs_to_the_account() -> None:
    kept, _, count = ran(events=2_000)  # KeptEvents refuses what the schema does
    assert count == len(kept.events) == 2_000
    assert {event.account_id for event in kept.events} == {"acct_1"}


def test_two_runs_tell_the_same_but_are_no_repeats() -> None:
    (one, _, _), (other, _, _) = ran(), ran()
    assert [event.data["id"] for event in one.events] == [event.data["id"] for event in other.events]
    assert not {event.event_id for event in one.events} & {event.event_id for event in other.events}


def test_times_are_in_order_even_when_the_clock_is_set_back() -> None:
    kept, _, _ = ran(wall_steps_ms={100: -3_600_000})
    times = [event.occurred_at for event in kept.events]
    assert times == sorted(times)
    first: Event = kept.events[0]
    assert first.data["created_at"] == first.occurred_at


def test_the_rate_is_held() -> None:
    kept, _, _ = ran(events=101, rate=50)
    assert (kept.events[-1].occurred_at - kept.events[0].occurred_at).total_seconds() == pytest.approx(2.0)


def test_a_wait_that_is_too_long_is_made_up_for() -> None:
    pace = Pace(10, 0.0)
    assert pace.wait_s(0.0) == 0.0
    assert pace.wait_s(0.0) == pytest.approx(0.1)
    assert pace.wait_s(0.17) == pytest.approx(0.03)
    assert pace.wait_s(0.5) == 0.0


def test_a_stop_of_the_broker_is_not_made_up_for_in_one_burst() -> None:
    pace = Pace(10, 0.0)
    pace.wait_s(0.0)
    assert pace.wait_s(60.0) == 0.0
    assert pace.wait_s(60.0) == pytest.approx(0.1)


@pytest.mark.parametrize("rate", [0, -1, float("nan"), float("inf"), 10_001])
def test_a_rate_that_is_none_is_refused(rate: float) -> None:
    with pytest.raises(ConfigError, match="rate is"):
        Demo(account_id="acct_1", rate=rate, seed=1)


def test_an_event_that_was_not_acknowledged_is_published_again() -> None:
    kept, said, count = ran(events=7, failures={3: NotYet("down"), 4: NotYet("down")})
    assert len({event.event_id for event in kept.events}) == count == 5  # and two waits between tries
    assert said == ["waiting for the broker: down", "the broker is back"]


def test_one_stop_of_the_broker_is_said_once() -> None:
    late = _LateFailures(count=20)
    said: list[str] = []
    time = SteppedTime(events=22)  # 20 that fail, one wait for the broker, and one that is published at once
    count = run_demo(Demo(account_id="acct_1", rate=100, seed=1), late, clock=time, stop=time.stop, say=said.append)
    assert (count, len(late.events)) == (21, 21)
    assert said == ["waiting for the broker: down", "the broker is back"]


def test_an_event_that_found_no_room_is_published_again() -> None:
    kept, said, _ = ran(events=4, refusals={1: NotYet("full")})
    assert len(kept.events) == 3
    assert said == ["waiting for the broker: full", "the broker is back"]


def test_a_missing_topic_ends_the_demo() -> None:
    with pytest.raises(ConfigError, match="no topic"):
        ran(failures={2: ConfigError("no topic")})


def test_a_client_that_broke_ends_the_demo() -> None:
    with pytest.raises(Broken):
        ran(failures={2: Broken("for good")})


def test_a_broker_that_stays_away_does_not_keep_the_demo_from_stopping() -> None:
    time, away = SteppedTime(events=5), _Away()
    count = run_demo(
        Demo(account_id="acct_1", rate=100, seed=1), away, clock=time, stop=time.stop, say=away.said.append
    )
    assert (count, away.tries, away.said) == (0, 4, ["waiting for the broker: away"])


class _LateFailures(KeptEvents):
    """The first `count` submitted events fail, all at the same time: when the last of them is submitted."""

    def __init__(self, *, count: int) -> None:
        super().__init__()
        self._late: list[Future[Published]] = []
        self._late_max = count

    def submit(self, event: Event) -> Future[Published]:
        if len(self._late) == self._late_max:
            return super().submit(event)
        future: Future[Published] = Future()
        self._late.append(future)
        if len(self._late) == self._late_max:
            for each in self._late:
                each.set_exception(NotYet("down"))
        return future

    def publish(self, event: Event) -> Published:
        return super().submit(event).result(0)


class _Away:
    """A publisher whose broker is away."""

    def __init__(self) -> None:
        self.tries = 0
        self.said: list[str] = []

    def publish(self, event: Event) -> Published:
        self.tries += 1
        raise NotYet("away")

    def submit(self, event: Event) -> Future[Published]:
        raise NotYet("away")

    def flush(self) -> None:
        raise NotYet("away")
