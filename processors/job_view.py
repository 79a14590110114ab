"""What the live view says of a job: what was asked of it, whether there is anybody left to send to, and whether now."""

from typing import Protocol

from hookline.core.breaker import Breaker, Health, breaker, is_away
from hookline.core.jobs import Asked
from hookline.schemas.records import Account, Disabling, EndpointHealth, Job, JobKind, Subscription, SubscriptionStatus

_CLOCKS_MS = 60_000  # so much may the clocks of API processes differ


class Following(Protocol):
    """The live view, as jobs need it (`hookline.runtime.view.View`)."""

    def job(self, job_id: str) -> Asked | None: ...

    def subscription(self, subscription_id: str) -> Subscription | None: ...

    def disabling(self, subscription_id: str) -> Disabling | None: ...

    def health(self, subscription_id: str) -> EndpointHealth | None: ...

    def marker(self, account_id: str) -> Account | None: ...

    async def wait_applied(self, topic: str, offset: int, *, timeout_s: float) -> None: ...


def is_nobodys(job: Job, view: Following) -> bool:
    """Whether there is nobody left to send to. A view that is behind may not know the subscription yet.

    One that was made after the job is another, with the same id: the one that the job was for was deleted.
    """
    subscription = view.subscription(job.subscription_id)
    if subscription is None or subscription.account_id != job.account_id:
        return True
    is_another = subscription.created_at_ms > job.created_at_ms + _CLOCKS_MS
    return is_another or view.marker(job.account_id) is not None


def is_held(job: Job, view: Following) -> bool:
    """Whether its subscription gets nothing now: it is paused or disabled.

    What only puts on record that nothing is sent waits for nobody.
    """
    subscription = view.subscription(job.subscription_id)
    if subscription is None or job.kind is JobKind.CANCEL_RETRIES:
        return False
    is_paused = subscription.status is SubscriptionStatus.PAUSED
    return is_paused or view.disabling(job.subscription_id) is not None


def is_shut_out(job: Job, view: Following, *, now_ms: int) -> bool:
    """Whether its endpoint's breaker lets no request through now, not even a probe."""
    health = _health(job, view)
    return health is not None and breaker(health, now_ms) is Breaker.OPEN


def is_unasked(job: Job, view: Following, *, now_ms: int) -> bool:
    """Whether its endpoint is away, and is not to be asked just now whether it is well again."""
    health = _health(job, view)
    return health is not None and is_away(health, now_ms)


def _health(job: Job, view: Following) -> Health | None:
    """None for what sends nothing, too."""
    judged = None if job.kind is JobKind.CANCEL_RETRIES else view.health(job.subscription_id)
    return None if judged is None else Health(opened=judged.opened, probe_at_ms=judged.probe_at_ms)
