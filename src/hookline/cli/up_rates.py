"""The summary line of `hookline up`: totals from the processes' /metrics, and what happened between two looks. No I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

from hookline.cli.up_plan import Part


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """What the processes counted; `backlog` is what waits now, `verified` what the demo receiver verified."""

    events: float = 0
    deliveries: float = 0
    succeeded: float = 0
    failed: float = 0
    backlog: float = 0
    verified: float = 0


@dataclass(frozen=True, slots=True)
class _Source:
    part: Part
    sample: str
    labels: Mapping[str, str]


_GAPS = ("   ", "  ", " ")
_SOURCES: Mapping[str, _Source] = {
    "events": _Source(Part.FANOUT, "hookline_events_total", {}),
    "deliveries": _Source(Part.FANOUT, "hookline_deliveries_created_total", {}),
    "succeeded": _Source(Part.DISPATCHER, "hookline_attempts_total", {"outcome": "succeeded"}),
    "failed": _Source(Part.DISPATCHER, "hookline_attempts_total", {"outcome": "failed"}),
    "backlog": _Source(Part.DISPATCHER, "hookline_backlog_records", {}),
}


def totals(pages: Mapping[Part, str], *, verified: float | None, before: Totals) -> Totals:
    """The totals on these metrics pages; of a process that did not answer, those from before."""
    found = {
        name: _sum(pages[source.part], source) if source.part in pages else getattr(before, name)
        for name, source in _SOURCES.items()
    }
    return Totals(**found, verified=before.verified if verified is None else verified)


def summary(before: Totals, now: Totals, *, seconds: float) -> Sequence[str]:
    """The words of the line: what happened in the `seconds` between two looks, what waits, what was verified."""
    return (
        f"events {_rate(before.events, now.events, seconds)}/s",
        f"deliveries {_rate(before.deliveries, now.deliveries, seconds)}/s",
        f"ok {_rate(before.succeeded, now.succeeded, seconds)}/s",
        f"failed {_rate(before.failed, now.failed, seconds)}/s",
        f"backlog {now.backlog:,.0f}",
        f"verified {now.verified:,.0f}",
    )


def fitted(words: Sequence[str], *, columns: int) -> str:
    """The words in one line, as far apart as the columns allow."""
    lines = [gap.join(words) for gap in _GAPS]
    return next((line for line in lines if len(line) <= columns), lines[-1])


def _rate(before: float, now: float, seconds: float) -> str:
    grown = now - before if now >= before else now  # a process that was started again counts from 0
    rate = grown / seconds if seconds > 0 else 0.0
    return f"{rate:,.0f}" if rate >= 10 or rate == 0 else f"{rate:.1f}"


def _sum(page: str, source: _Source) -> float:
    return sum(
        sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        if sample.name == source.sample and source.labels.items() <= sample.labels.items()
    )
