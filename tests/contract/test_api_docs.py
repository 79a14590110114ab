"""Every example of docs/reference/api.md, sent in order to a real API, and its tables beside what the code knows.

The requests of docs/guides/recovery.md are sent as well.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path
from typing import Any

from fakes.api import CODEC, Api, Caller, judge, running_api
from fakes.history import DELIVERED, FAILED, FAILED_STEPS, MANY_REQUESTS, SUCCEEDED
from fakes.judgements import disabling
from hookline.api import problems
from hookline.runtime.settings import MasterKey
from hookline.schemas.records import Delivery, Place

DOCS = Path(__file__).parents[2] / "docs"
PAGE, GUIDE = DOCS / "reference" / "api.md", DOCS / "guides" / "recovery.md"
OF_ADMINISTRATORS = ("/accounts", "/keys")  # `/account` is everybody's
_MADE_UP = re.compile(
    r"(?:wh|delivery|log|req|acct|audit|job)_\w+|whsec_\S+|hll_\S+|hl_\w+|\b[0-9a-f]{16}\b|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
)
_DRAWN_FIELDS = {"x", "kid", "next_cursor", "run"}
_KINDS: Sequence[str] = ("wh_", "delivery_", "log_", "req_", "acct_", "audit_", "job_", "whsec_", "hll_", "hl_")

TIMED_OUT = replace(
    DELIVERED,
    attempt_id="log_124",
    status="failed",
    response_code=None,
    response_time_ms=30_000,
    error="timeout",
    detail="The endpoint was connected, but did not answer within the time limit.",
)

BODY = Delivery(
    delivery_id=FAILED.delivery_id,
    account_id="",
    subscription_id="wh_1",
    event_id=FAILED.event_id,
    event_type=FAILED.event_type,
    body=b'{"event":"order.completed","timestamp":"2023-06-20T15:40:30Z","data":{"id":"order_456"}}',
    config_offset=1,
    created_at_ms=FAILED.first_at_ms,
    source_at_ms=FAILED.first_at_ms,
)


def page() -> str:
    return PAGE.read_text(encoding="utf-8")


async def test_every_example_of_the_reference_is_true() -> None:
    blocks = re.findall(r"```http\n(.*?)```", page(), re.DOTALL)
    assert len(blocks) == 2 * 42
    async with running_api(asymmetric_keys=(MasterKey("a1", bytes(range(32))),)) as api:
        await _fill(api)
        names = {"acct_1234567890": api.account_id}
        for asked, answered in zip(blocks[::2], blocks[1::2], strict=True):
            await _check(api, asked, answered, names)


async def _fill(api: Api) -> None:
    """What became of deliveries, and the body of one of them."""
    history, topic = api.history, api.parts.topics.deliveries
    record = replace(BODY, account_id=api.account_id)
    written = await api.log.write(topic, key=None, value=CODEC.encode(record))
    kept = replace(FAILED, origin=Place(partition=written.partition, offset=written.offset))
    history.delivery_rows, history.log_rows = [SUCCEEDED, kept], [DELIVERED, TIMED_OUT]
    history.step_rows, history.numbers = {kept.delivery_id: FAILED_STEPS}, MANY_REQUESTS


async def test_every_request_of_the_guide_to_recovery_is_taken(api: Api) -> None:
    asked = re.findall(r"```http\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    names = {"wh_1234567890": (await api.call.made())["id"]}
    replies = []
    for block in asked:
        parsed = _parsed(block, names)
        method, path = parsed.line.split()
        replies.append(await api.call(method, path, parsed.body))
    assert [each.status for each in replies] == [202, 200, 202]


def test_every_problem_there_is_is_in_the_table() -> None:
    source = Path(problems.__file__).read_text(encoding="utf-8")
    given = re.findall(r'HTTPStatus\.(\w+),\s*(?:name=)?"([a-z-]+)"', source)
    told = re.findall(r"^\| ([\d, ]+) \| `([a-z-]+)` \|", page(), re.MULTILINE)
    assert len(told) == len({name for _, name in told}) > 20
    # `bad-request` is for whatever status aiohttp chooses.
    wanted = {(str(HTTPStatus[status].value), name) for status, name in given} | {("400, 417", "bad-request")}
    assert set(told) == wanted


async def test_every_operation_there_is_is_in_the_table_with_its_scope(api: Api) -> None:
    document = (await api.call("GET", "/openapi.json")).json
    wanted = {
        (f"{method.upper()} {path}", _scope(operation))
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }
    rows = re.findall(r"^\| (`(?:GET|POST|PUT|PATCH|DELETE) /.*?`) \| (\w*) ?\|", page(), re.MULTILINE)
    assert {(name, scope) for names, scope in rows for name in re.findall(r"`(.*?)`", names)} == wanted


def _scope(operation: Any) -> str:
    found = re.search(r"scope `(\w+)`", operation.get("description", ""))
    return "" if found is None else found[1]


@dataclass(frozen=True, slots=True)
class Parsed:
    """One block: its first line, the headers below it, and its body."""

    line: str
    headers: Mapping[str, str]
    body: Any


async def _check(api: Api, asked_block: str, answered_block: str, names: dict[str, str]) -> None:
    asked, answered = _parsed(asked_block, names), _parsed(answered_block, {})
    method, path = asked.line.split()
    if method == "GET" and isinstance(answered.body, dict) and answered.body.get("status") == "disabled":
        await _disable(api, path.rpartition("/")[2])
    _take_in(api, path)
    _give(api, path)
    reply = await _caller(api, path, asked.headers)(method, path, asked.body, headers=asked.headers)
    assert answered.line == f"{reply.status} {HTTPStatus(reply.status).phrase}", f"{asked.line}: {reply.text}"
    assert _outline(json.loads(reply.text or "null")) == _outline(answered.body), asked.line
    if reply.status in {HTTPStatus.CREATED, HTTPStatus.ACCEPTED} and "id" in answered.body:
        names[answered.body["id"]] = reply.json["id"]


def _caller(api: Api, path: str, headers: Mapping[str, str]) -> Caller:
    is_administrators = path.partition("?")[0].startswith(OF_ADMINISTRATORS) or "Hookline-Account" in headers
    return api.admin if is_administrators else api.call


def _take_in(api: Api, path: str) -> None:
    """What the history role does for `GET /audit`."""
    subject = path.rpartition("subject=")[2]
    api.history.audit_entries = [entry for entry in reversed(api.audited) if entry.subject == subject]


def _give(api: Api, path: str) -> None:
    """The delivery that is to be sent again, to the webhook that it is sent to: that has another id each time."""
    webhook_id = path.split("/")[2] if path.endswith("/retry") else ""
    if webhook_id:
        rows = api.history.delivery_rows
        api.history.delivery_rows = [replace(row, subscription_id=webhook_id) for row in rows]


async def _disable(api: Api, subscription_id: str) -> None:
    subscription = api.view.subscription(subscription_id)
    assert subscription is not None
    await judge(api, disabling(subscription))


def _parsed(block: str, names: Mapping[str, str]) -> Parsed:
    head, _, body = block.partition("\n\n")
    for name, drawn in names.items():
        head = head.replace(name, drawn)
    line, *lines = head.strip().splitlines()
    headers = dict(each.split(": ", 1) for each in lines)
    return Parsed(line, headers, json.loads(body) if body.strip() else None)


def _outline(value: Any) -> Any:
    """The value with its names in order, and without what is drawn, the time, or too long to write out."""
    match value:
        case dict():
            return [(name, name if name in _DRAWN_FIELDS else _outline(inner)) for name, inner in value.items()]
        case list():
            return [_outline(inner) for inner in value]
        case str():
            return _MADE_UP.sub(_kind, value.split("; there are: ")[0])
        case _:
            return value


def _kind(found: re.Match[str]) -> str:
    drawn = next((kind for kind in _KINDS if found[0].startswith(kind)), None)
    return drawn or ("a time" if ":" in found[0] else "an API key's id")
