"""How much waits on each tier, for `/metrics`."""

import asyncio
from collections.abc import Callable, Mapping

from hookline.runtime.metrics import Metrics
from hookline.schemas.topics import Topics

_EVERY_S = 2.0  # as often as the reader hears where the topics end

Lag = Callable[[], Mapping[str, int]]


async def show_backlog_forever(lag: Lag, *, topics: Topics, metrics: Metrics) -> None:
    """Show it again and again; `lag` says by topic what the forwarder has not committed yet."""
    while True:
        show_backlog(lag(), topics=topics, metrics=metrics)
        await asyncio.sleep(_EVERY_S)


def show_backlog(lag: Mapping[str, int], *, topics: Topics, metrics: Metrics) -> None:
    """Show what waits on the partitions of this process: `retry.5m`, `postponed.10s`. What it gave up is shown no more."""
    metrics.backlog.clear()
    for topic, records in lag.items():
        metrics.backlog.labels(topics.tier(topic)).set(records)
