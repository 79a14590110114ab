"""Every topic with its key, and why; partitions, retention and cleanup.

`hookline topics apply|diff` and the docs page are made from this file.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from hookline.schemas.errors import ConfigError
from hookline.schemas.tiers import tier_ms, tier_name

_DAY_MS = 86_400_000
_HOUR_MS = 3_600_000
_PREFIX = re.compile(r"[a-zA-Z0-9._-]{0,100}")

# The contract's retry times, each counted from the previous attempt.
RETRY_TIERS_MS = tuple(tier_ms(name) for name in ("1s", "5m", "30m", "2h", "6h", "12h"))
# 30m: a backlog of five minutes at ten times an endpoint's rate waits once, not three times (docs/decisions/0014).
POSTPONED_TIERS_MS = tuple(tier_ms(name) for name in ("1s", "10s", "1m", "10m", "30m"))
EVENT_RETENTION_DAYS = 7
# A payload is at most 256 KiB of JSON; with its envelope a record stays far below this, and so it is never refused.
RECORD_BYTES_MAX = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """What `topics apply` makes of one topic. `retention_ms` None: compacted, nothing expires."""

    name: str
    key: str
    holds: str
    partitions: int
    partitions_embedded: int
    retention_ms: int | None
    append_time: bool = False

    def config(self) -> Mapping[str, str]:
        """The topic's settings, by Kafka's names."""
        settings = {"max.message.bytes": str(RECORD_BYTES_MAX)}
        if self.append_time:
            settings |= {"message.timestamp.type": "LogAppendTime", "segment.ms": str(_HOUR_MS)}
        if self.retention_ms is None:
            # 7 days of tombstones: a view that follows always sees a delete; 0.1: configuration is small, so clean early.
            compacted = {"delete.retention.ms": str(7 * _DAY_MS), "min.cleanable.dirty.ratio": "0.1"}
            return settings | {"cleanup.policy": "compact"} | compacted
        return settings | {"cleanup.policy": "delete", "retention.ms": str(self.retention_ms)}


@dataclass(frozen=True, slots=True)
class Topics:
    """The names of all topics under one prefix, and their specifications."""

    prefix: str = ""
    retry_tiers_ms: tuple[int, ...] = RETRY_TIERS_MS
    postponed_tiers_ms: tuple[int, ...] = POSTPONED_TIERS_MS
    domains: tuple[str, ...] = ("user", "order", "payment")
    event_retention_days: int = EVENT_RETENTION_DAYS
    subscriptions: str = field(init=False)
    accounts: str = field(init=False)
    endpoint_state: str = field(init=False)
    deliveries: str = field(init=False)
    redeliveries: str = field(init=False)
    replays: str = field(init=False)
    attempts: str = field(init=False)
    dead_letters: str = field(init=False)
    audit: str = field(init=False)
    jobs: str = field(init=False)

    def __post_init__(self) -> None:
        if _PREFIX.fullmatch(self.prefix) is None:
            raise ConfigError(
                f"topic prefix {self.prefix!r} must be at most 100 of a-z, A-Z, 0-9, dot, dash, underscore"
            )
        for name in (
            "subscriptions",
            "accounts",
            "endpoint_state",
            "deliveries",
            "redeliveries",
            "replays",
            "attempts",
            "dead_letters",
            "audit",
            "jobs",
        ):
            object.__setattr__(self, name, f"{self.prefix}webhooks.{name.replace('_', '-')}")

    def events(self, event_type: str) -> str:
        """The topic of an event type: its first word says which, `order.created` goes to `events.order`."""
        return f"{self.prefix}events.{event_type.partition('.')[0]}"

    def all_events(self) -> tuple[str, ...]:
        """The topics that the fan-out reads."""
        return tuple(f"{self.prefix}events.{domain}" for domain in self.domains)

    def retry(self, delay_ms: int) -> str:
        """The topic where a failed delivery waits for `delay_ms`."""
        return f"{self.prefix}webhooks.retry.{tier_name(delay_ms)}"

    def postponed(self, delay_ms: int) -> str:
        """The topic where a delivery waits whose turn has not come, no attempt counted."""
        return f"{self.prefix}webhooks.postponed.{tier_name(delay_ms)}"

    def tier(self, topic: str) -> str:
        """A tier's topic as metrics name it: `retry.5m`, `postponed.10s`."""
        return topic.removeprefix(f"{self.prefix}webhooks.")

    def waiting_pattern(self) -> str:
        """A subscription pattern for every tier topic there is, also those no longer in the settings."""
        return rf"^{re.escape(self.prefix)}webhooks\.(retry|postponed)\.[1-9][0-9]*(ms|s|m|h|d)$"

    def specifications(self) -> Iterator[Topic]:
        """Every topic that the settings ask for."""
        yield from self._event_topics()
        yield from self._configuration_topics()
        yield from self._road_topics()
        yield from self._waiting_topics("retry", self.retry_tiers_ms, self.retry)
        yield from self._waiting_topics("postponed", self.postponed_tiers_ms, self.postponed)

    def _event_topics(self) -> Iterator[Topic]:
        for name in self.all_events():
            yield Topic(
                name=name,
                key="entity id, so that one entity's events stay in order",
                holds="events of source systems",
                partitions=24,
                partitions_embedded=4,
                retention_ms=self.event_retention_days * _DAY_MS,
            )

    def _configuration_topics(self) -> Iterator[Topic]:
        rows = (
            (self.subscriptions, "subscription id", "subscriptions, written only by the API; a delete is a tombstone"),
            (self.accounts, "account id or key id", "accounts and API keys (hashes only)"),
            (
                self.endpoint_state,
                "subscription id; with /disabled after it for a disabling, so that no judgement of health overwrites it",
                "what dispatchers judged of an endpoint: its health, and that its subscription is disabled",
            ),
            (
                self.jobs,
                "job id; with /wish after it for what the customer wants of the job, so that neither overwrites the other",
                "jobs of recovery: what they are for, and how far they are",
            ),
        )
        for name, key, holds in rows:
            # One partition: its offsets are one history, so "has seen offset n" means the same everywhere.
            yield Topic(name=name, key=key, holds=holds, partitions=1, partitions_embedded=1, retention_ms=None)

    def _road_topics(self) -> Iterator[Topic]:
        by_subscription = "subscription id, so that caps, limits and repeats of one endpoint are judged in one place"
        rows = (
            (self.deliveries, by_subscription, "first attempts", 64, 8, 7),
            (self.redeliveries, by_subscription, "deliveries that are due again", 64, 8, 7),
            (self.replays, by_subscription, "deliveries of jobs, and what of them is due again", 64, 8, 7),
            (self.attempts, by_subscription, "every outcome", 16, 4, 30),
            (
                self.dead_letters,
                "subscription id, or none",
                "exhausted and expired deliveries; unreadable records",
                8,
                1,
                30,
            ),
            (self.audit, "account id, so that an account's changes stay in order", "who changed what", 4, 1, 400),
        )
        for name, key, holds, partitions, embedded, days in rows:
            yield Topic(
                name=name,
                key=key,
                holds=holds,
                partitions=partitions,
                partitions_embedded=embedded,
                retention_ms=days * _DAY_MS,
            )

    def _waiting_topics(self, kind: str, tiers_ms: Iterable[int], named: Callable[[int], str]) -> Iterator[Topic]:
        for delay_ms in dict.fromkeys(tiers_ms):
            yield Topic(
                name=named(delay_ms),
                key="none: spread over the partitions, since only the broker's append time orders it",
                holds=f"deliveries that wait {tier_name(delay_ms)} ({kind})",
                partitions=8,
                partitions_embedded=2,
                retention_ms=delay_ms + 7 * _DAY_MS,  # outlives its wait by the longest stop we plan for
                append_time=True,
            )


def waiting_ms(topic: str) -> int:
    """The delay of a tier topic, from its name; ConfigError if it is none."""
    return tier_ms(topic.rpartition(".")[2])
