from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.cases import cases
from hookline.core.static_headers import (
    THE_WHOLE,
    complaints_about_headers,
    read_headers,
    sendable,
    write_headers,
)
from hookline.schemas.errors import ContractError

SECRET = "s3cr3t"
# What the cases say in words.
OF_CASE: Mapping[str, tuple[Mapping[str, str], ...]] = {
    "S374": ({"nam\ne": "x"},),
    "S375": ({"nam\re": "x"},),
    "S376": ({"name": "a\nb"}, {"name": "a\n"}, {"name": "\nb"}, {"name": "a\r\nHost: b"}),
    "S377": ({"name": "a\rb"}, {"name": "a\r"}),
    "S378": ({"Host": "x"}, {"hOST": "x"}),
    "S379": ({"Content-Length": "0"}, {"Transfer-Encoding": "chunked"}, {"content_length": "0"}),
    "S380": ({"webhook-id": "x"}, {"Webhook-Timestamp": "1"}, {"webhook-signature": "v1,"}, {"WEBHOOK_ID": "x"}),
    "S381": ({"Connection": "close"}, {"Upgrade": "h2c"}, {"Proxy-Authorization": "Basic x"}),
}
REFUSED = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "host",
    "content-type",
    "Content-Encoding",
    "content-length",
    "x-webhook-event",
    "X-Webhook-Signature",
    "webhook-id",
    "webhook-request-origin",
    "cookie",
    "set-cookie",
    "cookie2",
    "accept-encoding",
    "expect",
    "user-agent",
    "date",
    "forwarded",
    "x-forwarded-for",
    "X-Forwarded-Host",
    "X_FORWARDED_FOR",
    "via",
    "x-real-ip",
    "proxy",
]
ALLOWED = [
    "authorization",
    "Accept",
    "x-api-key",
    "X-Forwarded",
    "date2",
    "content",
    "webhook",
    "traceparent",
    "`odd|name~",
]


def test_every_case_of_the_table_is_covered() -> None:
    assert [case.name for case in cases("header")] == list(OF_CASE)
    assert {case.expected for case in cases("header")} == {"deny"}


@pytest.mark.parametrize(("name", "headers"), [(name, each) for name, written in OF_CASE.items() for each in written])
def test_headers_are_refused_as_their_case_says(name: str, headers: Mapping[str, str]) -> None:
    assert complaints_about_headers(headers), name
    assert not sendable(headers), name


@pytest.mark.parametrize("name", REFUSED)
def test_names_that_are_not_the_customers_are_refused(name: str) -> None:
    ((named, sentence),) = complaints_about_headers({name: SECRET})
    assert named == name
    assert SECRET not in sentence
    assert not sendable({name: SECRET})


@pytest.mark.parametrize("name", ALLOWED)
def test_other_names_are_the_customers_own(name: str) -> None:
    assert not complaints_about_headers({name: SECRET})
    assert sendable({name: SECRET}) == {name: SECRET}


@pytest.mark.parametrize("name", ["", " ", "a b", "a:", "Authorization: s3cr3t", "n\u00e4me", "a\tb", "a\0", "x" * 101])
def test_a_name_that_is_no_token_is_refused_and_not_repeated(name: str) -> None:
    ((named, sentence),) = complaints_about_headers({"x-fine": "1", name: "2"})
    assert (named, "number 2" in sentence, SECRET in sentence) == (THE_WHOLE, True, False)


@pytest.mark.parametrize("value", ["", "x", "Bearer a b\tc", "!~", "x" * 4_096, '"quoted, listed"; q=1'])
def test_printable_ascii_is_a_value(value: str) -> None:
    assert not complaints_about_headers({"x-a": value})


@pytest.mark.parametrize(
    "wrong", [" {}", "{} ", "\t{}", "{}\t", "{}\0", "{}\x7f", "\x0b{}", "{}\x85", "{}\u00fc", "\ud800{}"]
)
def test_anything_else_is_none(wrong: str) -> None:
    value = wrong.format(SECRET)
    ((name, sentence),) = complaints_about_headers({"x-a": value})
    assert (name, SECRET in sentence) == ("x-a", False)
    assert not sendable({"x-a": value})


def test_a_value_may_have_4_kib() -> None:
    assert complaints_about_headers({"x-a": "x" * 4_097}) == [
        ("x-a", "has a value of 4097 bytes; at most 4096 are allowed")
    ]
    assert not sendable({"x-a": "x" * 4_097})


def test_no_two_names_may_differ_in_case_only() -> None:
    headers = {"X-A": "1", "x-b": "2", "x-a": "3"}
    assert [name for name, _ in complaints_about_headers(headers)] == ["x-a"]
    assert sendable(headers) == {"X-A": "1", "x-b": "2"}


def test_there_may_be_20_of_them_and_16_kib_of_values() -> None:
    assert not complaints_about_headers({f"x-{number}": "x" for number in range(20)})
    assert [name for name, _ in complaints_about_headers({f"x-{number}": "" for number in range(21)})] == [THE_WHOLE]
    assert not complaints_about_headers({f"x-{number}": "x" * 4_096 for number in range(4)})
    too_much = {f"x-{number}": "x" * 4_096 for number in range(4)} | {"x-4": "x"}
    assert complaints_about_headers(too_much) == [
        (THE_WHOLE, "have 16385 bytes of values together; at most 16384 are allowed")
    ]


def test_everything_that_is_wrong_is_said_at_once() -> None:
    wrong = {"host": "x", "x-a": "\n", "b c": ""}
    assert [name for name, _ in complaints_about_headers(wrong)] == ["host", "x-a", THE_WHOLE]


@given(st.dictionaries(st.text(max_size=12), st.text(max_size=12), max_size=22))
def test_what_is_written_is_read_again_whatever_it_is(headers: Mapping[str, str]) -> None:
    assert read_headers(write_headers(headers)) == headers


@given(
    st.dictionaries(
        st.text("aA-_:\n1", max_size=4) | st.sampled_from(REFUSED), st.text("a \t\n\u00fc", max_size=4), max_size=22
    )
)
def test_what_is_sent_is_what_nothing_speaks_against(headers: Mapping[str, str]) -> None:
    assert (sendable(headers) == headers) is (not complaints_about_headers(headers))
    assert not complaints_about_headers(sendable(headers))


@pytest.mark.parametrize("text", ["", "{", "[]", '"s3cr3t"', "1", '{"x-a": 1}', '{"x-a": ["s3cr3t"]}', "[" * 100_000])
def test_a_text_that_holds_no_headers_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(ContractError) as raised:
        read_headers(text)
    assert SECRET not in f"{raised.value}{raised.value.__cause__}{raised.value.__context__}"
