from prometheus_client import CollectorRegistry, generate_latest

from hookline.cli.up_plan import Part
from hookline.cli.up_rates import Totals, fitted, summary, totals
from hookline.runtime.metrics import Metrics


def pages() -> dict[Part, str]:
    """The pages of a fan-out and a dispatcher that did something."""
    fanout, dispatcher = Metrics(CollectorRegistry()), Metrics(CollectorRegistry())
    fanout.events.labels("order.created").inc(7)
    fanout.events.labels("user.created").inc(3)
    fanout.deliveries_created.inc(20)
    dispatcher.attempts.labels("succeeded", "0").inc(15)
    dispatcher.attempts.labels("succeeded", "1s").inc(2)
    dispatcher.attempts.labels("failed", "0").inc(4)
    dispatcher.backlog.labels("5m").set(6)
    dispatcher.backlog.labels("1s").set(1)
    return {
        Part.FANOUT: generate_latest(fanout.registry).decode(),
        Part.DISPATCHER: generate_latest(dispatcher.registry).decode(),
    }


def test_totals_are_summed_over_all_labels() -> None:
    assert totals(pages(), verified=17, before=Totals()) == Totals(
        events=10, deliveries=20, succeeded=17, failed=4, backlog=7, verified=17
    )


def test_a_process_that_does_not_answer_keeps_its_last_totals() -> None:
    before = Totals(events=5, deliveries=6, succeeded=7, failed=8, backlog=9, verified=10)
    assert totals({}, verified=None, before=before) == before


def test_the_summary_says_what_happened_between_two_looks() -> None:
    before = Totals(events=100, deliveries=100, succeeded=90, failed=10, backlog=3, verified=90)
    now = Totals(events=200, deliveries=300, succeeded=95, failed=10, backlog=1_234, verified=1_095)
    assert fitted(summary(before, now, seconds=5), columns=100) == (
        "events 20/s   deliveries 40/s   ok 1.0/s   failed 0/s   backlog 1,234   verified 1,095"
    )


def test_a_process_that_was_started_again_counts_from_zero() -> None:
    assert summary(Totals(events=1_000), Totals(events=50), seconds=5)[0] == "events 10/s"


def test_the_summary_of_a_busy_laptop_fits_into_80_columns() -> None:
    busy = Totals(events=2_000, deliveries=2_000, succeeded=2_000, failed=100, backlog=999, verified=99_999)
    assert len(fitted(summary(Totals(), busy, seconds=5), columns=78)) <= 78
