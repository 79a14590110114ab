"""One connection to an endpoint, with bounds on what it may say before its answer."""

import re
from typing import Any

from aiohttp import StreamReader
from aiohttp.client_proto import ResponseHandler
from aiohttp.helpers import EMPTY_BODY_STATUS_CODES
from aiohttp.http import RawResponseMessage
from aiohttp.http_exceptions import HttpProcessingError

# Ten times what servers send. Together they bound what an answer's head can cost: half a MiB while it is worked through.
HEAD_BYTES_MAX = 64 * 1024
BODY_BYTES_MAX = 64 * 1024  # a longer answer's connection is closed, which is cheaper than reading it to its end
_HEAD_LINES_MAX = 100
# 100 Continue and 103 Early Hints are legal before an answer. aiohttp keeps them all and works through them before anything
# else has its turn: an endless row of them held up a whole dispatcher.
_INTERIM_ANSWERS_MAX = 16
_HEAD_END = re.compile(rb"\n\r?\n")
_SWITCHING_PROTOCOLS = 101


class HeadTooLargeError(HttpProcessingError):
    """The head of the answer, interim answers included, is over a bound."""


class BoundedConnection(ResponseHandler):
    """Fails a request whose answer's head is too large, cuts long bodies short, and ends at once when it is closed.

    Each head is read apart from what follows it: an answer that is complete counts, even if there is rubbish behind it.
    """

    _head_bytes = 0
    _body_bytes = 0
    _head_lines = 0
    _head_tail = b""
    _interim_answers = 0
    _is_answered = False
    _is_without_body = False
    _has_failed = False

    def set_response_params(self, **params: Any) -> None:
        self._head_bytes = self._body_bytes = self._head_lines = self._interim_answers = 0
        self._head_tail = b""
        self._is_answered = self._is_without_body = self._has_failed = False
        super().set_response_params(**params)

    def data_received(self, data: bytes) -> None:
        if self._parser is None:  # before the request: it is kept, up to a bound, and comes again
            super().data_received(data)
            return
        rest = data
        while rest and not (self._is_answered or self._has_failed):
            rest = self._head_received(rest)
        if rest and self._is_complete():
            self._end()  # a body on a 204, rubbish, or the answer to a request that was not made yet
        elif (rest or not data) and not self._has_failed:
            self._body_received(rest)

    def _is_complete(self) -> bool:
        return self._is_without_body or (self._payload is not None and self._payload.is_eof())

    def _end(self) -> None:
        self._has_failed = True
        self.force_close()
        if self.transport is not None:
            self.transport.abort()

    def _head_received(self, data: bytes) -> bytes:
        """Take what belongs to the head; returns the rest."""
        end = self._end_of_head(data)
        if self._has_room(data, end):
            super().data_received(data[:end])
        else:
            self._fail(HeadTooLargeError(code=400, message="the answer's head is too large"))
        return data[end:]

    def _body_received(self, data: bytes) -> None:
        """Bytes on the wire count: a chunk's size and extensions cost as much as what it holds."""
        room = BODY_BYTES_MAX - self._body_bytes
        self._body_bytes += len(data)
        super().data_received(data[:room])
        error, payload = self.exception(), self._payload
        if error is not None and payload is not None and not payload.is_eof() and payload.exception() is None:
            payload.set_exception(error)  # else who reads the body would wait until its time is over
        elif len(data) > room:
            self._cut_short()

    def _cut_short(self) -> None:
        """What was kept of the body so far is all of it, for who reads it."""
        payload, self._payload = self._payload, None  # else the end of the connection would be the body's failure
        if payload is not None and payload.exception() is None:
            payload.feed_eof()
        self._end()

    def feed_data(self, data: tuple[RawResponseMessage, StreamReader], size: int = 0) -> None:
        code = data[0].code
        if code >= 200 or code == _SWITCHING_PROTOCOLS:
            self._is_answered, self._is_without_body = True, code in EMPTY_BODY_STATUS_CODES
        else:
            self._interim_answers += 1
        if self._interim_answers <= _INTERIM_ANSWERS_MAX:
            super().feed_data(data, size)
        else:
            self._fail(HttpProcessingError(code=400, message="too many interim answers"))

    def close(self) -> None:
        """At once. Else what was not yet sent would be kept until the endpoint reads it, which may be never."""
        self.abort()

    def _end_of_head(self, data: bytes) -> int:
        """How much of it belongs to the head. The blank line may have begun in what came before."""
        found = _HEAD_END.search(self._head_tail + data)
        if found is None:
            self._head_tail = (self._head_tail + data)[-2:]
            return len(data)
        end = found.end() - len(self._head_tail)
        self._head_tail = b""
        return end

    def _has_room(self, data: bytes, end: int) -> bool:
        self._head_bytes += end
        self._head_lines += data.count(b"\n", 0, end)
        return self._head_bytes <= HEAD_BYTES_MAX and self._head_lines <= _HEAD_LINES_MAX

    def _fail(self, error: HttpProcessingError) -> None:
        self.set_exception(error)
        self._end()
