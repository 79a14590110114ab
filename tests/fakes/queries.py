"""What dashboards and alert rules may ask Prometheus for: samples that a role shows, their labels, and the values of these."""

import re
from collections.abc import Iterator, Mapping

from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase

from hookline.runtime.metrics import Metrics, Values

_SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}
_FROM_PROMETHEUS: Mapping[str, Values] = dict.fromkeys(("job", "instance", "le"), "as it is scraped")
_SELECTOR = re.compile(r"\b(up|hookline_\w+)(?:\{([^}]*)\})?")
_MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"')


def samples() -> dict[str, Mapping[str, Values]]:
    """The labels of every sample that a role can show and their values, by the sample's name; and Prometheus's own `up`."""
    found: dict[str, Mapping[str, Values]] = {"up": _FROM_PROMETHEUS}
    metrics = Metrics(CollectorRegistry())
    for metric in vars(metrics).values():
        if isinstance(metric, MetricWrapperBase):
            (described,) = metric.describe()
            for suffix in _SUFFIXES[described.type]:
                found[f"{described.name}{suffix}"] = {**metrics.told[described.name].labels, **_FROM_PROMETHEUS}
    return found


def selectors(query: str) -> list[tuple[str, str]]:
    """The samples that a query names, each with what stands in its braces."""
    return _SELECTOR.findall(query)


def complaints(query: str) -> list[str]:
    """What of a query is wrong, as far as that can be said without Prometheus."""
    return [*_unknown(query), *_unbalanced(query)]


def _unknown(query: str) -> Iterator[str]:
    known, named = samples(), selectors(query)
    if not named:
        yield "it names no metric"
    labels: dict[str, Values] = {}
    for sample, braces in named:
        if sample not in known:
            yield f"no role shows {sample}"
            continue
        labels |= known[sample]
        yield from _unmatched(sample, braces, known[sample])
    for label in re.split(r"[,\s]+", ",".join(re.findall(r"by \(([^)]*)\)", query))):
        if label and label not in labels:
            yield f"nothing that it names has the label {label}"


def _unmatched(sample: str, braces: str, labels: Mapping[str, Values]) -> Iterator[str]:
    for label, how, wanted in _MATCHER.findall(braces):
        values = labels.get(label)
        if values is None:
            yield f"{sample} has no label {label}"
        elif isinstance(values, tuple) and not set(wanted.split("|") if "~" in how else [wanted]) <= set(values):
            yield f"{label} of {sample} is never {wanted}"


def _unbalanced(query: str) -> Iterator[str]:
    bare = re.sub(r'"[^"]*"', "", query)
    yield from (f"{a} and {b} do not match" for a, b in ("()", "[]", "{}") if bare.count(a) != bare.count(b))
