import pytest

from hookline.core.verdict import (
    ERRORS,
    Answer,
    Delivered,
    Ending,
    GiveUp,
    NoAnswer,
    Reply,
    RetryAfter,
    Trouble,
    error_of,
    judge,
)
from hookline.schemas.topics import RETRY_TIERS_MS


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_any_2xx_is_success(status: int) -> None:
    assert judge(Answer(status, b""), attempt=7, tiers_ms=RETRY_TIERS_MS) == Delivered()


@pytest.mark.parametrize(
    "reply", [Answer(199, b""), Answer(302, b""), Answer(404, b""), Answer(500, b""), NoAnswer(Trouble.TIMEOUT)]
)
@pytest.mark.parametrize(("attempt", "wait_s"), [(1, 1), (2, 300), (3, 1_800), (4, 7_200), (5, 21_600), (6, 43_200)])
def test_a_failed_attempt_waits_for_its_tier(reply: Reply, attempt: int, wait_s: int) -> None:
    assert judge(reply, attempt=attempt, tiers_ms=RETRY_TIERS_MS) == RetryAfter(wait_s * 1_000)


def test_the_seventh_failure_is_the_last() -> None:
    assert judge(Answer(500, b""), attempt=7, tiers_ms=RETRY_TIERS_MS) == GiveUp(Ending.EXHAUSTED)


def test_an_attempt_number_beyond_a_shortened_list_is_the_last() -> None:
    assert judge(Answer(500, b""), attempt=5, tiers_ms=(1_000,)) == GiveUp(Ending.EXHAUSTED)


def test_a_success_has_no_error() -> None:
    assert error_of(Answer(204, b"")) == (None, None)


@pytest.mark.parametrize("trouble", list(Trouble))
def test_every_trouble_has_a_sentence(trouble: Trouble) -> None:
    word, sentence = error_of(NoAnswer(trouble))
    assert word == trouble.word
    assert sentence is not None
    assert sentence.endswith(".")


def test_the_words_of_errors_are_all_known() -> None:
    replies: list[Reply] = [*map(NoAnswer, Trouble), *(Answer(status, b"") for status in (199, 301, 404, 410, 500))]
    assert {error_of(reply)[0] for reply in replies} == set(ERRORS)


def test_no_two_troubles_read_the_same() -> None:
    assert len({trouble.sentence for trouble in Trouble}) == len(Trouble)


def test_a_redirect_is_told_as_such() -> None:
    assert "redirects are not followed" in (error_of(Answer(301, b""))[1] or "")


@pytest.mark.parametrize("attempt", [1, 6, 7, 100])
def test_an_endpoint_that_is_gone_is_not_tried_again(attempt: int) -> None:
    assert judge(Answer(410, b""), attempt=attempt, tiers_ms=RETRY_TIERS_MS) == GiveUp(Ending.GONE)


def test_the_owner_of_an_endpoint_that_is_gone_is_told_what_follows() -> None:
    word, sentence = error_of(Answer(410, b""))
    assert word == "gone"
    assert "has been disabled" in (sentence or "")


@pytest.mark.parametrize(
    ("attempt", "asked_s", "wait_s"),
    [
        (1, 0, 1),
        (1, 1, 1),
        (1, 2, 300),
        (1, 300, 300),
        (1, 301, 1_800),
        (3, 60, 1_800),  # never less than its own tier
        (1, 43_200, 43_200),
        (1, 10**9, 43_200),  # never more than the longest
        (6, 10**9, 43_200),
    ],
)
def test_a_wish_to_be_left_alone_is_rounded_up_to_a_tier(attempt: int, asked_s: int, wait_s: int) -> None:
    answer = Answer(429, b"", retry_after_ms=asked_s * 1_000)
    assert judge(answer, attempt=attempt, tiers_ms=RETRY_TIERS_MS) == RetryAfter(wait_s * 1_000)


def test_a_wish_to_be_left_alone_makes_no_attempt_more() -> None:
    answer = Answer(503, b"", retry_after_ms=1)
    assert judge(answer, attempt=7, tiers_ms=RETRY_TIERS_MS) == GiveUp(Ending.EXHAUSTED)


def test_tiers_in_any_order_serve_a_wish_to_be_left_alone() -> None:
    answer = Answer(429, b"", retry_after_ms=4_000)
    assert judge(answer, attempt=1, tiers_ms=(1_000, 9_000, 5_000)) == RetryAfter(5_000)
