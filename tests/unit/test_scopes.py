import json

import pytest

from hookline.core.audit import shown
from hookline.core.scopes import Scope, allows

EVERYTHING = {Scope.READ, Scope.WRITE, Scope.ADMIN}


@pytest.mark.parametrize(
    ("scopes", "allowed"),
    [
        ("read", {Scope.READ}),
        ("write", {Scope.READ, Scope.WRITE}),
        ("read write", {Scope.READ, Scope.WRITE}),
        ("admin", EVERYTHING),
        ("  read   admin ", EVERYTHING),
        ("", set()),
        ("READ", set()),
        ("read,write", set()),
        ("readwrite", set()),
        ("unknown", set()),
        ("unknown read", {Scope.READ}),
    ],
)
def test_a_scope_allows_what_it_includes_and_nothing_else(scopes: str, allowed: set[Scope]) -> None:
    assert {scope for scope in Scope if allows(scopes, scope)} == allowed


@pytest.mark.parametrize("name", ["secret", "next_secret", "key", "token"])
def test_what_is_shown_once_is_in_no_audit_entry(name: str) -> None:
    assert shown({"id": "wh_1", name: "canary"}) == '{"id":"wh_1"}'


def test_an_audit_entry_keeps_the_rest_in_its_order() -> None:
    subject = {"url": "https://example.com", "metadata": {"secret": "of the customer"}, "events": ("a", "b"), "n": None}
    assert list(json.loads(shown(subject)).items()) == [
        ("url", "https://example.com"),
        ("metadata", {"secret": "of the customer"}),
        ("events", ["a", "b"]),
        ("n", None),
    ]
