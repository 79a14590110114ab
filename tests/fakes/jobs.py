"""Jobs of recovery for tests that need none of their details."""

from hookline.schemas.records import Delivery, Job, JobKind, JobState, JobWish, Subscription, Wanted

JOB = Job(
    job_id="job_1",
    account_id="acct_1",
    subscription_id="wh_1",
    kind=JobKind.REPLAY,
    state=JobState.WAITING,
    run=1_000,
    since_ms=0,
    until_ms=1_000,
    events=(),
    everything=False,
    rate=100,
    created_at_ms=1_000,
    at_ms=1_000,
)


def job(of: Subscription, job_id: str = "job_1", *, state: JobState = JobState.RUNNING) -> Job:
    """A replay of all that there is."""
    return _job(job_id, of.account_id, of.subscription_id, state)


def cancelled_job(of: Delivery) -> Job:
    """The job that asked for this delivery, which is cancelled."""
    return _job(of.job_id or "", of.account_id, of.subscription_id, JobState.CANCELLED)


def wish(of: Job, wanted: Wanted) -> JobWish:
    """What its customer wants of it."""
    return JobWish(job_id=of.job_id, account_id=of.account_id, wanted=wanted, rate=None, at_ms=1)


def _job(job_id: str, account_id: str, subscription_id: str, state: JobState) -> Job:
    return Job(
        job_id=job_id,
        account_id=account_id,
        subscription_id=subscription_id,
        kind=JobKind.REPLAY,
        state=state,
        run=1,
        since_ms=0,
        until_ms=1,
        events=(),
        everything=True,
        rate=100,
        created_at_ms=0,
        at_ms=0,
    )
