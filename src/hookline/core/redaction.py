"""Secrets in what an endpoint answered: one that sends back what it got would have them kept in clear.

Who shows a request writes its characters in a way of its own: percent-encoded, as JSON or as HTML has them, or decoded where
they came encoded. So an answer is looked through as it came, then with its escapes undone, then with those undone that this
brought to light; and the secrets are known in the same forms.
"""

import html
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from hookline.core.masking import MASK

BEGINNING_BYTES_MAX = 4 * 1024  # of an answer are kept; a beginning that long may have been cut off
SECRET_CHARACTERS_MIN = 4  # what is shorter stands in many a text by chance
_LAYERS_MAX = 4  # a percent-encoded query in JSON in HTML has three
_FOUND_MAX = 256  # in one layer; customers choose both the secrets and the answers, so they could make this dear
_PASSES_MAX = 3  # the second finds what is a secret only because of a mask in it
_MASK = MASK.encode()
# Forms write a space as +, so these two are taken for the same.
_PLUS_IS_SPACE = bytes.maketrans(b"+", b" ")
_ESCAPE = re.compile(
    rb"%[0-9A-Fa-f]{2}"
    rb"|\\(?:u[dD][89abAB][0-9A-Fa-f]{2}\\u[dD][c-fC-F][0-9A-Fa-f]{2}|u(?![dD][89abAB])[0-9A-Fa-f]{4}|[\"\\/bfnrt])"
    rb"|&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][0-9A-Za-z]{1,31});"
)
# An escape that the text's end may have cut off, or the first half of a surrogate pair.
_BEGUN = re.compile(rb"(?:\\(?:u[0-9A-Fa-f]{0,3}|u[dD][89abAB][0-9A-Fa-f]{2})?|%[0-9A-Fa-f]?|&#?[0-9A-Za-z]{0,31})\Z")
_BEGUN_BYTES_MAX = 33
_Span = tuple[int, int]


def redacted(beginning: bytes, secrets: Sequence[bytes]) -> bytes:
    """The beginning of an answer with `MASK` wherever one of these secrets (of `spellings`) is, however it is written there.

    Secrets that overlap or touch have one mask together. Where `BEGINNING_BYTES_MAX` cuts a secret off, what is there of it
    is masked as well, if it is at least `SECRET_CHARACTERS_MIN` long. An answer that is full of secrets is all mask.
    """
    if not secrets or not beginning:
        return beginning
    sought = _Sought(secrets, secrets if len(beginning) >= BEGINNING_BYTES_MAX else ())
    for _ in range(_PASSES_MAX):
        spans = _found(beginning, sought, _LAYERS_MAX)
        if not spans:
            return beginning
        beginning, sought = _masked(beginning, spans), _Sought(secrets)
    return _MASK


def spellings(secrets: Iterable[str]) -> Sequence[bytes]:
    """The forms of these secrets that `redacted` looks for; what is shorter than `SECRET_CHARACTERS_MIN` is none."""
    forms = {form for secret in secrets for form in _layers(secret.encode())}
    long_enough = {form for form in forms if len(form.decode(errors="replace")) >= SECRET_CHARACTERS_MIN}
    return sorted({form.translate(_PLUS_IS_SPACE) for form in long_enough})


# -- finding ----------------------------------------------------------------------------------------------------------


class _Sought(NamedTuple):
    """Secrets that are looked for, and those of which a beginning counts, too, where the text ends."""

    secrets: Sequence[bytes]
    cut_off: Sequence[bytes] = ()


def _found(text: bytes, sought: _Sought, layers: int) -> list[_Span]:
    """Where they begin and end in this text and in what its escapes mean; all of it, if that is in too many places."""
    spans = _places(text, sought.secrets)
    if len(spans) > _FOUND_MAX:
        return [(0, len(text))]
    if sought.cut_off:
        spans += [(begin, len(text)) for begin in _cut_off(text, sought.cut_off)]
    plain = _unescaped(text) if layers else text
    return spans if plain == text else spans + _lifted(_found(plain, sought, layers - 1), text)


def _places(text: bytes, secrets: Sequence[bytes]) -> list[_Span]:
    """Every place, also those within each other; no more than one too many."""
    text, spans = text.translate(_PLUS_IS_SPACE), list[_Span]()
    for secret in secrets:
        at = text.find(secret)
        while at >= 0 and len(spans) <= _FOUND_MAX:
            spans.append((at, at + len(secret)))
            at = text.find(secret, at + 1)
    return spans


def _cut_off(text: bytes, secrets: Sequence[bytes]) -> Iterator[int]:
    """Where the text ends in a beginning of a secret, be it in the middle of an escape, or of one within another."""
    text = text.translate(_PLUS_IS_SPACE)
    for _ in range(_LAYERS_MAX):
        yield from _begun(text, secrets)
        escape = _BEGUN.search(text, max(0, len(text) - _BEGUN_BYTES_MAX))
        if escape is None:
            return
        text = text[: escape.start()]


def _begun(text: bytes, secrets: Sequence[bytes]) -> Iterator[int]:
    """Of each secret, where its longest beginning begins that the text ends in."""
    for secret in secrets:
        first, at = secret[:SECRET_CHARACTERS_MIN], max(0, len(text) - len(secret) + 1)
        while (at := text.find(first, at)) >= 0:
            if secret.startswith(text[at:]):
                yield at
                break
            at += 1


def _masked(text: bytes, spans: Sequence[_Span]) -> bytes:
    pieces, done = list[bytes](), 0
    for begin, end in _merged(spans):
        pieces += [text[done:begin], _MASK]
        done = end
    return b"".join([*pieces, text[done:]])


def _merged(spans: Sequence[_Span]) -> Iterator[_Span]:
    """The same places in order, none of which overlap or touch."""
    first, last = min(spans)
    for begin, end in sorted(spans):
        if begin > last:
            yield first, last
            first = begin
        last = max(last, end)
    yield first, last


# -- escapes ----------------------------------------------------------------------------------------------------------


def _layers(text: bytes) -> Iterator[bytes]:
    """The text, then again and again with its escapes undone."""
    for _ in range(_LAYERS_MAX):
        yield text
        plain = _unescaped(text)
        if plain == text:
            return
        text = plain


def _unescaped(text: bytes) -> bytes:
    if b"%" not in text and b"\\" not in text and b"&" not in text:  # true of most answers, and a hundredth of the time
        return text
    return _ESCAPE.sub(lambda escape: _meaning(escape[0]), text)


@lru_cache(maxsize=1_024)  # there are few that are usual, and undoing one takes ten times as long
def _meaning(escape: bytes) -> bytes:
    written = escape.decode()
    if written.startswith("%"):
        return bytes.fromhex(written[1:])
    meant = html.unescape(written) if written.startswith("&") else json.loads(f'"{written}"')
    return str(meant).encode(errors="surrogatepass")


def _lifted(spans: Sequence[_Span], text: bytes) -> list[_Span]:
    """Places in `_unescaped(text)` as the places in `text` that they come from."""
    if not spans:
        return []
    begins, ends, done = list[int](), list[int](), 0
    for escape in _ESCAPE.finditer(text):
        begin, end = escape.span()
        width = len(_meaning(escape[0]))
        begins += [*range(done, begin), *[begin] * width]
        ends += [*range(done + 1, begin + 1), *[end] * width]
        done = end
    begins += range(done, len(text))
    ends += range(done + 1, len(text) + 1)
    return [(begins[begin], ends[end - 1]) for begin, end in spans]
