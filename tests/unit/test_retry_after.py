from datetime import UTC, datetime

import pytest

from hookline.core.retry_after import RETRY_AFTER_MS_MAX, retry_after_ms

NOW_MS = int(datetime(2026, 11, 6, 8, 49, 0, tzinfo=UTC).timestamp()) * 1_000


@pytest.mark.parametrize(
    ("text", "wait_s"),
    [("0", 0), ("1", 1), (" 120 ", 120), ("0000000000000000000000007", 7), ("86400", 86_400)],
)
def test_seconds_are_read(text: str, wait_s: int) -> None:
    assert retry_after_ms(text, now_ms=NOW_MS) == wait_s * 1_000


@pytest.mark.parametrize(
    "text",
    [
        "Fri, 06 Nov 2026 08:49:37 GMT",
        "Friday, 06-Nov-26 08:49:37 GMT",
        "Fri Nov  6 08:49:37 2026",
        "fri nov 06 08:49:37 2026",
    ],
)
def test_a_date_in_each_of_its_forms_is_read(text: str) -> None:
    assert retry_after_ms(text, now_ms=NOW_MS) == 37_000


@pytest.mark.parametrize(
    "text",
    [
        "Fri, 06 Nov 2026 08:48:59 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Thu, 01 Jan 0001 00:00:00 GMT",
    ],
)
def test_a_date_that_has_passed_asks_for_nothing(text: str) -> None:
    assert retry_after_ms(text, now_ms=NOW_MS) == 0


@pytest.mark.parametrize(
    "text",
    [
        "9" * 100,
        "9" * 8_000,
        "31536001",
        "Fri, 31 Dec 9999 23:59:59 GMT",
        "Fri Dec 31 23:59:60 9999",
        "Friday, 06-Nov-76 08:49:37 GMT",
    ],
)
def test_more_than_a_year_is_a_year(text: str) -> None:
    assert retry_after_ms(text, now_ms=NOW_MS) == RETRY_AFTER_MS_MAX


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "-1",
        "+1",
        "1.5",
        "1e9",
        "0x10",
        "1, 2",
        "\u0661\u0662",  # digits, but not ours
        "Fri, 06 Nov 2026 08:49:37 CET",
        "Fri, 31 Feb 2026 08:49:37 GMT",
        "Fri, 06 Foo 2026 08:49:37 GMT",
        "Fri, 06 Nov 2026 25:49:37 GMT",
        "Fri, 00 Nov 2026 08:49:37 GMT",
        "Fri, 06 Nov 0000 08:49:37 GMT",
        "2026-11-06T08:49:37Z",
        "0" * 60_000 + "x",
    ],
)
def test_what_is_neither_is_ignored(text: str) -> None:
    assert retry_after_ms(text, now_ms=NOW_MS) is None


@pytest.mark.parametrize(
    ("now_year", "two_digits", "year"), [(2099, "05", 2105), (2101, "99", 2099), (2026, "76", 2076)]
)
def test_two_digits_mean_the_year_that_is_nearest(now_year: int, two_digits: str, year: int) -> None:
    now_ms = int(datetime(now_year, 1, 1, tzinfo=UTC).timestamp()) * 1_000
    asked_ms = retry_after_ms(f"Friday, 02-Jan-{two_digits} 00:00:00 GMT", now_ms=now_ms)
    assert asked_ms == min(RETRY_AFTER_MS_MAX, max(0, (year - now_year) * RETRY_AFTER_MS_MAX))
