import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics import MetricWrapperBase

from hookline.runtime.metrics import Metrics
from hookline.schemas.records import DeathReason


def shown() -> str:
    registry = CollectorRegistry()
    Metrics(registry)
    return generate_latest(registry).decode()


def test_who_shows_a_metric_and_what_its_labels_say_is_told() -> None:
    metrics = Metrics(CollectorRegistry())
    for metric in vars(metrics).values():
        if isinstance(metric, MetricWrapperBase):
            (described,) = metric.describe()
            told = metrics.told[described.name]
            assert told.by
            assert tuple(told.labels) == metric._labelnames
            assert all(told.labels.values())


@pytest.mark.parametrize("reason", list(DeathReason))
def test_a_counter_whose_labels_are_known_is_there_before_the_first_one(reason: DeathReason) -> None:
    assert f'hookline_dead_letters_total{{reason="{reason}"}} 0.0' in shown()


def test_a_counter_of_which_one_label_is_anything_begins_without_samples() -> None:
    assert "hookline_attempts_total{" not in shown()
