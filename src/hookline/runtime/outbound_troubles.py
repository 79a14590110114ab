"""What a request's exception says of the endpoint: aiohttp's and Python's errors, translated here and nowhere else."""

import asyncio
import logging
import ssl
from collections.abc import Iterator, Sequence
from itertools import islice

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError, PayloadEncodingError

from hookline.core.verdict import Trouble
from hookline.runtime.outbound_connection import HeadTooLargeError
from hookline.runtime.outbound_guard import AddressRefusedError
from hookline.runtime.outbound_resolver import NameServersSilentError
from hookline.runtime.outbound_session import CONNECTING

_log = logging.getLogger("hookline.outbound")
# The first row that fits counts: aiohttp's errors are each other's subclasses.
_TROUBLES: Sequence[tuple[type[Exception] | tuple[type[Exception], ...], Trouble]] = (
    (TimeoutError, Trouble.TIMEOUT),
    (aiohttp.ClientConnectorDNSError, Trouble.DNS),
    (aiohttp.InvalidURL, Trouble.ADDRESS),
    (aiohttp.ClientConnectorError, Trouble.REFUSED),
    ((aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, ConnectionError), Trouble.RESET),
    (aiohttp.ClientError, Trouble.PROTOCOL),
)
# Causes that say more than the error that they ended in.
_CAUSES: Sequence[tuple[type[BaseException], Trouble]] = (
    (AddressRefusedError, Trouble.ADDRESS),
    (NameServersSilentError, Trouble.DNS_SILENT),
    (HeadTooLargeError, Trouble.TOO_LARGE),
    (ssl.SSLError, Trouble.TLS),
    (PayloadEncodingError, Trouble.RESET),  # the body was not complete when the connection ended
    (HttpProcessingError, Trouble.PROTOCOL),
)
_CAUSES_MAX = 8
# X509_V_ERR_*, openssl/x509_vfy.h
_CERTIFICATES = {
    9: Trouble.CERTIFICATE_EXPIRED,
    10: Trouble.CERTIFICATE_EXPIRED,
    62: Trouble.CERTIFICATE_NAME,
    64: Trouble.CERTIFICATE_NAME,
}


def trouble_of(error: Exception, *, is_tls: bool) -> Trouble:
    """The trouble; `is_tls` if the URL is https."""
    for cause in islice(_causes(error), _CAUSES_MAX):
        trouble = _told_by(cause)
        if trouble is not None:
            return trouble
    if is_tls and _broke_a_handshake(error):
        return Trouble.TLS
    for kinds, trouble in _TROUBLES:
        if isinstance(error, kinds):
            return trouble
    _log.error("endpoint.answer_misunderstood", extra={"error": type(error).__name__})
    return Trouble.PROTOCOL


def _told_by(cause: BaseException) -> Trouble | None:
    if isinstance(cause, ssl.SSLCertVerificationError):
        if isinstance(cause, aiohttp.ClientError):
            return None  # aiohttp's wrapping: the code is in what it came from
        return _CERTIFICATES.get(cause.verify_code, Trouble.CERTIFICATE_UNTRUSTED)
    if isinstance(cause, asyncio.CancelledError):
        return Trouble.TIMEOUT_CONNECTING if cause.args == (CONNECTING,) else None
    return next((trouble for kind, trouble in _CAUSES if isinstance(cause, kind)), None)


def _broke_a_handshake(error: Exception) -> bool:
    """Once there is a connection, only its handshake can break before the request."""
    if not isinstance(error, aiohttp.ClientConnectorError) or isinstance(error, aiohttp.ClientConnectorDNSError):
        return False
    return isinstance(error.os_error, ConnectionError) and not isinstance(error.os_error, ConnectionRefusedError)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what it came from; a connector's error keeps it in `os_error`."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = getattr(seen, "os_error", None) or seen.__cause__
