"""One endpoint's health as several processes judge it, with the record they share, under every row of results."""

from collections.abc import Mapping
from typing import ClassVar

from fakes.machines import Picks
from hookline.core.breaker import WELL, Breaker, Health, after_failure, breaker, is_hopeless, is_news

_OPENS_AT, _UNANSWERED = 20, 4
_COOL_DOWN_MAX_MS = 60_000


class EndpointHealth:
    """See `STEPS` for what can happen. The model counts failures since the last success or opening."""

    STEPS: ClassVar[Mapping[str, int]] = {
        "fail_answered": 14,
        "fail_unanswered": 6,
        "succeed": 2,
        "pass_time": 10,
        "pass_days": 1,
        "restart": 1,
    }

    def __init__(self, picks: Picks) -> None:
        self.disable_after_ms = picks.one_of((0, 60_000, 3_600_000, 432_000_000))
        self.now_ms = 1_000_000
        self.health = WELL
        self.recorded = WELL
        self.weight = 0
        self.failing_since_ms: int | None = None

    def fail_answered(self, picks: Picks) -> bool:
        return self._fail(answered=True)

    def fail_unanswered(self, picks: Picks) -> bool:
        return self._fail(answered=False)

    def succeed(self, picks: Picks) -> bool:
        self.weight, self.failing_since_ms = 0, None
        self._judge(WELL)
        return True

    def pass_time(self, picks: Picks) -> bool:
        self.now_ms += picks.one_of((0, 1, 1_000, 5_000, 60_000))
        return True

    def pass_days(self, picks: Picks) -> bool:
        self.now_ms += 86_400_000 * (1 + picks.below(3))
        return True

    def restart(self, picks: Picks) -> bool:
        """Another process goes on from the record: what was not worth one is forgotten."""
        self.health, self.weight = self.recorded, self.recorded.weight
        self.failing_since_ms = self.recorded.failing_since_ms
        return True

    # -- what must hold after each step -------------------------------------------------------------------------------

    def check(self) -> None:
        self.check_a_breaker_is_open_only_until_its_probe()
        self.check_a_probe_comes_within_a_minute()
        self.check_warnings_come_before_disabling_and_only_if_there_is_one()
        self.check_the_record_says_the_breaker_and_the_warnings()

    def check_a_breaker_is_open_only_until_its_probe(self) -> None:
        found, at_ms = breaker(self.health, self.now_ms), self.health.probe_at_ms
        if self.health.opened == 0:
            assert found is Breaker.CLOSED
            return
        assert at_ms is not None
        assert found is (Breaker.PROBE if self.now_ms >= at_ms else Breaker.OPEN)

    def check_a_probe_comes_within_a_minute(self) -> None:
        if self.health.opened:
            assert (self.health.probe_at_ms or 0) - self.now_ms <= _COOL_DOWN_MAX_MS

    def check_warnings_come_before_disabling_and_only_if_there_is_one(self) -> None:
        assert 0 <= self.health.warnings <= (2 if self.disable_after_ms else 0)
        hopeless = is_hopeless(self.health, now_ms=self.now_ms, disable_after_ms=self.disable_after_ms)
        since_ms = self.failing_since_ms
        failing_ms = -1 if since_ms is None else self.now_ms - since_ms
        assert hopeless is (self.disable_after_ms > 0 and failing_ms >= self.disable_after_ms)

    def check_the_record_says_the_breaker_and_the_warnings(self) -> None:
        """Whatever becomes of this process, the next one knows that much; and an endpoint on record as failing is, or was told."""
        assert self.recorded.opened == self.health.opened
        assert self.recorded.probe_at_ms == self.health.probe_at_ms
        assert self.recorded.warnings == self.health.warnings
        if self.recorded.failing_since_ms is not None:
            assert self.health.failing_since_ms is not None

    def settle(self) -> None:
        """One success, and everything is as new."""
        self.succeed(Picks(0))
        assert self.health == WELL
        assert (self.recorded.opened, self.recorded.failing_since_ms, self.recorded.warnings) == (0, None, 0)
        assert breaker(self.health, self.now_ms) is Breaker.CLOSED

    # -- what the steps share -----------------------------------------------------------------------------------------

    def _fail(self, *, answered: bool) -> bool:
        was, before = breaker(self.health, self.now_ms), self.health
        self.weight += 1 if answered else _UNANSWERED
        if self.failing_since_ms is None:
            self.failing_since_ms = self.now_ms
        after = after_failure(before, answered=answered, now_ms=self.now_ms, disable_after_ms=self.disable_after_ms)
        assert after.failing_since_ms == self.failing_since_ms
        assert after.warnings >= before.warnings
        self._check_opening(was, before, after)
        self._judge(after)
        return True

    def _check_opening(self, was: Breaker, before: Health, after: Health) -> None:
        """It opens by a failed probe, or when failures in a row weigh 20; results that come while it is open change nothing."""
        opens = was is Breaker.PROBE or (was is Breaker.CLOSED and self.weight >= _OPENS_AT)
        assert after.opened == before.opened + opens
        if not opens:
            assert after.probe_at_ms == before.probe_at_ms
            return
        self.weight = 0
        wait_ms = (after.probe_at_ms or 0) - self.now_ms
        assert wait_ms == min(_COOL_DOWN_MAX_MS, 5_000 * 2**before.opened)

    def _judge(self, health: Health) -> None:
        self.health = health
        if is_news(self.recorded, health, now_ms=self.now_ms):
            self.recorded = health
