"""What a job of recovery sends of the deliveries that failed for good, with a list and bodies in memory."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from fakes.configuration import delivery, subscription
from fakes.fanout import CODEC, TOPICS
from fakes.history import FAILED
from fakes.replaying import job_for
from hookline.core.rendering import Renderer
from hookline.processors.job_list_steps import CancelRetries, Recover
from hookline.processors.job_steps import Rendering, Step
from hookline.runtime.catalogue import load_catalogue
from hookline.runtime.clock import SystemClock
from hookline.runtime.history_questions import Cursor, DeliveryRow
from hookline.runtime.kept import KeptDelivery
from hookline.runtime.recovery_rows import FailedPage, PendingRow
from hookline.schemas.records import Attempt, Delivery, Job, JobKind, Place

TO = subscription("https://example.com/", "order.*")
JOB = job_for(TO, JobKind.RECOVER)
LATE = JOB.run + 600_000  # asked for when the clock was ahead, or after the job
RENDERING = Rendering(
    codec=CODEC,
    renderer=Renderer(load_catalogue()),
    topics=TOPICS,
    clock=SystemClock(),
    config_offset=lambda: 1,
    body_bytes_max=256 * 1024,
)


@dataclass(slots=True)
class Failed:
    """A history store with one page of these rows, and a Kafka that keeps all their bodies."""

    rows: Sequence[DeliveryRow] = ()
    to_come: Sequence[PendingRow] = ()

    async def failed(
        self, *, account_id: str, subscription_id: str, since_ms: int, until_ms: int, after: Cursor | None
    ) -> FailedPage:
        return FailedPage(rows=self.rows, walked=len(self.rows), last=None)

    async def pending(
        self, *, account_id: str, subscription_id: str, until_ms: int, before: Cursor | None, limit: int
    ) -> Sequence[PendingRow]:
        return () if before is not None else self.to_come

    async def delivery(self, place: Place, *, account_id: str, delivery_id: str) -> KeptDelivery | None:
        return KeptDelivery(delivery=replace(delivery(TO), delivery_id=delivery_id), until_ms=None)


def row(delivery_id: str, *, run: int, job_id: str | None = None) -> DeliveryRow:
    return replace(FAILED, delivery_id=delivery_id, state="exhausted", next_attempt_at_ms=None, run=run, job_id=job_id)


async def carried_out(job: Job, *rows: DeliveryRow) -> tuple[list[Delivery], Job]:
    """What is sent, and how the job is then."""
    store = Failed(rows)
    recovering = Recover(lists=store, kept=store, rendering=RENDERING, subscription=TO, size=lambda: 10)
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


async def test_what_may_have_been_made_after_retries_were_cancelled_is_left_to_the_dispatchers() -> None:
    cut_ms = JOB.created_at_ms + 600_000  # by a clock that is ahead, maybe
    to_come = [
        PendingRow(delivery=row(f"delivery_{ago_ms}", run=0), next_attempt=2, run_began_ms=cut_ms - ago_ms)
        for ago_ms in (60_001, 60_000, 1, 0)
    ]
    to, job = replace(TO, cancelled_before_ms=cut_ms), replace(JOB, kind=JobKind.CANCEL_RETRIES)
    ending = CancelRetries(lists=Failed(to_come=to_come), rendering=RENDERING, subscription=to)
    (step,) = [each async for each in ending.steps(job)]
    assert [CODEC.decode(each.value, Attempt).delivery_id for each in step.writes] == ["delivery_60001"]
    assert (step.after.looked_at, step.after.sent, step.after.left_out) == (4, 1, 3)
