import base64
from collections.abc import Collection, Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookline.core.redaction import redacted, spellings
from hookline.core.request_secrets import request_secrets


def found(
    *,
    headers: Mapping[str, str] | None = None,
    user: str = "",
    password: str = "",
    query: str = "",
    signing_secrets: Sequence[str] = (),
    known: Collection[str] = (),
) -> set[str]:
    """What is looked for, as it is written."""
    secrets = request_secrets(
        headers=headers or {},
        user=user,
        password=password,
        query=query,
        signing_secrets=signing_secrets,
        known=known,
    )
    return {each for each in secrets if spellings([each])}


def basic(login: str, coding: str = "utf-8") -> str:
    return base64.b64encode(login.encode(coding)).decode()


def test_a_request_without_secrets_has_none() -> None:
    assert found() == set()
    assert found(headers={"X-A": "", "X-B": "abc"}, query="a&b", signing_secrets=("", "abc")) == set()


def test_a_signing_secret_is_one_with_and_without_its_prefix() -> None:
    assert found(signing_secrets=("whsec_MfKQ9r8G", "your-secret")) == {"whsec_MfKQ9r8G", "MfKQ9r8G", "your-secret"}


def test_so_is_every_value_of_a_static_header() -> None:
    assert found(headers={"X-Api-Key": "hunter2", "X-Tenant": "acme"}) == {"hunter2", "acme"}


@pytest.mark.parametrize("name", ["Authorization", "authorization", "AUTHORIZATION"])
@pytest.mark.parametrize("scheme", ["Bearer", "Token", "bearer "])
def test_of_an_authorization_the_credentials_are_one_as_well(name: str, scheme: str) -> None:
    assert found(headers={name: f"{scheme} hunter2"}) == {f"{scheme} hunter2", "hunter2"}


@pytest.mark.parametrize("scheme", ["Basic", "basic"])
def test_of_a_basic_one_the_user_and_the_password(scheme: str) -> None:
    coded = basic("admin:hunter2:x")
    whole = f"{scheme} {coded}"
    assert found(headers={"Authorization": whole}) == {whole, coded, "admin:hunter2:x", "admin", "hunter2:x"}


@pytest.mark.parametrize(
    ("credentials", "login"),
    [
        (basic("müller:hunter2"), "müller:hunter2"),
        (basic("müller:hunter2", "latin-1"), "müller:hunter2"),
        (basic("admin:hunter2").rstrip("="), "admin:hunter2"),
    ],
)
def test_however_they_are_coded(credentials: str, login: str) -> None:
    assert {login, *login.split(":")} <= found(headers={"Authorization": f"Basic {credentials}"})


@pytest.mark.parametrize("credentials", ["x", "hunter2!?", "%%%%", "=", ""])
def test_credentials_that_are_no_base64_are_looked_for_as_they_are(credentials: str) -> None:
    secrets = found(headers={"Authorization": f"Basic {credentials}"})
    assert {each for each in (f"Basic {credentials}", credentials) if len(each) > 3} <= secrets


def test_of_a_url_the_user_the_password_and_the_text_that_is_sent_for_both() -> None:
    assert found(user="müller", password="hunter2") == {
        "müller:hunter2",
        "müller",
        "hunter2",
        basic("müller:hunter2", "latin-1"),
    }
    assert found(user="sk_live_1") == {"sk_live_1:", "sk_live_1", basic("sk_live_1:")}
    assert "hunter2" in found(password="hunter2")


def test_of_a_query_the_whole_and_each_value() -> None:
    query = "token=hunter2&next=%2Fhome;bare-token&empty=&=no-name&a=b=c"
    assert found(query=query) == {query, "hunter2", "%2Fhome", "bare-token", "no-name"}


@pytest.mark.parametrize("value", ["true", "False", "NULL", "none", "1234", "00000", "application/json", "abc"])
def test_what_is_in_every_other_answer_is_no_secret(value: str) -> None:
    assert found(headers={"X-A": value}) == set()
    assert found(query=f"a={value}") == {f"a={value}"}
    assert found(query=value) == set()


@pytest.mark.parametrize("value", ["truer", "123456", "12a4", "1,234"])
def test_anything_else_is_one(value: str) -> None:
    assert found(headers={"X-A": value}) == {value}


def test_nor_is_what_the_webhook_says_anyway() -> None:
    assert found(headers={"X-Type": "user.created"}, known=("user.created", "order.*")) == set()
    assert found(headers={"X-Type": "user.updated"}, known=("user.created",)) == {"user.updated"}


def test_what_is_a_secret_by_its_nature_is_one_whatever_it_is_like() -> None:
    assert {"true", "1234", "none"} <= found(user="true", password="1234", signing_secrets=("none",))
    assert "1234" in found(headers={"Authorization": "Bearer 1234"})


@given(
    value=st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=20),
    query=st.text("ab=&;%41+#?", max_size=20),
    login=st.text(max_size=8),
)
def test_whatever_a_request_bears_its_secrets_can_be_looked_for(value: str, query: str, login: str) -> None:
    secrets = found(
        headers={"Authorization": f"Basic {value}", "X-A": value}, query=query, user=login, signing_secrets=(login,)
    )
    assert all(redacted(each.encode(), spellings(secrets)) == b"***" for each in secrets)
