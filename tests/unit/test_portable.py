"""The configuration as text: what is exported comes back as it was, and what is no export is refused by its line."""

import json
from dataclasses import replace

import pytest

from fakes.configuration import SECRET, subscription
from fakes.judgements import disabling, health
from hookline.core.accounts import erased
from hookline.core.judgements import counts
from hookline.core.portable import Configured, Step, lines, over, records, step
from hookline.runtime.catalogue import load_catalogue
from hookline.runtime.keys import new_api_key
from hookline.schemas.codec import Codec
from hookline.schemas.errors import ContractError
from hookline.schemas.records import Account

CODEC = Codec(load_catalogue())
# "hook" as base64 has it behind "https://example.com/", and what one flipped bit makes of it.
ONE, OTHER = "aG9vaw", "aW9vaw"


def everything() -> list[Configured]:
    one = subscription("https://example.com/hook")
    return [
        Account(account_id="acct_1", name="Größe \u2028", created_at_ms=1),
        new_api_key("acct_1", 1)[1],
        one,
        disabling(one),
        health(one, opened=1),
    ]


def test_what_is_exported_comes_back_as_it_was() -> None:
    text = "\n".join(lines(everything_made := everything(), CODEC))
    assert list(records(text.splitlines(), CODEC)) == everything_made
    assert SECRET not in text


def test_each_line_says_what_it_is() -> None:
    kinds = [json.loads(line).get("kind") for line in lines(everything(), CODEC)]
    assert kinds == [None, "Account", "ApiKey", "Subscription", "Disabling", "EndpointHealth", None]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text[1:], "line 1 is not"),
        (lambda _text: [], "line 1 is not"),
        (lambda text: [*text[:2], "nonsense", *text[2:]], "line 3 is not JSON"),
        (lambda text: [*text[:2], "[" * 100_000], "line 3 is not JSON"),
        (lambda text: [*text[:2], "[]"], "line 3 holds no record"),
        (lambda text: [*text[:2], '{"avro": 7}'], "line 3 holds no record"),
        (lambda text: [*text[:2], '{"avro": "AAAA"}'], "line 3 holds no record"),
        (lambda text: [*text[:2], text[2][:-20] + '"}'], "line 3 holds no record"),
        (lambda text: text[:-1], "does not fit its 5 records: it was cut short"),
        (lambda text: text[:3], "does not fit its 2 records: it was cut short"),
        (lambda text: text[:1], "does not fit its 0 records: it was cut short"),
        (lambda text: [*text[:3], *text[4:]], "does not fit its 4 records: it was cut short, or changed"),
        (lambda text: [*text[:2], text[3], text[2], *text[4:]], "does not fit its 5 records"),
        (lambda text: [*text, text[2]], "line 8 follows the export's end"),
        (lambda text: [*text[:3], text[3].replace(ONE, OTHER), *text[4:]], "does not fit its 5 records"),
    ],
)
def test_what_is_no_export_is_refused_by_its_line(change: object, said: str) -> None:
    assert callable(change)
    with pytest.raises(ContractError, match=said) as caught:
        list(records(change(list(lines(everything(), CODEC))), CODEC))
    assert "nonsense" not in str(caught.value)


@pytest.mark.parametrize("replaces", [False, True])
def test_an_import_writes_what_is_missing_or_older(*, replaces: bool) -> None:
    now = replace(subscription("https://example.com/hook"), version=5)
    older, newer = replace(now, version=4), replace(now, version=6)
    assert step(now, None, replaces=replaces) is Step.WRITE
    assert step(now, now, replaces=replaces) is Step.SAME
    assert step(now, older, replaces=replaces) is Step.WRITE
    assert step(now, newer, replaces=replaces) is (Step.WRITE if replaces else Step.NEWER_HERE)
    assert step(now, replace(now, description="x"), replaces=replaces) is (Step.WRITE if replaces else Step.NEWER_HERE)


@pytest.mark.parametrize("replaces", [False, True])
def test_an_import_brings_nothing_back_of_an_account_that_is_erased(*, replaces: bool) -> None:
    account = Account(account_id="acct_1", name="x", created_at_ms=1, version=50)
    marker = erased("acct_1", None, now_ms=9)
    for each in (account, *everything()[1:]):
        for there in (None, each):
            assert step(each, there, replaces=replaces, is_erased=True) is Step.ERASED
    assert step(account, marker, replaces=replaces, is_erased=True) is Step.ERASED
    assert step(marker, None, replaces=replaces, is_erased=True) is Step.WRITE
    assert step(marker, account, replaces=replaces, is_erased=True) is Step.WRITE  # however often it was changed here
    assert step(marker, replace(marker, version=70), replaces=replaces, is_erased=True) is Step.SAME


@pytest.mark.parametrize(("imported", "there", "written"), [(3, 40, 41), (40, 40, 41), (41, 40, 41), (50, 40, 50)])
def test_what_is_written_over_has_a_version_that_it_never_had(imported: int, there: int, written: int) -> None:
    old = replace(subscription("https://example.com/hook"), version=imported)
    assert over(old, replace(old, version=there, description="new")) == replace(old, version=written)
    account = Account(account_id="acct_1", name="old", created_at_ms=1, version=imported)
    assert over(account, replace(account, version=there, name="new")) == replace(account, version=written)


@pytest.mark.parametrize(("imported", "there"), [(3, 40), (40, 3)])
def test_retries_that_were_cancelled_stay_so(imported: int, there: int) -> None:
    old = replace(subscription("https://example.com/hook"), version=imported, description="old")
    for of_file, of_kafka in ((0, 7_000), (7_000, 0), (7_000, 7_000)):
        file, kafka = (replace(old, cancelled_before_ms=each) for each in (of_file, of_kafka))
        written = over(file, replace(kafka, version=there, description="new"))
        assert isinstance(written, type(old))
        assert (written.cancelled_before_ms, written.description) == (7_000, "old")


def test_what_only_differs_in_its_version_is_the_one_that_is_there() -> None:
    old = replace(subscription("https://example.com/hook"), version=3)
    there = over(old, replace(old, version=40, judged_from=9, description="new"))
    assert over(old, there) is there
    account = Account(account_id="acct_1", name="old", created_at_ms=1, version=3)
    assert over(account, replace(account, version=9)) == replace(account, version=9)


def test_what_is_missing_is_written_as_it_is() -> None:
    for each in everything():
        assert over(each, None) == each


def test_a_judgement_of_the_file_counts_once_it_is_written_over_and_none_that_was_void_before_does() -> None:
    old = replace(subscription("https://example.com/hook"), version=3)
    enabled_since = replace(old, version=9, judged_from=9, description="new")
    written = over(old, enabled_since)
    assert isinstance(written, type(old))
    assert not counts(disabling(replace(old, version=8)), written)  # of the time before it was enabled
    assert counts(disabling(enabled_since), written)  # the endpoint of the one that is there, as it is now
    for judged in (disabling(old), health(old, opened=1)):
        brought = over(judged, None, judged_from=enabled_since.judged_from)
        assert isinstance(brought, type(judged))
        assert counts(brought, written)
        assert (
            brought.subscription_version <= written.version
        )  # else nothing that counts from the next version on voids it
        assert over(judged, brought, judged_from=written.judged_from) == brought
