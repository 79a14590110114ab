"""Reading a request's JSON body or its query, whatever a client may send, into a model."""

import asyncio
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from hookline.api.problems import FieldError, invalid, too_slow, unreadable, wrong_media_type

_BODY_WAIT_S = 15.0
_ERRORS_MAX = 20
_NAME_CHARACTERS_MAX = 64
_MEDIA_TYPE_CHARACTERS_MAX = 200  # Python's parser takes 1.6 s for 8,000 semicolons
_DEPTH_MAX = 32  # our deepest body has a depth of 2

_UNKNOWN = {"body": "is no field of this body", "query": "is no parameter here"}

_Model = TypeVar("_Model", bound=BaseModel)


async def read_body(request: web.Request, model: type[_Model], *, context: object = None) -> _Model:
    """The body as a model; `context` is what its validators need to know. Refused if it is not one."""
    _check_media_type(request)
    parsed = _parsed(await _read(request))
    return validated(parsed, model, context=context, what="body")


def read_query(request: web.Request, model: type[_Model], *, context: object = None) -> _Model:
    """The query as a model; Refused if it is not one."""
    # By items: iterating over it or its keys gives each name once.
    times = Counter(name for name, _ in request.query.items())
    twice = [name for name, count in times.items() if count > 1][:_ERRORS_MAX]
    if twice:
        raise invalid([FieldError(name[:_NAME_CHARACTERS_MAX], "is there twice") for name in twice], what="query")
    return validated(dict(request.query), model, context=context, what="query")


def validated(value: object, model: type[_Model], *, context: object, what: str) -> _Model:
    """A value as a model; Refused names every field that is wrong, and no value."""
    try:
        return model.model_validate(value, strict=True, context=context)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)[:_ERRORS_MAX]
        raise invalid([_field_error(each, what) for each in details], what=what) from error


def _check_media_type(request: web.Request) -> None:
    if len(request.headers.get("Content-Type", "")) > _MEDIA_TYPE_CHARACTERS_MAX:
        raise wrong_media_type("The Content-Type must be application/json, and no longer than that needs.")
    charset = (request.charset or "utf-8").lower()
    if request.content_type != "application/json" or charset not in {"utf-8", "us-ascii"}:
        raise wrong_media_type("The Content-Type must be application/json, in UTF-8.")
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise wrong_media_type("The body must not be compressed.")


async def _read(request: web.Request) -> bytes:
    said_bytes = request.content_length or 0
    if said_bytes > request.client_max_size:  # said beforehand, so it need not arrive to be refused
        raise web.HTTPRequestEntityTooLarge(max_size=request.client_max_size, actual_size=said_bytes)
    try:
        async with asyncio.timeout(_BODY_WAIT_S):
            return await request.read()
    except TimeoutError as error:
        raise too_slow() from error
    except (web.RequestPayloadError, HttpProcessingError, ConnectionError) as error:
        raise unreadable("The body ended before it was complete, or its chunks can't be read.") from error


def _parsed(body: bytes) -> object:
    if not body.strip():
        raise unreadable("The body is empty; a JSON object was wanted.")
    try:
        text = body.decode()
        value = json.loads(text, object_pairs_hook=_object, parse_constant=_no_constant)
        # A lone surrogate ("\ud800") is text that no UTF-8 and so no record can hold.
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeError as error:
        raise unreadable("The body holds what is no text in UTF-8.") from error
    except json.JSONDecodeError as error:
        raise unreadable(f"The body is not JSON: line {error.lineno}, column {error.colno}.") from error
    except ValueError as error:  # our own hooks, and numbers with more digits than Python reads
        raise unreadable(
            str(error) if isinstance(error, _UnwantedError) else "A number has too many digits."
        ) from error
    except RecursionError as error:
        raise unreadable(_TOO_DEEP) from error
    if _is_deeper(value, _DEPTH_MAX):
        raise unreadable(_TOO_DEEP)
    return value


class _UnwantedError(ValueError):
    """JSON that Python would read and another reader would understand differently."""


_TOO_DEEP = f"The body is nested more than {_DEPTH_MAX} deep."


def _object(pairs: Sequence[tuple[str, Any]]) -> Mapping[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise _UnwantedError("An object in the body has the same name twice.")
    return made


def _no_constant(_name: str) -> None:
    raise _UnwantedError("NaN and Infinity are no JSON.")


def _is_deeper(value: object, depth_max: int) -> bool:
    level = [value]
    for _ in range(depth_max + 1):
        level = [inner for outer in level for inner in _inside(outer)]
    return bool(level)


def _inside(value: object) -> Sequence[object]:
    match value:
        case dict():
            return list(value.values())
        case list():
            return value
        case _:
            return ()


def _field_error(error: ErrorDetails, what: str) -> FieldError:
    name = _path(error["loc"]) or what
    if error["type"] == "extra_forbidden":
        return FieldError(name, _UNKNOWN[what])
    if error["type"] == "model_type":  # its own words name a class of ours
        return FieldError(name, "must be a JSON object")
    return FieldError(name, error["msg"].removeprefix("Value error, "))


def _path(loc: Sequence[int | str]) -> str:
    path = ""
    for each in loc:
        short = str(each)[:_NAME_CHARACTERS_MAX]
        path += f"[{each}]" if isinstance(each, int) else f".{short}" if path else short
    return path
