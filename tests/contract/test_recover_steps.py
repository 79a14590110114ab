"""What a job of recovery sends of the deliveries that failed for good, with a list and bodies in memory."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from fakes.configuration import delivery, subscription
from fakes.fanout import CODEC, TOPICS
from fakes.history import FAILED
from fakes.replaying import job_for
from hookline.core.rendering import Renderer
from hookline.processors.job_list_steps import Recover
from hookline.processors.job_steps import Rendering, Step
from hookline.runtime.catalogue import load_catalogue
from hookline.runtime.clock import SystemClock
from hookline.runtime.history_questions import Cursor, DeliveryRow
from hookline.runtime.kept import KeptDelivery
from hookline.runtime.recovery_rows import FailedPage, PendingRow
from hookline.schemas.records import Delivery, Job, JobKind, Place

TO = subscription("https://example.com/", "order.*")
JOB = job_for(TO, JobKind.RECOVER)
LATE = JOB.run + 600_000  # asked for when the clock was ahead, or after the job


@dataclass(slots=True)
class Failed:
    """A history store with one page of these rows, and a Kafka that keeps all their bodies."""

    rows: Sequence[DeliveryRow]

    async def failed(
        self, *, account_id: str, subscription_id: str, since_ms: int, until_ms: int, after: Cursor | None
    ) -> FailedPage:
        return FailedPage(rows=self.rows, walked=len(self.rows), last=None)

    async def pending(
        self, *, account_id: str, subscription_id: str, until_ms: int, before: Cursor | None, limit: int
    ) -> Sequence[PendingRow]:
        return ()

    async def delivery(self, place: Place, *, account_id: str, delivery_id: str) -> KeptDelivery | None:
        return KeptDelivery(delivery=replace(delivery(TO), delivery_id=delivery_id), until_ms=None)


def row(delivery_id: str, *, run: int, job_id: str | None = None) -> DeliveryRow:
    return replace(FAILED, delivery_id=delivery_id, state="exhausted", next_attempt_at_ms=None, run=run, job_id=job_id)


async def carried_out(job: Job, *rows: DeliveryRow) -> tuple[list[Delivery], Job]:
    """What is sent, and how the job is then."""
    store = Failed(rows)
    rendering = Rendering(
        codec=CODEC,
        renderer=Renderer(load_catalogue()),
        topics=TOPICS,
        clock=SystemClock(),
        config_offset=lambda: 1,
        body_bytes_max=256 * 1024,
    )
    recovering = Recover(lists=store, kept=store, rendering=rendering, subscription=TO, size=lambda: 10)
    steps: list[Step] = [each async for each in recovering.steps(job)]
    return [CODEC.decode(out.value, Delivery) for each in steps for out in each.writes], steps[-1].after


async def test_a_run_is_the_job_s_or_later_than_the_last_one() -> None:
    rows = [row("delivery_a", run=0), row("delivery_b", run=LATE), row("delivery_c", run=JOB.run, job_id="job_x")]
    sent, ended = await carried_out(JOB, *rows)
    assert {each.delivery_id: each.run for each in sent} == {
        "delivery_a": JOB.run,
        "delivery_b": LATE + 1,
        "delivery_c": JOB.run + 1,
    }
    assert {each.job_id for each in sent} == {JOB.job_id}
    assert (ended.sent, ended.left_out) == (3, 0)


async def test_what_the_job_has_sent_already_is_left_out_whatever_its_run() -> None:
    rows = [row(f"delivery_{run}", run=run, job_id=JOB.job_id) for run in (JOB.run, LATE)]
    sent, ended = await carried_out(JOB, *rows)
    assert (sent, ended.sent, ended.left_out) == ([], 0, 2)
