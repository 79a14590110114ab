"""When a dispatcher says that it is ready: it knows the configuration, the broker answers, and what there is to do is done."""

from collections.abc import Hashable, Mapping, Sequence
from functools import partial

from hookline.dispatchers.assembly import Parts
from hookline.dispatchers.forwarder import Forwarder
from hookline.dispatchers.worker import Worker
from hookline.runtime.end_offsets import EndOffsets
from hookline.runtime.health import Check
from hookline.runtime.kafka_reader import KafkaReader
from hookline.runtime.metrics import Metrics
from hookline.runtime.pulse import Pulse, Watch, unread
from hookline.runtime.view import View


def readiness(
    parts: Parts,
    lanes: Sequence[KafkaReader],
    tiers: KafkaReader,
    *,
    worker: Worker,
    forwarder: Forwarder,
    ends: EndOffsets,
) -> Sequence[Check]:
    """The checks of /readyz; what they look at is asked for by tasks that begin here."""
    pulse = Pulse(ends, topic=parts.topics.subscriptions, clock=parts.clock)
    watch = Watch(
        pulse,
        *(partial(unread, each, ends) for each in (*lanes, tiers)),
        partial(_undelivered, lanes, parts.metrics),
        forwarder.overdue,
        clock=parts.clock,
    )
    parts.tasks.spawn(pulse.beat_forever())
    parts.tasks.spawn(watch.look_forever())
    reading = [each.complaint for each in (*lanes, tiers)]
    stopped = [worker.stopped.complaint, forwarder.stopped.complaint]
    return [partial(_view_complaint, parts.view), *reading, *stopped, pulse.complaint, watch.complaint]


def _view_complaint(view: View) -> str | None:
    return None if view.ready else "the live view has not been read to its end yet"


async def _undelivered(lanes: Sequence[KafkaReader], metrics: Metrics) -> Mapping[str, Hashable]:
    """All lanes together: one that hangs until its timeout is not stuck, for others end meanwhile."""
    if not any(records for lane in lanes for records in lane.lag().values()):
        return {}
    open_records = [sample.value for family in metrics.open_records.collect() for sample in family.samples]
    moved = [each for lane in lanes for each in (*lane.positions().items(), *lane.wanted().items())]
    return {"deliveries": (tuple(moved), tuple(open_records))}
