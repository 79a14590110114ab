"""Answers that say no: problem bodies of RFC 9457, each with a stable `type`.

No detail ever repeats a body, a secret or a key that a client sent.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

from aiohttp import web

from hookline.schemas.errors import HooklineError

_HISTORY_AGAIN_S = 5
_NEWER_AGAIN_S = 5
_QUESTION_S = 10  # an endpoint answers in this time, or not at all
_UNOPENED_AGAIN_S = 60  # an operator sets a key and starts the API anew
MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field of a request; `field` is its path, such as `events[3]`."""

    field: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One way of saying no. `name` ends its `type`, and never changes."""

    status: HTTPStatus
    name: str
    title: str
    detail: str
    errors: Sequence[FieldError] = ()
    headers: Sequence[tuple[str, str]] = ()


class Refused(HooklineError):  # noqa: N818 - it is an answer, not a failure
    """The client acts: its request is answered with this problem."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.problem = problem


def answer(problem: Problem, *, request_id: str) -> web.Response:
    """The response that carries a problem."""
    body: dict[str, object] = {
        "type": f"urn:hookline:problem:{problem.name}",
        "title": problem.title,
        "status": problem.status.value,
        "detail": problem.detail,
        "request_id": request_id,
    }
    if problem.errors:
        body["errors"] = [{"field": each.field, "detail": each.detail} for each in problem.errors]
    return web.Response(
        status=problem.status,
        body=json.dumps(body).encode(),  # ASCII: also a lone surrogate from a client can be sent back
        headers={"Content-Type": MEDIA_TYPE, **dict(problem.headers)},
    )


def unreadable(detail: str) -> Refused:
    """400: the body is not JSON."""
    return _refused(HTTPStatus.BAD_REQUEST, "bad-json", "The body is not valid JSON", detail)


def account_needed(header: str) -> Refused:
    """400: an administrator has not said whose webhooks are meant."""
    detail = f"This API key is of no account. Name the one that is meant: `{header}: acct_...`."
    return _refused(HTTPStatus.BAD_REQUEST, "account-needed", "An account must be named", detail)


def unauthorized(detail: str, *, challenge: str) -> Refused:
    """401: no API key, or one that is not right; which of the two is all that is said."""
    title, headers = "An API key is needed", [("WWW-Authenticate", challenge)]
    return _refused(HTTPStatus.UNAUTHORIZED, "unauthorized", title, detail, headers=headers)


def forbidden(scope: str, *, challenge: str) -> Refused:
    """403: the key is right, but may not do this."""
    title, headers = "This API key may not do this", [("WWW-Authenticate", challenge)]
    detail = f"It needs the scope {scope}."
    return _refused(HTTPStatus.FORBIDDEN, "forbidden", title, detail, headers=headers)


def no_webhook() -> Refused:
    """404: there is no such webhook, or it is another account's; nobody can tell which."""
    detail = "The account of this API key has no webhook with this id."
    return _refused(HTTPStatus.NOT_FOUND, "unknown-webhook", "There is no such webhook", detail)


def no_delivery() -> Refused:
    """404: nothing is on record of such a delivery, or it is another account's; nobody can tell which."""
    detail = "The account of this API key has no delivery with this id on record."
    return _refused(HTTPStatus.NOT_FOUND, "unknown-delivery", "There is no such delivery", detail)


def no_event() -> Refused:
    """404: no delivery of such an event is on record, or it is another account's; nobody can tell which."""
    detail = "The account of this API key has no delivery of an event with this id on record."
    return _refused(HTTPStatus.NOT_FOUND, "unknown-event", "There is no such event", detail)


def no_job() -> Refused:
    """404: there is no such job, or it is another account's; nobody can tell which."""
    detail = "The account of this API key has no job with this id."
    return _refused(HTTPStatus.NOT_FOUND, "unknown-job", "There is no such job", detail)


def no_account() -> Refused:
    """404: there is no such account, or the key is not of it; nobody can tell which."""
    detail = "There is no account with this id, or this API key is not of it."
    return _refused(HTTPStatus.NOT_FOUND, "unknown-account", "There is no such account", detail)


def no_letter() -> Refused:
    """404: there is no such dead letter, or no longer."""
    detail = "The topic of dead letters has none at this place, or no longer."
    return _refused(HTTPStatus.NOT_FOUND, "unknown-dead-letter", "There is no such dead letter", detail)


def not_redrivable() -> Refused:
    """409: too little of a dead letter was kept, or its webhook is gone."""
    detail = (
        "Its bytes were too large to keep, or are none that can be sent, or its webhook is gone: nothing is sent again."
    )
    return _refused(HTTPStatus.CONFLICT, "not-redrivable", "The dead letter can't be sent again", detail)


def not_active(what: str, remedy: str) -> Refused:
    """409: a webhook that gets nothing now is asked to get something."""
    detail = f"The webhook is {what}, so nothing was sent. {remedy}"
    return _refused(HTTPStatus.CONFLICT, "webhook-not-active", "The webhook is not active", detail)


def too_many_jobs(most: int) -> Refused:
    """409: a webhook has as many jobs that are not over as it may."""
    detail = (
        f"A webhook may have {most} jobs that are not over, and this one has them. Cancel one, or wait for its end."
    )
    return _too_many_jobs(detail)


def too_many_kept_jobs(most: int) -> Refused:
    """409: of a webhook as many jobs are kept as may be, most of them over."""
    detail = (
        f"{most} jobs of this webhook are kept, and most are over: more were asked for in a short time than Hookline forgets. "
        "Old ones go every 10 minutes; those that were cancelled after they had sent something go once nothing of theirs "
        "can be under way. Ask again later."
    )
    return _too_many_jobs(detail)


def _too_many_jobs(detail: str) -> Refused:
    return _refused(HTTPStatus.CONFLICT, "too-many-jobs", "The webhook has too many jobs", detail)


def job_is_over(how: str) -> Refused:
    """409: a job has ended, so it can't be held up, go on or be changed."""
    detail = f"The job is {how}: nothing can be changed of it any more. Ask for a new one."
    return _refused(HTTPStatus.CONFLICT, "job-is-over", "The job is over", detail)


def body_no_longer_kept() -> Refused:
    """410: what is to be sent is no longer in Kafka."""
    detail = "The delivery's body is no longer kept, so it can't be sent again. Nothing was sent."
    return _refused(HTTPStatus.GONE, "body-no-longer-kept", "The body is no longer kept", detail)


def no_key() -> Refused:
    """404: the account has no such key."""
    detail = "There is no API key with this id here."
    return _refused(HTTPStatus.NOT_FOUND, "unknown-key", "There is no such API key", detail)


def too_slow() -> Refused:
    """408: the body did not arrive in time."""
    detail = "The connection was open, but the rest of the body did not come. Nothing was changed."
    title, headers = "The body did not arrive in time", [("Connection", "close")]
    return _refused(HTTPStatus.REQUEST_TIMEOUT, "too-slow", title, detail, headers=headers)


def too_many_webhooks(most: int) -> Refused:
    """409: the account has as many webhooks as it may."""
    detail = f"This account may have {most} webhooks, and it has them. Delete one first."
    return _refused(HTTPStatus.CONFLICT, "too-many-webhooks", "The account has too many webhooks", detail)


def too_many_keys(most: int) -> Refused:
    """409: the account has as many API keys as it may."""
    detail = f"An account may have {most} API keys, and this one has them. Revoke one first."
    return _refused(HTTPStatus.CONFLICT, "too-many-keys", "The account has too many API keys", detail)


def taken_uid() -> Refused:
    """409: another webhook of the account has this uid."""
    detail = "Another webhook of this account has this uid."
    return _refused(HTTPStatus.CONFLICT, "uid-taken", "The uid is taken", detail)


def rotation_under_way() -> Refused:
    """409: a secret is being changed already."""
    detail = "Two secrets sign now. End that with POST /webhooks/{id}/secret/promote, or wait until it is over."
    return _refused(HTTPStatus.CONFLICT, "rotation-under-way", "The secret is being changed already", detail)


def changed_meanwhile(current: str) -> Refused:
    """412: it is no longer what the client has read."""
    detail = "It is not the edition that If-Match names. Read it again, and make the change to what it is now."
    title, headers = "It has changed meanwhile", [("ETag", current)]
    return _refused(HTTPStatus.PRECONDITION_FAILED, "changed-meanwhile", title, detail, headers=headers)


def wrong_media_type(detail: str) -> Refused:
    """415: the body is something else than plain JSON."""
    title, headers = "The body must be application/json", [("Accept-Post", "application/json")]
    return _refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "wrong-media-type", title, detail, headers=headers)


def invalid(errors: Sequence[FieldError], *, what: str = "body") -> Refused:
    """422: fields of the body or the query are wrong, each named."""
    fields = ", ".join(dict.fromkeys(error.field for error in errors))
    detail = f"The {what} has fields that are not valid: {fields}."
    return _refused(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-field", "A field is not valid", detail, errors=errors)


def no_cursor(*, what: str = "query") -> Refused:
    """422: a cursor is none of this list."""
    detail = "is no cursor of this list; take `next_cursor` of the page before, or leave it out"
    return invalid([FieldError("cursor", detail)], what=what)


def unwanted_events(complaint: str) -> Refused:
    """422: a replay asks for events that its webhook does not want."""
    detail = "The body has a field that is not valid for this webhook: events."
    title, errors = "The webhook does not want these events", [FieldError("events", complaint)]
    return _refused(HTTPStatus.UNPROCESSABLE_ENTITY, "events-not-wanted", title, detail, errors=errors)


def other_request() -> Refused:
    """422: the Idempotency-Key came with another request before."""
    detail = "This Idempotency-Key made a webhook from another request. Send that request again, or draw a new key."
    return _refused(HTTPStatus.UNPROCESSABLE_ENTITY, "idempotency-key-reused", "The key was used already", detail)


def not_agreed(detail: str) -> Refused:
    """422: the endpoint does not say that it may be called."""
    title = "The endpoint does not agree"
    return _refused(HTTPStatus.UNPROCESSABLE_ENTITY, "ownership-not-shown", title, detail)


def too_many_requests(*, retry_after_s: int) -> Refused:
    """429: more requests with one key than are answered in a minute."""
    detail = "There were more requests with this API key than are answered in a minute. Nothing was changed."
    return _too_many_requests(detail, retry_after_s=retry_after_s)


def too_many_questions(most: int) -> Refused:
    """429: endpoints of the account that are being asked whether they may be called."""
    detail = f"{most} endpoints of this account are being asked whether they may be called, and have not answered yet. Nothing was changed."
    return _too_many_requests(detail, retry_after_s=_QUESTION_S)


def counted_already(*, retry_after_s: int) -> Refused:
    """429: a replay of the account is being counted."""
    detail = "A replay of this account is being counted already, and one is at a time. Nothing was counted."
    return _too_many_requests(detail, retry_after_s=retry_after_s)


def _too_many_requests(detail: str, *, retry_after_s: int) -> Refused:
    title, headers = "Too many requests", _again(retry_after_s)
    return _refused(HTTPStatus.TOO_MANY_REQUESTS, "too-many-requests", title, detail, headers=headers)


def unavailable(detail: str, *, retry_after_s: int) -> Refused:
    """503: something the API needs does not answer now; `detail` says what became of the request."""
    title, headers = "Hookline can't answer now", _again(retry_after_s)
    return _refused(HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", title, detail, headers=headers)


def unopened(complaint: str) -> Refused:
    """503: something sealed does not open with the master keys that are set; `complaint` names it and the key's id."""
    detail = f"{complaint}. Nothing was changed. Whoever runs Hookline must set the key that it was sealed with."
    return unavailable(detail, retry_after_s=_UNOPENED_AGAIN_S)


def newer_record() -> Refused:
    """503: it was written by a newer release, and to change what this process has of it would undo that."""
    detail = "A newer release of Hookline wrote this, and this process can't read it. Nothing was changed."
    return unavailable(detail, retry_after_s=_NEWER_AGAIN_S)


def no_history() -> Refused:
    """503: the history store is away."""
    return unavailable("The history store does not answer now. Deliveries go on.", retry_after_s=_HISTORY_AGAIN_S)


def _again(retry_after_s: int) -> Sequence[tuple[str, str]]:
    return [("Retry-After", str(retry_after_s))]


def _refused(
    status: HTTPStatus,
    name: str,
    title: str,
    detail: str,
    *,
    errors: Sequence[FieldError] = (),
    headers: Sequence[tuple[str, str]] = (),
) -> Refused:
    return Refused(Problem(status=status, name=name, title=title, detail=detail, errors=errors, headers=headers))


def of_http(error: web.HTTPException) -> Problem:
    """The problem for what aiohttp itself refuses: unknown paths, wrong methods, bodies too large."""
    match error:
        case web.HTTPMethodNotAllowed():
            allowed = ", ".join(sorted(error.allowed_methods))
            return Problem(
                status=HTTPStatus.METHOD_NOT_ALLOWED,
                name="wrong-method",
                title="This path does not know this method",
                detail=f"It knows {allowed}.",
                headers=[("Allow", allowed)],
            )
        case web.HTTPRequestEntityTooLarge():
            return Problem(
                status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                name="too-large",
                title="The body is too large",
                detail="The body is over the limit of this server (HOOKLINE_REQUEST_BYTES_MAX).",
            )
        case web.HTTPNotFound():
            return Problem(
                status=HTTPStatus.NOT_FOUND,
                name="unknown-path",
                title="There is nothing here",
                detail="No operation of this API has this path.",
            )
        case _:
            return bad_request(HTTPStatus(error.status))


def bad_request(status: HTTPStatus) -> Problem:
    """What the HTTP parser refused, and other statuses that need no words of ours."""
    return Problem(
        status=status,
        name="bad-request",
        title=status.phrase,
        detail=status.description or "The request could not be read.",
    )


def broken() -> Problem:
    """500: a bug. The log has the rest, under the request id."""
    return Problem(
        status=HTTPStatus.INTERNAL_SERVER_ERROR,
        name="broken",
        title="Something broke",
        detail="This is our mistake, not yours. It was logged under the request id.",
    )
