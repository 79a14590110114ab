"""What an operation of the API is: its place, who may call it, what it takes and gives. Routes and the OpenAPI document are made of these."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from http import HTTPStatus

from aiohttp import web
from pydantic import BaseModel

from hookline.api.auth import CALLER, Gate
from hookline.api.configuration import AGAIN
from hookline.api.rates import Rates
from hookline.core.scopes import Scope

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation. `scope` None: for everybody. `answers`: by status, the body's model, or None for no body.

    `problems`: the statuses of refusals beside those that every operation of its kind has.
    """

    name: str
    method: str
    path: str
    handler: Handler
    summary: str
    _: KW_ONLY
    tag: str
    scope: Scope | None
    needs_account: bool = True
    body: type[BaseModel] | None = None
    body_is_optional: bool = False
    query: type[BaseModel] | None = None
    headers: Sequence[str] = ()
    answers: Mapping[int, type[BaseModel] | None] = field(default_factory=dict)
    answer_headers: Sequence[str] = ()
    problems: Sequence[int] = ()
    media_type: str = "application/json"

    def all_problems(self) -> Sequence[int]:
        """Every status with which it may refuse."""
        found = {*self.problems, HTTPStatus.BAD_REQUEST, HTTPStatus.INTERNAL_SERVER_ERROR}
        if self.scope is not None:
            found |= {401, 403, 404, 429, 503}
        if self.body is not None:
            found |= {408, 413, 415, 422}
        if self.query is not None:
            found.add(HTTPStatus.UNPROCESSABLE_ENTITY)
        if "If-Match" in self.headers:
            found.add(HTTPStatus.PRECONDITION_FAILED)
        return sorted(map(int, found))


def add_routes(app: web.Application, operations: Sequence[Operation], *, gate: Gate, rates: Rates) -> None:
    """Let the application answer these operations, each behind the gate."""
    for each in operations:
        handler = each.handler if each.scope is None else _guarded(each, gate, rates)
        methods = ("GET", "HEAD") if each.method == "GET" else (each.method,)
        resource = app.router.add_resource(each.path)
        for method in methods:
            resource.add_route(method, handler)


def _guarded(operation: Operation, gate: Gate, rates: Rates) -> Handler:
    scope = operation.scope
    if scope is None:
        raise AssertionError("nothing to guard")

    async def guarded(request: web.Request) -> web.StreamResponse:
        await rates.count(gate.known(request).counted_as)
        request[AGAIN] = lambda: gate.admit(request, scope, needs_account=operation.needs_account)
        request[CALLER] = request[AGAIN]()
        return await operation.handler(request)

    return guarded
