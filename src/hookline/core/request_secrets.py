"""What of a request is secret: what an endpoint's answer must not bring back, see `redaction`.

What is one by its nature always counts: signing secrets, user names and passwords, credentials in an Authorization. Other
header values and query parameters may be anything, and some are in every other answer: those that nobody could take for a
secret do not count.
"""

import base64
import re
from collections.abc import Collection, Iterable, Iterator, Mapping

_STANDARD_PREFIX = "whsec_"
# What JSON itself consists of, and the type of what we send.
_COMMON = frozenset({"true", "false", "null", "none", "application/json"})
_SMALL_NUMBER = re.compile(r"[0-9]{1,5}")  # as a secret it would not last a minute; it is in every other id and time


def request_secrets(
    *,
    headers: Mapping[str, str],
    user: str,
    password: str,
    query: str,
    signing_secrets: Iterable[str],
    known: Collection[str],
) -> Iterator[str]:
    """Every secret of the requests to one subscription, some of them within others.

    `headers` are the static ones, `query` as it is sent. `known`: values that are no secrets since we send them anyway, as
    the event types.
    """
    for secret in signing_secrets:
        yield from (secret, secret.removeprefix(_STANDARD_PREFIX))
    if user or password:
        yield from _of_login(user, password)
    for name, value in headers.items():
        if name.lower() == "authorization":
            yield from _of_authorization(value)
    telling = (*headers.values(), query, *_values(query))
    yield from (value for value in telling if value not in known and not _is_common(value))


def _of_login(user: str, password: str) -> Iterator[str]:
    """A user name and password, and the text that stands for them in an Authorization."""
    login = f"{user}:{password}"
    yield from (login, user, password, base64.b64encode(login.encode("latin-1", errors="replace")).decode())


def _of_authorization(value: str) -> Iterator[str]:
    """What follows the scheme, and what it says."""
    scheme, _, credentials = value.partition(" ")
    credentials = credentials.strip()
    yield credentials
    if scheme.lower() == "basic":
        login = _decoded(credentials)
        yield from (login, *login.partition(":"))


def _decoded(credentials: str) -> str:
    """What a server reads in them; nothing if they are not base64."""
    try:
        login = base64.b64decode(credentials + "==")  # some leave the padding out, and servers let them
    except ValueError:
        return ""
    try:
        return login.decode()
    except UnicodeDecodeError:
        return login.decode("latin-1")


def _values(query: str) -> Iterator[str]:
    """The values of a query's parameters; of one that has none, its name."""
    for parameter in re.split("[&;]", query):
        name, mark, value = parameter.partition("=")
        yield value if mark else name


def _is_common(value: str) -> bool:
    return value.lower() in _COMMON or _SMALL_NUMBER.fullmatch(value) is not None
