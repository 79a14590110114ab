"""Jobs of recovery: `/webhooks/{id}/jobs`, and `/jobs/{job_id}` with what can be wanted of one."""

from aiohttp import web

from hookline.api.answers import answer
from hookline.api.auth import CALLER, Caller
from hookline.api.bodies import read_body, read_query
from hookline.api.configuration import Configuration, Deed
from hookline.api.edge import FACTS
from hookline.api.listing import Place, cut, page_of
from hookline.api.ports import Parts
from hookline.api.problems import job_is_over, no_job
from hookline.api.recovery_answers import job_shown
from hookline.api.recovery_bodies import JobChange, JobList, JobQuery
from hookline.api.requests import without_nulls
from hookline.api.webhooks import subscription_of
from hookline.core.jobs import Asked, ShownState
from hookline.core.wishes import is_final, wish
from hookline.runtime.changes import Decision
from hookline.schemas.records import Wanted


class Jobs:
    """The handlers. A job of another account is as unknown as one that never was; that of a deleted webhook stays."""

    def __init__(self, parts: Parts, configuration: Configuration) -> None:
        self._view = parts.view
        self._clock = parts.clock
        self._configuration = configuration

    async def listing(self, request: web.Request) -> web.Response:
        """`GET /webhooks/{id}/jobs`: the newest first."""
        of = subscription_of(request, self._view)
        asked = read_query(request, JobQuery)
        page = page_of("jobs", asked)
        jobs = [each for each in reversed(self._view.jobs_of(of.subscription_id)) if asked.state in {None, each.shown}]
        left = jobs if page.after is None else [each for each in jobs if _place(each) < page.after]
        shown, cursor = cut(left, page, _place)
        return answer(JobList(jobs=tuple(map(job_shown, shown)), **without_nulls({"next_cursor": cursor})))

    async def read(self, request: web.Request) -> web.Response:
        """`GET /jobs/{job_id}`."""
        return answer(job_shown(self._named(request, request[CALLER])))

    async def change(self, request: web.Request) -> web.Response:
        """`PATCH /jobs/{job_id}`: another rate."""
        self._named(request, request[CALLER])  # 404 before anything is said of the body
        wanted = await read_body(request, JobChange)
        return await self._wish(request, "job.change", rate=wanted.rate)

    async def pause(self, request: web.Request) -> web.Response:
        """`POST /jobs/{job_id}/pause`."""
        return await self._wish(request, "job.pause", Wanted.PAUSE)

    async def resume(self, request: web.Request) -> web.Response:
        """`POST /jobs/{job_id}/resume`."""
        return await self._wish(request, "job.resume", Wanted.RUN)

    async def cancel(self, request: web.Request) -> web.Response:
        """`POST /jobs/{job_id}/cancel`."""
        return await self._wish(request, "job.cancel", Wanted.CANCEL)

    async def _wish(
        self, request: web.Request, operation: str, wanted: Wanted | None = None, *, rate: int | None = None
    ) -> web.Response:
        self._named(request, request[CALLER])  # who may not does not wait for those who may

        def decide(caller: Caller) -> Decision[Asked]:
            current = self._named(request, caller)
            if is_final(current):
                return Decision(_as_cancelled(current, wanted))
            wished = wish(current, now_ms=self._clock.now_ms(), wanted=wanted, rate=rate)
            if wished is None:
                return Decision(current)
            changed = Asked(current.job, wished)
            deed = _deed(operation, current, changed)
            audit = self._configuration.audit(request, caller, deed)
            return Decision(changed, (self._configuration.job_wish(wished), audit))

        return answer(job_shown(await self._configuration.change(request, decide)))

    def _named(self, request: web.Request, caller: Caller) -> Asked:
        found = self._view.job(request.match_info["job_id"])
        if found is None or found.job.account_id != caller.account_id:
            raise no_job()
        request[FACTS] |= {"job_id": found.job.job_id, "subscription_id": found.job.subscription_id}
        return found


def _as_cancelled(over: Asked, wanted: Wanted | None) -> Asked:
    """The same job, if it is asked to be what it is already: cancelled; else Refused with 409."""
    if wanted is Wanted.CANCEL and over.shown is ShownState.CANCELLED:
        return over
    raise job_is_over(over.shown.value)


def _deed(operation: str, before: Asked, after: Asked) -> Deed:
    return Deed(
        operation=operation,
        subject=after.job.job_id,
        account_id=after.job.account_id,
        before=job_shown(before).model_dump(exclude_unset=True),
        after=job_shown(after).model_dump(exclude_unset=True),
    )


def _place(asked: Asked) -> Place:
    return Place(asked.job.created_at_ms, asked.job.job_id)
