"""ETag and If-Match: two editors of one webhook do not overwrite each other."""

import re
from collections.abc import Sequence

from hookline.api.problems import changed_meanwhile
from hookline.schemas.records import Disabling, Subscription

# Begins with no space: where there are many, each would be looked at as the first of all that follow.
_TAG = re.compile(r'(?:(W/)?"([^"]*)"|(\*))\s*(?:,|$)')


def edition(subscription: Subscription, disabling: Disabling | None) -> str:
    """The ETag: another one with each change, and once it is disabled. When an endpoint fails is no part of it."""
    return f'"{subscription.version}"' if disabling is None else f'"{subscription.version}-disabled"'


def check_edition(given: Sequence[str], current: str) -> None:
    """Refused with 412 if the request names editions in `If-Match`, and not the current one."""
    if given and not _names(",".join(given), current):
        raise changed_meanwhile(current)


def _names(text: str, current: str) -> bool:
    # RFC 9110, 13.1.1: a strong comparison, so a weak tag is never the same.
    tags = _TAG.findall(text)
    return any(star or (not weak and f'"{tag}"' == current) for weak, tag, star in tags)
