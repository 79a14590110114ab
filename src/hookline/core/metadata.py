"""What a customer says of a subscription in their own words: `metadata`, a flat JSON object, and `uid`, an id of theirs."""

import json
import math
import re
from collections.abc import Mapping

from hookline.schemas.errors import ContractError

KEYS_MAX = 50
KEY_CHARACTERS_MAX = 40
VALUE_CHARACTERS_MAX = 500
WHOLE_MAX = 2**53  # beyond it a reader that holds numbers as doubles, as JavaScript does, would see another one
UID_CHARACTERS_MAX = 200

# Our own ids begin so. A uid that did could be taken for another subscription's id, or later become one.
_ID_BEGINS = "wh_"
_UID = re.compile(rf"[A-Za-z0-9._:-]{{1,{UID_CHARACTERS_MAX}}}")
_NO_PATH = frozenset({".", ".."})  # clients and proxies resolve them: /webhooks/.. asks for something else

Value = str | int | float | bool


def complaint_about_metadata(value: object) -> str | None:
    """What is wrong with metadata, as a sentence that says no value; None if nothing is."""
    if not isinstance(value, Mapping):
        return "must be a JSON object"
    if len(value) > KEYS_MAX:
        return f"has {len(value)} keys; it may have at most {KEYS_MAX}"
    return next((said for key, held in value.items() if (said := _complaint(key, held)) is not None), None)


def write_metadata(metadata: Mapping[str, Value]) -> str:
    """Metadata without a complaint as compact JSON, its keys in their order."""
    return json.dumps(dict(metadata), ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def read_metadata(text: str) -> dict[str, Value]:
    """The metadata that `write_metadata` wrote; ContractError for text that is no JSON object."""
    try:
        found: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ContractError(f"metadata is no JSON ({type(error).__name__}); it must be a JSON object") from error
    if not isinstance(found, dict):
        raise ContractError(f"metadata is JSON of the kind {type(found).__name__}; it must be an object")
    return found


def complaint_about_uid(uid: str) -> str | None:
    """What is wrong with a uid, as a sentence; None if nothing is. It can stand wherever a subscription's id can."""
    if _UID.fullmatch(uid) is None:
        return f"must be 1 to {UID_CHARACTERS_MAX} characters of A-Z, a-z, 0-9, dot, underscore, colon and dash"
    if uid.startswith(_ID_BEGINS):
        return f"must not begin with {_ID_BEGINS}, for so do Hookline's own ids"
    if uid in _NO_PATH:
        return f"is {uid!r}, which can't stand in the path of a URL"
    return None


def _complaint(key: object, value: object) -> str | None:
    if not isinstance(key, str):
        return "has a key that is no text"
    named = f"{key[:KEY_CHARACTERS_MAX]!a}"
    if not 1 <= len(key) <= KEY_CHARACTERS_MAX:
        return f"has a key that begins with {named}; a key has 1 to {KEY_CHARACTERS_MAX} characters"
    if not _is_writable(key):
        return f"has the key {named}, which holds a lone surrogate and is no text"
    said = _complaint_about_value(value)
    return None if said is None else f"has at {named} {said}"


def _complaint_about_value(value: object) -> str | None:
    match value:
        case bool():
            return None
        case str():
            return _complaint_about_text(value)
        case int():
            is_exact = -WHOLE_MAX <= value <= WHOLE_MAX
            return None if is_exact else "a whole number that is not between -2**53 and 2**53"
        case float():
            return None if math.isfinite(value) else "a number that is not finite"
    return "what is no text, no number and neither true nor false"


def _complaint_about_text(text: str) -> str | None:
    if len(text) > VALUE_CHARACTERS_MAX:
        return f"a text of {len(text)} characters; it may have at most {VALUE_CHARACTERS_MAX}"
    return None if _is_writable(text) else "a lone surrogate, which is no text"


def _is_writable(text: str) -> bool:
    """Whether it can be written in UTF-8: a lone surrogate can't."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
