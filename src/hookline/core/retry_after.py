"""What a `Retry-After` header asks for."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime

RETRY_AFTER_MS_MAX = 365 * 86_400_000  # far beyond any tier: what is longer is a mistake, and its digits may be many
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_TIME = r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
# RFC 9110, 5.6.7: the form of today, and the two of old that a recipient has to read.
_DATES: Sequence[re.Pattern[str]] = (
    re.compile(rf"[A-Za-z]{{3}}, (?P<day>[0-9]{{2}}) (?P<month>[A-Za-z]{{3}}) (?P<year>[0-9]{{4}}) {_TIME} GMT"),
    re.compile(rf"[A-Za-z]{{6,9}}, (?P<day>[0-9]{{2}})-(?P<month>[A-Za-z]{{3}})-(?P<year>[0-9]{{2}}) {_TIME} GMT"),
    re.compile(rf"[A-Za-z]{{3}} (?P<month>[A-Za-z]{{3}}) (?P<day>[0-9 ][0-9]) {_TIME} (?P<year>[0-9]{{4}})"),
)
_SECONDS_DIGITS_MAX = len(str(RETRY_AFTER_MS_MAX))


def retry_after_ms(text: str, *, now_ms: int) -> int | None:
    """How long it asks to be left alone, from 0 to a year; None for what is neither seconds nor an HTTP date."""
    asked = text.strip()
    if asked.isascii() and asked.isdigit():
        return _of_seconds(asked.lstrip("0") or "0")
    for form in _DATES:
        date = form.fullmatch(asked)
        if date is not None:
            return _until(date, now_ms)
    return None


def _of_seconds(digits: str) -> int:
    if len(digits) > _SECONDS_DIGITS_MAX:
        return RETRY_AFTER_MS_MAX
    return min(int(digits) * 1_000, RETRY_AFTER_MS_MAX)


def _until(date: re.Match[str], now_ms: int) -> int | None:
    year = _year(date["year"], now_ms)
    second = min(int(date["second"]), 59)  # a leap second
    try:
        month = _MONTHS.index(date["month"].title()) + 1
        at = datetime(year, month, int(date["day"]), int(date["hour"]), int(date["minute"]), second, tzinfo=UTC)
    except ValueError:
        return None
    return min(max(0, int(at.timestamp()) * 1_000 - now_ms), RETRY_AFTER_MS_MAX)


def _year(digits: str, now_ms: int) -> int:
    """Two digits mean the year that is at most 50 ahead."""
    if len(digits) == 4:
        return int(digits)
    this_year = datetime.fromtimestamp(now_ms // 1_000, UTC).year
    year = this_year - this_year % 100 + int(digits)
    if year > this_year + 50:
        return year - 100
    return year + 100 if year <= this_year - 50 else year
