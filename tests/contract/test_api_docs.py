"""Every example of docs/reference/api.md, sent in order to a real API."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from typing import Any

from fakes.api import Api, judge, running_api
from fakes.history import DELIVERED, FAILED, SUCCEEDED
from fakes.judgements import disabling

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "api.md"
_MADE_UP = re.compile(r"wh_\w+|delivery_\w+|log_\w+|req_\w+|whsec_\S+|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")

TIMED_OUT = replace(
    DELIVERED,
    attempt_id="log_124",
    status="failed",
    response_code=None,
    response_time_ms=30_000,
    error="timeout",
    detail="The endpoint was connected, but did not answer within the time limit.",
)


async def test_every_example_of_the_reference_is_true() -> None:
    blocks = re.findall(r"```http\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 2 * 15
    async with running_api() as api:
        api.history.delivery_rows, api.history.log_rows = [SUCCEEDED, FAILED], [DELIVERED, TIMED_OUT]
        names: dict[str, str] = {}
        for asked, answered in zip(blocks[::2], blocks[1::2], strict=True):
            await _check(api, asked, answered, names)


async def _check(api: Api, asked: str, answered: str, names: dict[str, str]) -> None:
    line, body = _parsed(asked)
    method, path = line.split()
    for name, drawn in names.items():
        path = path.replace(name, drawn)
    status, wanted = _parsed(answered)
    if method == "GET" and isinstance(wanted, dict) and wanted.get("status") == "disabled":
        await _disable(api, path.rpartition("/")[2])
    reply = await api.call(method, path, body)
    assert status == f"{reply.status} {HTTPStatus(reply.status).phrase}", f"{line}: {reply.text}"
    assert _outline(json.loads(reply.text or "null")) == _outline(wanted), line
    if line == "POST /webhooks" and reply.status == HTTPStatus.CREATED:
        names[wanted["id"]] = reply.json["id"]


async def _disable(api: Api, subscription_id: str) -> None:
    subscription = api.view.subscription(subscription_id)
    assert subscription is not None
    await judge(api, disabling(subscription))


def _parsed(block: str) -> tuple[str, Any]:
    line, _, body = block.partition("\n\n")
    return line.strip(), json.loads(body) if body.strip() else None


def _outline(value: Any) -> Any:
    """The value with its names in order, and without what is drawn, the time, or too long to write out."""
    match value:
        case dict():
            return [(name, _outline(inner)) for name, inner in value.items()]
        case list():
            return [_outline(inner) for inner in value]
        case str():
            return _MADE_UP.sub(_kind, value.split("; there are: ")[0])
        case _:
            return value


def _kind(found: re.Match[str]) -> str:
    names: Sequence[str] = ("wh_", "delivery_", "log_", "req_", "whsec_")
    return next((name for name in names if found[0].startswith(name)), "a time")
