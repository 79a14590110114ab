from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookline.core.masking import MASK, masked_url, needs_sealing

# Of other letters than all that is no secret, so that a trace of one would be seen.
SECRETS = st.text("ABCXYZ0189:&=%+/?#@;~ \u00e4\U0001f511\n", max_size=12)
USERS = st.text("ABCXYZ0189:&=%+@;~ \u00e4\U0001f511\n", min_size=1, max_size=12)
PLACES = st.sampled_from(["host.example", "host.example:0", "[::]", "host", ""])
PATHS = st.sampled_from(["", "/", "/path/to", "//two", "/at@sign", "/a//b@c"])
SECRET_LETTERS = set("ABCXYZ189&=%+;~\u00e4\U0001f511\n")


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("https://host/path?x=1", "https://host/path?***"),
        ("https://u:p@host/", "https://***@host/"),
        ("https://u:p@host:8443/a/b?key=1&b=2#c", "https://***@host:8443/a/b?***"),
        ("https://token@host", "https://***@host"),
        ("https://u:p@ss@host/", "https://***@host/"),
        ("https://host?x", "https://host?***"),
        ("https://host/?a?b@c", "https://host/?***"),
        ("https:///u:p@host/", "https:///***@host/"),
        ("u:p@host/", "***@host/"),
    ],
)
def test_what_is_secret_in_a_url_is_masked(url: str, masked: str) -> None:
    assert masked_url(url) == masked
    assert needs_sealing(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://host/path",
        "http://[::1]:80/",
        "https://host/users/@me",
        "https://host/a//b@c",
        "https://host/p?",
        "https://@host/",
        "https://host/p?***",
        "https://***@host/?***",
        "https://m\u00fcller.example/\u00e4",
        "",
        "no url",
    ],
)
def test_where_nothing_is_secret_it_is_the_very_same_text(url: str) -> None:
    assert masked_url(url) == url
    assert not needs_sealing(url)


@given(user=USERS, place=PLACES, path=PATHS, query=SECRETS)
def test_no_part_of_a_secret_is_in_the_mask(user: str, place: str, path: str, query: str) -> None:
    masked = masked_url(f"https://{user}@{place}{path}?{query}")
    assert masked == f"https://{MASK}@{place}{path}?{MASK if query else ''}"
    assert not SECRET_LETTERS & set(masked)


@given(st.text("htps:/?#@.*abc[]\\ \n\u00e4", max_size=30))
def test_masking_again_changes_nothing_whatever_the_text(text: str) -> None:
    masked = masked_url(text)
    assert masked_url(masked) == masked
    assert not needs_sealing(masked)


@given(scheme=st.sampled_from(["http", "https"]), user=USERS, place=PLACES, path=PATHS, query=SECRETS)
def test_what_a_parser_calls_user_or_query_is_masked(scheme: str, user: str, place: str, path: str, query: str) -> None:
    parts = urlsplit(masked_url(f"{scheme}://{user}@{place}{path}?{query}"))
    assert parts.username == MASK
    assert parts.password is None
    assert parts.query in {MASK, ""}
    assert not parts.fragment
