"""Every metric, declared once: unit in the name, who shows it, the values of its labels. No ids as values: they would grow without end."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from hookline.core.jobs import ShownState
from hookline.core.limits import LANES, Held
from hookline.core.verdict import ERRORS
from hookline.schemas.records import DeathReason, DisablingReason, JobKind

# 1 ms to 30 s, the longest an attempt may take; about two buckets per doubling where promises are made (4 and 8 ms, 30 ms).
_SECONDS = (
    0.001,
    0.002,
    0.003,
    0.004,
    0.006,
    0.008,
    0.012,
    0.02,
    0.03,
    0.05,
    0.1,
    0.25,
    0.5,
    1,
    2.5,
    5,
    10,
    20,
    30,
    60,
)
_LATE_SECONDS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 30, 300)

API, FANOUT, DISPATCHER, HISTORY, REPLAY = "API", "fan-out", "dispatcher", "history", "replay"
EVERY_ROLE = "every role"
_COMMITTERS = f"{FANOUT}, {DISPATCHER}, {HISTORY}, {REPLAY}"
_WAITING_ON = "the topic, as `retry.5m` or `postponed.10s`"
_TOPIC = "the topic, with its prefix"

Values = str | tuple[str, ...]  # of a label: in words, or all there are


@dataclass(frozen=True, slots=True)
class Told:
    """What docs/reference/metrics.md says of a metric beside its name and meaning: which roles show it, and each label's values."""

    by: str
    labels: Mapping[str, Values]


class Metrics:
    """The metrics of one process, in one registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.told: dict[str, Told] = {}
        ProcessCollector(registry=registry)
        self._declare_fanout()
        self._declare_requests()
        self._declare_lanes()
        self._declare_endpoints()
        self._declare_tiers()
        self._declare_history()
        self._declare_replay()
        self._declare_shared()
        self._declare_api()

    def _declare_fanout(self) -> None:
        self.events = self._counter(
            "hookline_events", "Events read by the fan-out", FANOUT, type="the event's type (`order.created`)"
        )
        self.events_rejected = self._counter(
            "hookline_events_rejected",
            "Source records sent to dead letters",
            FANOUT,
            reason=(DeathReason.UNREADABLE, DeathReason.TOO_LARGE),
        )
        self.deliveries_created = self._counter(
            "hookline_deliveries_created", "Deliveries written by the fan-out", FANOUT
        )
        self.fanout_outstanding = self._gauge(
            "hookline_fanout_outstanding_records", "Written and not yet acknowledged", FANOUT
        )
        self.fanout_seconds = self._histogram(
            "hookline_fanout_seconds", "Source append to deliveries acknowledged", FANOUT
        )

    def _declare_requests(self) -> None:
        self.attempts = self._counter(
            "hookline_attempts",
            "Requests made, by outcome and tier of the wait before",
            DISPATCHER,
            outcome=("succeeded", "failed"),
            tier="the retry tier (`5m`); `none` for a first attempt",
        )
        self.attempt_errors = self._counter(
            "hookline_attempt_errors", "Failed requests, by kind of error", DISPATCHER, error=ERRORS
        )
        self.not_attempted = self._counter(
            "hookline_not_attempted",
            "Deliveries postponed, cancelled, expired, or ended since a record of theirs was too large",
            DISPATCHER,
            outcome=("postponed", "cancelled", "expired", "too_large"),
        )
        self.postponed = self._counter(
            "hookline_postponed",
            "Deliveries put on a tier without a request, by reason",
            DISPATCHER,
            reason=tuple(Held),
            tier="the tier that it waits on (`10s`)",
        )
        self.dead_letters = self._counter(
            "hookline_dead_letters",
            "Records written to dead letters",
            f"{FANOUT}, {DISPATCHER}, {HISTORY}",
            reason=tuple(DeathReason),
        )
        self.repeats_dropped = self._counter(
            "hookline_repeats_dropped", "Second copies that were not sent again", DISPATCHER, lane=LANES
        )
        self.response_seconds = self._histogram(
            "hookline_response_seconds", "Request start to the end of the answer", DISPATCHER
        )
        self.end_to_end_seconds = self._histogram(
            "hookline_end_to_end_seconds",
            "Event's broker time to success, first attempts only, none of jobs",
            DISPATCHER,
        )

    def _declare_lanes(self) -> None:
        self.in_flight = self._gauge("hookline_in_flight_requests", "Requests in flight", DISPATCHER, lane=LANES)
        self.open_records = self._gauge(
            "hookline_open_records", "Records read and not yet done", DISPATCHER, lane=LANES
        )
        self.waiting_records = self._gauge(
            "hookline_waiting_records",
            "Of these, those held until their endpoint may be called",
            DISPATCHER,
            lane=LANES,
        )
        self.open_bytes = self._gauge(
            "hookline_open_bytes", "Size of the records read and not yet done", DISPATCHER, lane=LANES
        )
        self.doubtful_in_flight = self._gauge(
            "hookline_doubtful_in_flight_requests",
            "Requests in flight to endpoints without a recent success",
            DISPATCHER,
            lane=LANES,
        )

    def _declare_endpoints(self) -> None:
        self.endpoints_failing = self._gauge(
            "hookline_failing_endpoints", "Endpoints whose last attempt failed", DISPATCHER
        )
        self.breakers_open = self._gauge(
            "hookline_open_breakers", "Endpoints whose circuit breaker is open", DISPATCHER
        )
        self.breaker_changes = self._counter(
            "hookline_breaker_changes", "Circuit breakers opened or closed", DISPATCHER, to=("open", "closed")
        )
        self.disabled = self._counter(
            "hookline_disabled", "Subscriptions disabled by this process", DISPATCHER, reason=tuple(DisablingReason)
        )
        self.lookups = self._counter(
            "hookline_lookups",
            "Lookups of endpoints' names, by how they ended",
            f"{API}, {DISPATCHER}",
            outcome=("found", "unknown", "silent", "crowded"),
        )
        self.lookups_in_flight = self._gauge(
            "hookline_lookups_in_flight", "Endpoints' names being looked up", f"{API}, {DISPATCHER}"
        )

    def _declare_tiers(self) -> None:
        self.backlog = self._gauge(
            "hookline_backlog_records", "Records waiting on a tier's topic", DISPATCHER, tier=_WAITING_ON
        )
        self.forwarded = self._counter("hookline_forwarded", "Records forwarded when due", DISPATCHER, tier=_WAITING_ON)
        self.forward_late_seconds = self._histogram(
            "hookline_forward_late_seconds", "Due time to broker's yes", DISPATCHER, buckets=_LATE_SECONDS
        )

    def _declare_history(self) -> None:
        self.history_rows = self._counter(
            "hookline_history_rows", "Attempts and audit entries taken into the history store", HISTORY
        )
        self.history_batch_seconds = self._histogram(
            "hookline_history_batch_seconds", "One transaction of the history store", HISTORY
        )

    def _declare_replay(self) -> None:
        self.replay_jobs = self._gauge(
            "hookline_replay_jobs",
            "Jobs that are not over, by the process that has them",
            REPLAY,
            state=(ShownState.WAITING, ShownState.RUNNING, ShownState.PAUSED),
        )
        self.replay_deliveries = self._counter(
            "hookline_replay_deliveries",
            "Written by jobs: deliveries, or that they are cancelled",
            REPLAY,
            kind=tuple(JobKind),
        )
        self.replay_events = self._counter(
            "hookline_replay_events", "Records of the event log that replays looked at", REPLAY
        )
        self.replay_unreadable = self._counter(
            "hookline_replay_unreadable_events",
            "Of these, those that name the job's account and could not be read; they were passed over",
            REPLAY,
        )
        self.replay_removed = self._counter(
            "hookline_replay_removed_events",
            "Records of the event log, of any account, that were gone before they were read",
            REPLAY,
        )
        self.replay_ahead = self._gauge(
            "hookline_replay_ahead_records",
            "Written by running jobs and not yet committed by dispatchers, the most of one job",
            REPLAY,
        )

    def _declare_shared(self) -> None:
        self.ready = self._gauge("hookline_ready", "1 if `/readyz` answers 200, else 0", EVERY_ROLE)
        self.lag = self._gauge(
            "hookline_lag_records",
            "Records on the broker not yet committed",
            _COMMITTERS,
            topic=_TOPIC,
        )
        self.position_resets = self._counter(
            "hookline_position_resets",
            "Positions that were out of range, where reading began or in its middle, or in a topic that was made anew",
            EVERY_ROLE,
            topic=_TOPIC,
        )
        self.write_retries = self._counter(
            "hookline_write_retries",
            "Records written again since the broker did not say yes",
            _COMMITTERS,
            topic=_TOPIC,
        )
        self.commits = self._counter(
            "hookline_commits",
            "Offset commits, by how they ended",
            _COMMITTERS,
            outcome=("ok", "failed"),
        )
        self.view_offset = self._gauge(
            "hookline_view_offset",
            "Configuration offset that the live view has applied",
            f"{API}, {FANOUT}, {DISPATCHER}, {REPLAY}",
        )

    def _declare_api(self) -> None:
        self.change_seconds = self._histogram(
            "hookline_change_seconds",
            "Changes of the configuration, from their turn until the live view shows them",
            API,
        )
        self.fences_taken = self._counter(
            "hookline_fences_taken", "How often this process took the configuration's fence from others", API
        )
        self.api_requests = self._counter(
            "hookline_api_requests",
            "API requests",
            API,
            method="the HTTP method, or `other`",
            route="the path as documented (`/webhooks/{id}`), or `unknown`",
            status="the HTTP status",
        )
        self.api_seconds = self._histogram("hookline_api_seconds", "API requests, start to answer", API)

    def _counter(self, name: str, text: str, by: str, **labels: Values) -> Counter:
        """Samples whose labels are all known are there from the start, at 0: else no rule would notice the first increase."""
        self.told[name] = Told(by, labels)
        counter = Counter(name, text, tuple(labels), registry=self.registry)
        known = [values for values in labels.values() if isinstance(values, tuple)]
        for values in product(*known) if labels and len(known) == len(labels) else ():
            counter.labels(*values)
        return counter

    def _gauge(self, name: str, text: str, by: str, **labels: Values) -> Gauge:
        self.told[name] = Told(by, labels)
        return Gauge(name, text, tuple(labels), registry=self.registry)

    def _histogram(self, name: str, text: str, by: str, *, buckets: tuple[float, ...] = _SECONDS) -> Histogram:
        self.told[name] = Told(by, {})
        return Histogram(name, text, registry=self.registry, buckets=buckets)


def reading(registry: CollectorRegistry, name: str, labels: Mapping[str, str] | None = None) -> float:
    """The value of one sample now, 0 if there is none yet: for `hookline up`'s summary line and for tests."""
    return registry.get_sample_value(name, dict(labels or {})) or 0.0
