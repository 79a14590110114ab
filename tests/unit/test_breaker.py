import pytest

from hookline.core.breaker import WELL, Breaker, Health, after_failure, breaker, is_away, is_hopeless, is_news

DAY_MS = 86_400_000


def failed(count: int, *, answered: bool, health: Health = WELL, now_ms: int = 0, disable_after_ms: int = 0) -> Health:
    for _ in range(count):
        health = after_failure(health, answered=answered, now_ms=now_ms, disable_after_ms=disable_after_ms)
    return health


@pytest.mark.parametrize(
    ("count", "answered", "found"),
    [
        (7, True, Breaker.CLOSED),  # a delivery's own seven attempts
        (19, True, Breaker.CLOSED),
        (20, True, Breaker.OPEN),
        (4, False, Breaker.CLOSED),
        (5, False, Breaker.OPEN),
    ],
)
def test_a_breaker_opens_after_failures_in_a_row(count: int, answered: bool, found: Breaker) -> None:
    assert breaker(failed(count, answered=answered), 0) is found


@pytest.mark.parametrize(("back_ms", "found"), [(0, Breaker.OPEN), (55_001, Breaker.PROBE), (DAY_MS, Breaker.PROBE)])
def test_a_clock_that_is_set_back_keeps_no_breaker_open(back_ms: int, found: Breaker) -> None:
    health = failed(5, answered=False, now_ms=2 * DAY_MS)
    assert breaker(health, 2 * DAY_MS - back_ms) is found


def test_failures_without_an_answer_weigh_as_four_with_one() -> None:
    almost = failed(16, answered=True)
    assert breaker(almost, 0) is Breaker.CLOSED
    assert breaker(failed(1, answered=False, health=almost), 0) is Breaker.OPEN


@pytest.mark.parametrize(
    ("opened", "probe_in_ms"), [(1, 5_000), (2, 10_000), (3, 20_000), (4, 40_000), (5, 60_000), (50, 60_000)]
)
def test_a_probe_that_fails_doubles_the_wait_up_to_a_minute(opened: int, probe_in_ms: int) -> None:
    health, now_ms = failed(5, answered=False), 0
    for _ in range(opened - 1):
        now_ms = health.probe_at_ms or 0
        assert breaker(health, now_ms) is Breaker.PROBE
        health = failed(1, answered=True, health=health, now_ms=now_ms)
    assert (health.opened, health.probe_at_ms) == (opened, now_ms + probe_in_ms)


@pytest.mark.parametrize(("now_ms", "found"), [(4_999, Breaker.OPEN), (5_000, Breaker.PROBE), (10**9, Breaker.PROBE)])
def test_a_probe_may_go_when_its_time_has_come(now_ms: int, found: Breaker) -> None:
    assert breaker(failed(5, answered=False), now_ms) is found


def test_results_that_come_while_it_is_open_move_no_probe() -> None:
    opened = failed(5, answered=False)
    later = failed(30, answered=False, health=opened, now_ms=4_999)
    assert (later.opened, later.probe_at_ms) == (1, 5_000)


@pytest.mark.parametrize(
    ("failing_ms", "warnings", "hopeless"),
    [
        (0, 0, False),
        (5 * DAY_MS // 2 - 1, 0, False),
        (5 * DAY_MS // 2, 1, False),
        (4 * DAY_MS, 2, False),
        (5 * DAY_MS, 2, True),
    ],
)
def test_an_endpoint_that_keeps_failing_is_warned_twice_and_then_given_up(
    failing_ms: int, warnings: int, hopeless: bool
) -> None:
    health = failed(1, answered=True, disable_after_ms=5 * DAY_MS)
    health = failed(1, answered=True, health=health, now_ms=failing_ms, disable_after_ms=5 * DAY_MS)
    assert health.warnings == warnings
    assert is_hopeless(health, now_ms=failing_ms, disable_after_ms=5 * DAY_MS) is hopeless


def test_where_none_is_disabled_none_is_warned() -> None:
    health = failed(1, answered=True)
    health = failed(1, answered=True, health=health, now_ms=100 * DAY_MS)
    assert health.warnings == 0
    assert not is_hopeless(health, now_ms=100 * DAY_MS, disable_after_ms=0)


FAILING = Health(failing_since_ms=0, weight=3)


@pytest.mark.parametrize(
    ("recorded", "found", "now_ms", "news"),
    [
        (WELL, WELL, 0, False),
        (WELL, FAILING, 59_999, False),  # a failure or two
        (WELL, FAILING, 60_000, True),
        (FAILING, FAILING, 10**9, False),
        (FAILING, WELL, 0, True),
        (WELL, Health(opened=1, probe_at_ms=5_000, failing_since_ms=0), 0, True),
        (
            Health(opened=1, probe_at_ms=5_000, failing_since_ms=0),
            Health(opened=2, probe_at_ms=15_000, failing_since_ms=0),
            0,
            True,
        ),
        (FAILING, Health(failing_since_ms=0, warnings=1), 0, True),
        (FAILING, Health(failing_since_ms=0, weight=9), 0, False),
    ],
)
def test_what_is_worth_a_record(recorded: Health, found: Health, now_ms: int, news: bool) -> None:
    assert is_news(recorded, found, now_ms=now_ms) is news


@pytest.mark.parametrize(
    ("health", "at_ms", "is_so"),
    [
        (WELL, 0, False),
        (Health(weight=19), 0, False),  # it fails, and nothing is held back yet
        (Health(opened=1, probe_at_ms=100_000), 40_000, True),  # it has just opened for the longest time
        (Health(opened=1, probe_at_ms=100_000), 99_999, True),
        (Health(opened=1, probe_at_ms=100_000), 100_000, False),
        (Health(opened=1, probe_at_ms=100_000), 101_999, False),
        (Health(opened=1, probe_at_ms=100_000), 102_000, True),
        (Health(opened=1, probe_at_ms=100_000), 160_000, False),  # nobody else has asked
    ],
)
def test_jobs_ask_an_endpoint_that_is_away_for_two_seconds_in_each_minute(
    health: Health, at_ms: int, is_so: bool
) -> None:
    assert is_away(health, at_ms) is is_so
