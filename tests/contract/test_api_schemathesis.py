"""Every operation, asked what the OpenAPI document says it takes and what it says it does not: no 5xx, no answer outside it.

`make fuzz` asks a thousand times each. All of schemathesis' checks are made but two: `max_response_time`, for machines are
slow, and `object_level_authorization`, which would have to guess whose a webhook is; test_api_webhooks and test_api_keys
know. `positive_data_acceptance` knows the few rules that no schema can say (fakes/fuzzing.py).
"""

import copy
from collections.abc import Iterator, Mapping
from typing import Any

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase

from fakes.fuzzing import Asked, Fuzzer, table
from fakes.openapi import read_document
from fakes.raw_http import Raw, answer_to, faults, raw_requests, things_there
from fakes.served import Served, served_api

pytestmark = pytest.mark.timeout(300)  # half a minute each on a slow machine that has nothing else to do
EXAMPLES, SEED = 40, 20_230_620
UNLIMITED: Mapping[str, Any] = {"requests_per_minute": 0, "subscriptions_max": 100_000}


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with served_api(**UNLIMITED) as running:
        yield running


@pytest.fixture(scope="module")
def fuzzer(served: Served) -> Fuzzer:
    return Fuzzer(served)


def check(*all_asked: Asked) -> None:
    """Nothing was found; the message shows each kind of finding with a request that leads to it."""
    assert sum(asked.findings.total() for asked in all_asked) == 0, "\n".join(table(all_asked))


def test_every_operation_keeps_to_its_description(fuzzer: Fuzzer) -> None:
    all_asked = [fuzzer.ask(operation, examples=EXAMPLES, seed=SEED) for operation in fuzzer.operations]
    check(*all_asked)
    assert [asked.name for asked in all_asked if not any(200 <= status < 300 for status in asked.statuses)] == []


def test_every_operation_keeps_its_bounds(fuzzer: Fuzzer) -> None:
    all_asked = [fuzzer.ask_boundaries(operation) for operation in fuzzer.operations]
    check(*all_asked)
    assert sum(asked.statuses[405] for asked in all_asked) > len(all_asked)


def test_what_was_made_is_there_until_it_is_deleted() -> None:
    with served_api(**UNLIMITED) as running:  # of its own: it changes what the other tests stand on
        asked = Fuzzer(running).walk(examples=EXAMPLES // 2, seed=SEED)
    check(asked)
    assert {200, 201, 204} <= asked.statuses.keys()


def test_a_refusal_for_too_many_requests_keeps_to_its_description() -> None:
    with served_api(requests_per_minute=4) as running:
        fuzzer = Fuzzer(running, slots=[None])
        all_asked = [fuzzer.ask(operation, examples=6, seed=SEED) for operation in fuzzer.operations]
    check(*all_asked)
    assert sum(asked.statuses[429] for asked in all_asked) > len(all_asked)


@hypothesis.seed(SEED)
@hypothesis.settings(
    max_examples=400,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@hypothesis.given(drawn=hypothesis.strategies.data())
def test_whatever_comes_over_the_wire_is_answered_with_a_problem(
    served: Served, names: Mapping[str, str], document: Mapping[str, Any], drawn: hypothesis.strategies.DataObject
) -> None:
    raw: Raw = drawn.draw(raw_requests(names))
    assert faults(raw, answer_to(raw, served), document) == []


@pytest.fixture(scope="module")
def names(served: Served) -> Mapping[str, str]:
    return things_there(served)


@pytest.fixture(scope="module")
def document(served: Served) -> Mapping[str, Any]:
    return served.do(read_document)


# -- the fuzzer -------------------------------------------------------------------------------------------------------


def without_404(document: Any) -> None:
    del document["paths"]["/webhooks/{id}"]["get"]["responses"]["404"]


def with_another_field(document: Any) -> None:
    document["components"]["schemas"]["Webhook"]["required"].append("colour")


def with_another_header(document: Any) -> None:
    header = {"required": True, "schema": {"type": "string"}}
    document["paths"]["/webhooks/{id}"]["get"]["responses"]["200"]["headers"]["X-Colour"] = header


def with_more_webhooks(document: Any) -> None:
    document["components"]["schemas"]["NewAccount"]["properties"]["webhooks_max"]["anyOf"][0]["maximum"] += 1


def with_shorter_names(document: Any) -> None:
    document["components"]["schemas"]["NewAccount"]["properties"]["name"]["maxLength"] = 100


def with_another_media_type(document: Any) -> None:
    answer = document["paths"]["/webhooks/{id}"]["get"]["responses"]["200"]
    answer["content"] = {"text/plain": {"schema": {"type": "string"}}}


@pytest.mark.parametrize(
    ("change", "operation", "kind"),
    [
        (without_404, "GET /webhooks/{id}", "UndefinedStatusCode"),
        (with_another_field, "GET /webhooks/{id}", "JsonSchemaError"),
        (with_another_header, "GET /webhooks/{id}", "MissingHeaders"),
        (with_another_media_type, "GET /webhooks/{id}", "UndefinedContentType"),
        (with_more_webhooks, "POST /accounts", "RejectedPositiveData"),
        (with_shorter_names, "POST /accounts", "AcceptedNegativeData"),
    ],
)
def test_a_document_that_is_wrong_is_found(
    served: Served, document: Mapping[str, Any], change: Any, operation: str, kind: str
) -> None:
    wrong = copy.deepcopy(document)
    change(wrong)
    fuzzer = Fuzzer(served, document=wrong)
    all_asked = [fuzzer.ask(operation, examples=EXAMPLES, seed=SEED), fuzzer.ask_boundaries(operation)]
    assert kind in {found.partition(":")[0] for asked in all_asked for found in asked.findings}
