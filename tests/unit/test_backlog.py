from prometheus_client import CollectorRegistry

from hookline.dispatchers.backlog import show_backlog
from hookline.runtime.metrics import Metrics
from hookline.schemas.topics import Topics

TOPICS = Topics("t1.")


def backlog(metrics: Metrics) -> dict[str, float]:
    (shown,) = metrics.backlog.collect()
    return {sample.labels["tier"]: sample.value for sample in shown.samples}


def test_retries_and_postponed_ones_of_the_same_delay_are_told_apart() -> None:
    metrics = Metrics(CollectorRegistry())
    show_backlog({TOPICS.retry(1_000): 3, TOPICS.postponed(1_000): 5}, topics=TOPICS, metrics=metrics)
    assert backlog(metrics) == {"retry.1s": 3, "postponed.1s": 5}


def test_a_tier_that_went_to_another_process_is_shown_no_more() -> None:
    metrics = Metrics(CollectorRegistry())
    show_backlog({TOPICS.retry(1_000): 3, TOPICS.retry(300_000): 1}, topics=TOPICS, metrics=metrics)
    show_backlog({TOPICS.retry(300_000): 2}, topics=TOPICS, metrics=metrics)
    assert backlog(metrics) == {"retry.5m": 2}
