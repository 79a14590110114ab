"""Answers that say no: problem bodies of RFC 9457, each with a stable `type`.

No detail ever repeats a body, a secret or a key that a client sent.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

from aiohttp import web

from hookline.schemas.errors import HooklineError

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
    return Refused(
        Problem(status=HTTPStatus.BAD_REQUEST, name="bad-json", title="The body is not valid JSON", detail=detail)
    )


def invalid(errors: Sequence[FieldError], *, what: str = "body") -> Refused:
    """422: fields of the body or the query are wrong, each named."""
    fields = ", ".join(dict.fromkeys(error.field for error in errors))
    return Refused(
        Problem(
            status=HTTPStatus.UNPROCESSABLE_ENTITY,
            name="invalid-field",
            title="A field is not valid",
            detail=f"The {what} has fields that are not valid: {fields}.",
            errors=errors,
        )
    )


def unauthorized(detail: str, *, challenge: str) -> Refused:
    """401: no API key, or one that is not right; which of the two is all that is said."""
    return Refused(
        Problem(
            status=HTTPStatus.UNAUTHORIZED,
            name="unauthorized",
            title="An API key is needed",
            detail=detail,
            headers=[("WWW-Authenticate", challenge)],
        )
    )


def no_webhook() -> Refused:
    """404: there is no such webhook, or it is another account's; nobody can tell which."""
    return Refused(
        Problem(
            status=HTTPStatus.NOT_FOUND,
            name="unknown-webhook",
            title="There is no such webhook",
            detail="The account of this API key has no webhook with this id.",
        )
    )


def too_many_webhooks(most: int) -> Refused:
    """409: the account has as many webhooks as it may."""
    return Refused(
        Problem(
            status=HTTPStatus.CONFLICT,
            name="too-many-webhooks",
            title="The account has too many webhooks",
            detail=f"An account may have {most} webhooks, and this one has them. Delete one first.",
        )
    )


def rotation_under_way() -> Refused:
    """409: a secret is being changed already."""
    return Refused(
        Problem(
            status=HTTPStatus.CONFLICT,
            name="rotation-under-way",
            title="The secret is being changed already",
            detail="Two secrets sign now. End that with POST /webhooks/{id}/secret/promote, or wait until it is over.",
        )
    )


def changed_meanwhile(current: str) -> Refused:
    """412: the webhook is no longer what the client has read."""
    return Refused(
        Problem(
            status=HTTPStatus.PRECONDITION_FAILED,
            name="changed-meanwhile",
            title="The webhook has changed meanwhile",
            detail="It is not the edition that If-Match names. Read it again, and make the change to what it is now.",
            headers=[("ETag", current)],
        )
    )


def wrong_media_type(detail: str) -> Refused:
    """415: the body is something else than plain JSON."""
    return Refused(
        Problem(
            status=HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            name="wrong-media-type",
            title="The body must be application/json",
            detail=detail,
            headers=[("Accept-Post", "application/json")],
        )
    )


def unavailable(detail: str, *, retry_after_s: int) -> Refused:
    """503: something the API needs does not answer now; `detail` says what became of the request."""
    return Refused(
        Problem(
            status=HTTPStatus.SERVICE_UNAVAILABLE,
            name="unavailable",
            title="Hookline can't answer now",
            detail=detail,
            headers=[("Retry-After", str(retry_after_s))],
        )
    )


def too_slow() -> Refused:
    """408: the body did not arrive in time."""
    return Refused(
        Problem(
            status=HTTPStatus.REQUEST_TIMEOUT,
            name="too-slow",
            title="The body did not arrive in time",
            detail="The connection was open, but the rest of the body did not come. Nothing was changed.",
            headers=[("Connection", "close")],
        )
    )


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
