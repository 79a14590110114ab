"""Recovery: one delivery again, all that failed, everything that happened; and no more retries."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from aiohttp import web

from hookline.api.answers import answer
from hookline.api.auth import Caller
from hookline.api.bodies import read_body
from hookline.api.configuration import AGAIN, Configuration, Deed, confirmed
from hookline.api.drafts import retries_cancelled
from hookline.api.edge import FACTS
from hookline.api.history_requests import milliseconds
from hookline.api.ports import Parts
from hookline.api.problems import (
    FieldError,
    body_no_longer_kept,
    counted_already,
    invalid,
    no_delivery,
    no_history,
    not_active,
    too_many_jobs,
    too_many_kept_jobs,
    unavailable,
    unwanted_events,
)
from hookline.api.recovery_answers import counted, job_shown
from hookline.api.recovery_bodies import RecoverRequest, ReplayRequest, RetryAccepted
from hookline.api.webhooks import Webhooks, own_subscription, rules, subscription_of
from hookline.core.catch_up import complaint_about_unwanted
from hookline.core.jobs import KEPT_MAX, OPEN_MAX, RATE_MAX, Asked, next_run
from hookline.core.resending import resent
from hookline.core.wishes import is_open
from hookline.runtime.changes import Decision, Write
from hookline.runtime.history_questions import DeliveryRow
from hookline.schemas.errors import NotYet
from hookline.schemas.records import Delivery, Job, JobKind, JobState, Subscription, SubscriptionStatus

_AHEAD_MAX_MS = 60_000  # the clock of who asks, or a time that was rounded up: it is taken as now
_COUNTED_MAX = 2  # at once, in a process, of an account each: each reads the log as fast as it can
_COUNT_S = 20.0  # counting has a bound of its own, of about 10 s
_AGAIN_S = 5
_FROM_THE_BEGINNING = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Order:
    """A job to make."""

    kind: JobKind
    since_ms: int
    until_ms: int
    rate: int
    events: tuple[str, ...] = ()
    everything: bool = False


class Recovery:
    """The handlers. What is another account's is as unknown as what never was."""

    def __init__(self, parts: Parts, configuration: Configuration, webhooks: Webhooks, *, answer_s: float) -> None:
        self._parts = parts
        self._view = parts.view
        self._configuration = configuration
        self._webhooks = webhooks
        self._answer_s = answer_s
        self._rules = rules(parts.catalogue, parts.settings)
        self._being_counted = set[str]()  # for whom

    # -- one delivery -------------------------------------------------------------------------------------------------

    async def retry(self, request: web.Request) -> web.Response:
        """`POST /webhooks/{id}/deliveries/{delivery_id}/retry`: this one again, now, as a run of its own."""
        of = subscription_of(request, self._view)
        row = await self._row(request, of)
        self._check_gets(of, row)
        kept = await self._kept(row, of.account_id)
        caller = request[AGAIN]()  # store and log can take their time
        of = own_subscription(request, self._view, caller)
        self._check_gets(of, row)
        again = self._again(kept, row)
        write = Write(
            topic=self._parts.topics.deliveries,
            key=of.subscription_id.encode(),
            value=self._parts.codec.encode(again),
        )
        await confirmed(self._parts.writer, write, answer_s=self._answer_s)
        deed = Deed(operation="delivery.retry", subject=again.delivery_id, account_id=of.account_id)
        audit = self._configuration.audit(request, caller, deed)
        await confirmed(self._parts.writer, audit, answer_s=self._answer_s)
        return answer(RetryAccepted(delivery_id=again.delivery_id, run=again.run), status=202)

    async def _row(self, request: web.Request, of: Subscription) -> DeliveryRow:
        delivery_id = request.match_info["delivery_id"]
        try:
            found = await self._parts.history.delivery(account_id=of.account_id, delivery_id=delivery_id)
        except NotYet as error:
            raise no_history() from error
        if found is None:
            raise no_delivery()
        request[FACTS]["delivery_id"] = found.delivery.delivery_id
        return found.delivery

    async def _kept(self, row: DeliveryRow, account_id: str) -> Delivery:
        try:
            kept = await self._parts.kept.delivery(row.origin, account_id=account_id, delivery_id=row.delivery_id)
        except NotYet as error:
            raise unavailable(
                "Kafka does not show the delivery's body now. Nothing was sent.", retry_after_s=_AGAIN_S
            ) from error
        if kept is None:
            raise body_no_longer_kept()
        return kept.delivery

    def _check_gets(self, of: Subscription, row: DeliveryRow) -> None:
        """Refused unless it is a delivery of this webhook, which would not just wait there, or be cancelled. A test never is."""
        if of.subscription_id != row.subscription_id:  # by now: a uid may have moved to another webhook
            raise no_delivery()
        if row.is_test:
            return
        if self._view.disabling(of.subscription_id) is not None:
            raise not_active("disabled", "Mend the endpoint, and POST /webhooks/{id}/enable first.")
        if of.status is SubscriptionStatus.PAUSED:
            raise not_active("paused", 'PATCH /webhooks/{id} with {"status": "active"} first.')

    def _again(self, kept: Delivery, row: DeliveryRow) -> Delivery:
        now_ms = self._parts.clock.now_ms()
        run = next_run(now_ms, last=row.run)
        return resent(kept, run=run, config_offset=self._view.applied, now_ms=now_ms)

    # -- jobs ---------------------------------------------------------------------------------------------------------

    async def recover(self, request: web.Request) -> web.Response:
        """`POST /webhooks/{id}/recover`: what failed for good in that time."""
        subscription_of(request, self._view)  # 404 before anything is said of the body
        wanted = await read_body(request, RecoverRequest)
        since_ms, until_ms = self._time(wanted)
        return await self._order(
            request, _Order(kind=JobKind.RECOVER, since_ms=since_ms, until_ms=until_ms, rate=wanted.rate)
        )

    async def replay(self, request: web.Request) -> web.Response:
        """`POST /webhooks/{id}/replay`: what happened in that time, or how much that would be."""
        subscription_of(request, self._view)
        wanted = await read_body(request, ReplayRequest, context=self._rules)
        since_ms, until_ms = self._time(wanted)
        order = _Order(
            kind=JobKind.REPLAY,
            since_ms=since_ms,
            until_ms=until_ms,
            rate=wanted.rate,
            events=tuple(wanted.events or ()),
            everything=wanted.everything,
        )
        return await (self._rehearsed(request, order) if wanted.dry_run else self._order(request, order))

    async def cancel_retries(self, request: web.Request) -> web.Response:
        """`POST /webhooks/{id}/cancel-retries`: what waits to be tried again, or for its turn, is not tried any more."""
        subscription_of(request, self._view)

        def decide(caller: Caller) -> Decision[tuple[Job, Subscription]]:
            current = self._webhooks.current(request, caller)
            changed = retries_cancelled(current, now_ms=self._parts.clock.now_ms())
            order = _Order(
                kind=JobKind.CANCEL_RETRIES,
                since_ms=_FROM_THE_BEGINNING,
                until_ms=changed.cancelled_before_ms,
                rate=RATE_MAX,
            )
            job = self._job(changed, order)
            deed = self._webhooks.deed("webhook.cancel-retries", current, changed)
            audit = self._configuration.audit(request, caller, deed)
            writes = (self._configuration.subscription(changed), audit, *self._writes(request, caller, job))
            return Decision((job, changed), writes)

        job, changed = await self._configuration.change(request, decide)
        return _accepted(request, job, edition=self._webhooks.edition(changed))

    async def _order(self, request: web.Request, order: _Order) -> web.Response:
        """Make the job. How many there may be at a time is looked at where no other process's change comes between."""

        def decide(caller: Caller) -> Decision[Job]:
            of = own_subscription(request, self._view, caller)
            self._check_events(of, order)
            job = self._job(of, order)
            return Decision(job, self._writes(request, caller, job))

        return _accepted(request, await self._configuration.change(request, decide))

    def _job(self, of: Subscription, order: _Order) -> Job:
        there = self._view.jobs_of(of.subscription_id)
        if sum(map(is_open, self._view.open_jobs_of(of.subscription_id))) >= OPEN_MAX:
            raise too_many_jobs(OPEN_MAX)
        if len(there) >= KEPT_MAX:
            raise too_many_kept_jobs(KEPT_MAX)
        now_ms = self._parts.clock.now_ms()
        return Job(
            job_id=self._parts.draw.job_id(),
            account_id=of.account_id,
            subscription_id=of.subscription_id,
            kind=order.kind,
            state=JobState.WAITING,
            run=next_run(now_ms, last=max((each.job.run for each in there), default=0)),
            since_ms=order.since_ms,
            until_ms=order.until_ms,
            events=order.events,
            everything=order.everything,
            rate=order.rate,
            created_at_ms=max(now_ms, of.created_at_ms),  # an older one would be of a former webhook
            at_ms=now_ms,
        )

    def _writes(self, request: web.Request, caller: Caller, job: Job) -> Sequence[Write]:
        shown = job_shown(Asked(job, None)).model_dump(exclude_unset=True)
        deed = Deed(operation="job.create", subject=job.job_id, account_id=job.account_id, after=shown)
        return (self._configuration.job(job), self._configuration.audit(request, caller, deed))

    def _check_events(self, of: Subscription, order: _Order) -> None:
        complaint = complaint_about_unwanted(order.events, of.events, self._rules.event_types)
        if complaint is not None:
            raise unwanted_events(complaint)

    def _time(self, wanted: RecoverRequest | ReplayRequest) -> tuple[int, int]:
        """From when, and before when; Refused if nothing can have happened then."""
        now_ms = self._parts.clock.now_ms()
        since_ms = max(milliseconds(wanted.since), 0)  # Kafka takes a time before 1970 for "the end"
        until_ms = now_ms if wanted.until is None else milliseconds(wanted.until)
        if since_ms >= now_ms:
            raise invalid([FieldError("since", "must be in the past")])
        if until_ms > now_ms + _AHEAD_MAX_MS:
            raise invalid([FieldError("until", "must not be in the future")])
        if until_ms <= since_ms:
            raise invalid([FieldError("until", "must be after `since`, and after 1970")])
        return since_ms, min(until_ms, now_ms)

    # -- counting -----------------------------------------------------------------------------------------------------

    async def _rehearsed(self, request: web.Request, order: _Order) -> web.Response:
        of = own_subscription(request, self._view, request[AGAIN]())  # a body can take its time
        self._check_events(of, order)
        with self._place(of.account_id):
            try:
                async with asyncio.timeout(_COUNT_S):
                    found = await self._parts.counting.count(
                        of,
                        since_ms=order.since_ms,
                        until_ms=order.until_ms,
                        events=order.events,
                        everything=order.everything,
                    )
            except (NotYet, TimeoutError) as error:
                raise unavailable(
                    "Kafka or the history store does not answer now, so nothing could be counted.",
                    retry_after_s=_AGAIN_S,
                ) from error
        return answer(counted(found, rate=order.rate))

    @contextmanager
    def _place(self, account_id: str) -> Iterator[None]:
        """Refused with 429 if one of the account's is being counted, with 503 if as many are in all as are at once."""
        if account_id in self._being_counted:
            raise counted_already(retry_after_s=_AGAIN_S)
        if len(self._being_counted) >= _COUNTED_MAX:
            detail = f"{_COUNTED_MAX} replays are being counted already. Nothing was counted."
            raise unavailable(detail, retry_after_s=_AGAIN_S)
        self._being_counted.add(account_id)
        try:
            yield
        finally:
            self._being_counted.discard(account_id)


def _accepted(request: web.Request, job: Job, *, edition: str | None = None) -> web.Response:
    """202 with the job; with the webhook's edition if that was changed with it."""
    request[FACTS]["job_id"] = job.job_id
    headers = {"Location": f"/jobs/{job.job_id}"} | ({} if edition is None else {"ETag": edition})
    return answer(job_shown(Asked(job, None)), status=202, headers=headers)
