from collections.abc import Iterable
from dataclasses import replace

from prometheus_client import CollectorRegistry

from fakes.configuration import subscription
from fakes.fanout import CODEC, TOPICS
from fakes.replaying import job_for
from hookline.processors.job_keeping import outdated
from hookline.runtime.log import KafkaRecord
from hookline.runtime.metrics import Metrics
from hookline.runtime.view import View
from hookline.schemas.records import Job, JobState, JobWish, Wanted, wish_key

DAY_MS = 86_400_000
NOW_MS = 100 * DAY_MS
TO = subscription("https://example.com/")
OLD = replace(job_for(TO), job_id="job_old", state=JobState.DONE, finished_at_ms=NOW_MS - 30 * DAY_MS - 1)
NEWER_SCHEMA = b"\xc3\x01" + bytes(8)


def view_of(records: Iterable[tuple[bytes, bytes]]) -> View:
    """A view that has read these records of the topic of jobs."""
    view = View(topics=TOPICS, codec=CODEC, metrics=Metrics(CollectorRegistry()))
    view.received([KafkaRecord(TOPICS.jobs, 0, offset, 0, key, value) for offset, (key, value) in enumerate(records)])
    return view


def job(record: Job) -> tuple[bytes, bytes]:
    return record.job_id.encode(), CODEC.encode(record)


def wish(job_id: str) -> tuple[bytes, bytes]:
    record = JobWish(job_id=job_id, account_id=TO.account_id, wanted=Wanted.PAUSE, rate=None, at_ms=0)
    return wish_key(job_id), CODEC.encode(record)


def test_jobs_that_ended_a_month_ago_go_with_their_wishes_and_so_do_wishes_without_a_job() -> None:
    new = replace(OLD, job_id="job_new", finished_at_ms=NOW_MS - 30 * DAY_MS)
    runs = replace(job_for(TO), job_id="job_runs", created_at_ms=0)
    wishes = [wish(each) for each in ("job_old", "job_new", "job_runs", "job_gone")]
    view = view_of([*map(job, (OLD, new, runs)), *wishes])
    assert set(outdated(view, now_ms=NOW_MS)) == {b"job_old", b"job_old/wish", b"job_gone/wish"}


def test_nothing_of_a_job_goes_that_a_newer_release_wrote() -> None:
    view = view_of([job(OLD), wish("job_old"), (b"job_old", NEWER_SCHEMA), (b"job_new", NEWER_SCHEMA), wish("job_new")])
    assert set(outdated(view, now_ms=NOW_MS)) == set()
