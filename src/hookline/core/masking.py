"""What may be shown of an endpoint's URL: its user name, password and query are secrets, its path is not."""

import re

MASK = "***"
# The authority ends at the first of / ? #, and what is before its last @ is no part of the host.
_USER = re.compile(r"((?:[^/?#]*//+)?)[^/?#]+@")


def masked_url(url: str) -> str:
    """The URL with `MASK` for its user name and password, and for all that follows its question mark; else the very same text.

    Masking a masked URL changes nothing.
    """
    shown, mark, query = url.partition("?")
    user = _USER.match(shown)
    if user is not None:
        shown = f"{user[1]}{MASK}@{shown[user.end() :]}"
    return f"{shown}{mark}{MASK if query else ''}"


def needs_sealing(url: str) -> bool:
    """Whether it has something that may not be shown."""
    return masked_url(url) != url
