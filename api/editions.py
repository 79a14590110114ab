"""ETag and If-Match: two editors of one webhook do not overwrite each other."""

import re
from collections.abc import Sequence

from hookline.api.problems import changed_meanwhile
from hookline.schemas.records import Disabling, Subscription

_TAG = re.compile(r'(W/)?"([^"]*)"')
# A list may have empty elements (RFC 9110, 5.6.1). Nothing in it is tried twice, so a long one costs no more than its length.
_LIST = re.compile(rf"(?:[\s,]*+{_TAG.pattern}\s*+(?=,|$))*+[\s,]*+")


def edition(subscription: Subscription, disabling: Disabling | None) -> str:
    """The ETag: another one with each change, and once it is disabled. When an endpoint fails is no part of it."""
    return f'"{subscription.version}"' if disabling is None else f'"{subscription.version}-disabled"'


def check_edition(given: Sequence[str], current: str) -> None:
    """Refused with 412 if the request names editions in `If-Match`, and not the current one."""
    if given and not _names(",".join(given), current):
        raise changed_meanwhile(current)


def _names(text: str, current: str) -> bool:
    """Whether it is * alone, or a list of tags with this one in it; what is neither names nothing."""
    if text.strip() == "*":
        return True
    # RFC 9110, 13.1.1: a strong comparison, so a weak tag is never the same.
    tags = _TAG.findall(text) if _LIST.fullmatch(text) else ()
    return any(not weak and f'"{tag}"' == current for weak, tag in tags)
