"""What a customer may still want of a job."""

from hookline.core.jobs import Asked
from hookline.schemas.records import JobWish, Wanted


def is_final(asked: Asked) -> bool:
    """Whether nothing can be wanted of it any more: it has ended, or is to end."""
    return asked.is_over or asked.is_cancelled


def is_open(asked: Asked) -> bool:
    """Whether it counts among those that a subscription may have at a time."""
    return not is_final(asked)


def wish(asked: Asked, *, now_ms: int, wanted: Wanted | None = None, rate: int | None = None) -> JobWish | None:
    """The wish that it do this, at this rate (None: as it is now); None if it is to do so already."""
    new_wanted = asked.wanted if wanted is None else wanted
    new_rate = asked.rate if rate is None else rate
    if (new_wanted, new_rate) == (asked.wanted, asked.rate):
        return None
    job = asked.job
    return JobWish(job_id=job.job_id, account_id=job.account_id, wanted=new_wanted, rate=new_rate, at_ms=now_ms)
