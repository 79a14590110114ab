"""The OpenAPI document: valid, whole, with examples that fit, and true of what handlers answer and endpoints get."""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openapi_spec_validator import OpenAPIV31SpecValidator

from fakes.api import CATALOGUE, CODEC, RENDERER, Api, Reply
from fakes.history import DELIVERED, FAILED, FAILED_STEPS, MANY_REQUESTS, SUCCEEDED
from fakes.letters import buried, letter
from fakes.openapi import Described, complaints, described, read_document, values_of
from fakes.recovery import job_written, kept_delivery
from fakes.schemas import MONEY, TEXT, TIME, event, field, optional, parcels, record
from hookline.api.examples import EXAMPLES
from hookline.api.openapi_events import event_webhooks
from hookline.core.rendering import Renderer
from hookline.core.signing import Signer, headers_of_two
from hookline.schemas.catalogue import Catalogue, EventType
from hookline.schemas.codec import Codec, sample_event
from hookline.schemas.records import Event

AT = datetime(2023, 6, 20, 14, 15, 30, 999_000, tzinfo=UTC)
JSON, PROBLEM = "application/json", "application/problem+json"
# Words of the code, which the public does not know, and of Python.
OURS = re.compile(
    r"\b((?i:subscriptions?|handlers?|pydantic|aiohttp|faust|dataclass(es)?|docstrings?|tombstones?|models?|class(es)?)"
    r"|(?i:contract|bug|the view|dispatchers?|fan-out)|None|True|False|Refused with)\b"
)
EVERY_SHAPE = event(
    field("note", TEXT),
    field("is_gift", "boolean"),
    field("pieces", "int"),
    field("grams", "long"),
    field("metres", "double"),
    field("price", MONEY),
    field("sent_at", TIME),
    field("kind", {"type": "enum", "name": "Kind", "doc": "A kind.", "symbols": ["letter", "box"]}),
    field("tags", {"type": "map", "values": TEXT}),
    field("parts", {"type": "array", "items": record("Part", field("name", TEXT), optional("weight", "double"))}),
    optional("remark", TEXT),
    optional("spare", "test.events.Part"),
    sample={
        "note": "n",
        "is_gift": True,
        "pieces": 1,
        "grams": 2,
        "metres": 0.5,
        "price": 9.99,
        "sent_at": "2023-06-20T14:15:30Z",
        "kind": "box",
        "tags": {"a": "b"},
        "parts": [{"name": "p"}],
    },
)


@pytest.fixture
async def document(api: Api) -> Mapping[str, Any]:
    return await read_document(api)


# -- the document -----------------------------------------------------------------------------------------------------


async def test_the_document_is_valid_openapi_3_1(document: Mapping[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")
    assert [error.message for error in OpenAPIV31SpecValidator(document).iter_errors()] == []


async def test_every_body_has_an_example_and_every_example_fits(document: Mapping[str, Any]) -> None:
    contents = [content for each in described(document) for content in each.contents()]
    named = set(re.findall(r"#/components/schemas/(\w+)", json.dumps(contents)))
    assert named == EXAMPLES.keys()
    schemas = document["components"]["schemas"]
    assert {name for name in named if schemas[name]["examples"] != [EXAMPLES[name]]} == set()
    wrong = {name: complaints(document, {"$ref": f"#/components/schemas/{name}"}, EXAMPLES[name]) for name in named}
    assert {name: said for name, said in wrong.items() if said} == {}


async def test_names_are_unique_and_every_link_leads_to_one(document: Mapping[str, Any]) -> None:
    operations = list(described(document))
    events = [each["post"]["operationId"] for each in document["webhooks"].values()]
    names = [*(each.name for each in operations), *events]
    assert len(names) == len(set(names))
    by_name = {each.name: each for each in operations}
    for link in links(operations):
        assert link["parameters"].keys() == by_name[link["operationId"]].parameters("path").keys()


async def test_every_parameter_of_a_path_is_declared(document: Mapping[str, Any]) -> None:
    for each in described(document):
        declared = each.parameters("path")
        assert set(re.findall(r"\{(\w+)\}", each.path)) == declared.keys()
        assert all(parameter["required"] for parameter in declared.values())


async def test_every_operation_tells_how_it_refuses(document: Mapping[str, Any]) -> None:
    for each in described(document):
        problems = {status: answer for status, answer in each.content["responses"].items() if status >= "400"}
        assert any(status < "500" for status in problems)
        assert "500" in problems
        schema = {"$ref": "#/components/schemas/ProblemBody"}
        assert all(answer["content"] == {PROBLEM: {"schema": schema}} for answer in problems.values())


async def test_everything_is_described(document: Mapping[str, Any]) -> None:
    assert [place for place, described_one in describables(document, "") if not described_one.strip()] == []


async def test_no_word_of_the_code_is_told(document: Mapping[str, Any]) -> None:
    told = [*describables(document, ""), *summaries(document)]
    assert [(place, text) for place, text in told if OURS.search(text)] == []
    assert [(place, text) for place, text in told if "``" in text or "\n    " in text] == []


async def test_what_may_be_asked_for_is_what_this_installation_has(document: Mapping[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert schemas["TestRequest"]["properties"]["event"]["$ref"] == "#/components/schemas/EventType"
    assert schemas["NewWebhook"]["properties"]["events"]["items"]["$ref"] == "#/components/schemas/EventPattern"
    assert schemas["EventType"]["enum"] == list(CATALOGUE.event_types)
    assert set(schemas["EventPattern"]["enum"]) == {"*", "order.*", "user.*", "payment.*", *CATALOGUE.event_types}


def links(operations: list[Described]) -> Iterator[Any]:
    for each in operations:
        for answer in each.content["responses"].values():
            yield from answer.get("links", {}).values()


def describables(value: Any, place: str) -> Iterator[tuple[str, str]]:
    """Place and text of everything that should be described: fields, parameters, headers, answers, bodies."""
    for name, inner in value.items() if isinstance(value, dict) else []:
        match name, inner:
            case "example" | "examples" | "default" | "enum", _:
                continue
            case "properties" | "headers" | "schemas", _:
                named = inner
            case "parameters", list():
                named = {each["name"]: each for each in inner}
            case _, list():
                named = {}
                yield from (found for each in inner for found in describables(each, f"{place}/{name}"))
            case _:
                named = {}
                yield from describables(inner, f"{place}/{name}")
        for each, content in named.items():
            yield f"{place}/{name}/{each}", content.get("description", "")
            yield from describables(content, f"{place}/{name}/{each}")


def summaries(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "info", document["info"]["description"]
    for each in described(document):
        yield each.name, each.content["summary"]
        yield each.name, each.content.get("description", "")


# -- what handlers answer ---------------------------------------------------------------------------------------------

WEBHOOK = {"url": "https://example.com/hook", "events": ["user.created"]}
BODIES: Mapping[str, Any] = {
    **EXAMPLES,
    "NewWebhook": {**EXAMPLES["NewWebhook"], "uid": "mine", "metadata": {"tier": "gold"}, "headers": {"X-A": "b"}},
    "NewKey": {"name": "backend", "expires_in_s": 60},
}
TOLD = ("Accept-Post", "ETag", "Location", "Retry-After", "WWW-Authenticate", "X-Request-Id")
MADE = "$response.body#/id"
LAST = ("deleteWebhook", "revokeKey", "revokeAdminKey")  # they take away what the others are asked about


async def test_every_operation_answers_as_it_is_described(api: Api) -> None:
    document = await read_document(api)
    ids = await made_for(api)
    api.history.delivery_rows.insert(0, SUCCEEDED)
    api.history.log_rows = [DELIVERED]
    api.history.step_rows, api.history.numbers = {FAILED.delivery_id: FAILED_STEPS}, MANY_REQUESTS
    for each in sorted(described(document), key=lambda each: each.name in LAST):
        reply = await call(api, each, {**ids, "key_id": ids.get(each.name, "")})
        assert reply.status in {200, 201, 202, 204}, f"{each.name}: {reply.text}"
        check_described(document, each, reply)


async def test_a_replay_that_is_only_counted_answers_as_it_is_described(api: Api) -> None:
    document = await read_document(api)
    each = next(each for each in described(document) if each.name == "replayWebhook")
    path = each.path.format(id=(await api.call.made())["id"])
    for body, status in (({"since": AN_HOUR, "dry_run": True}, 200), ({"since": AN_HOUR}, 202)):
        reply = await api.call("POST", path, body)
        assert reply.status == status
        check_described(document, each, reply)


async def made_for(api: Api) -> dict[str, str]:
    """A webhook, an account and a key of each kind."""
    webhook = await api.call.made()
    account = await api.admin("POST", "/accounts", {"name": "Other", "signs_ed25519": True})
    key = await api.admin("POST", f"/accounts/{account.json['id']}/keys", {"name": "k"})
    admin_key = await api.admin("POST", "/keys", {"name": "k"})
    return {
        "letter_id": await buried(api, letter(1, account_id=api.account_id, subscription_id=webhook["id"])),
        "id": webhook["id"],
        "account_id": account.json["id"],
        "delivery_id": (await kept_delivery(api, webhook["id"])).delivery_id,
        "event_id": FAILED.event_id,
        "job_id": (await job_written(api, webhook["id"])).job_id,
        "revokeKey": key.json["id"],
        "revokeAdminKey": admin_key.json["id"],
    }


async def call(api: Api, each: Described, ids: Mapping[str, str]) -> Reply:
    """What the operation answers to its body's example, asked by whoever may."""
    schema = each.content.get("requestBody", {}).get("content", {}).get(JSON, {}).get("schema")
    body = None if schema is None else BODIES[schema["$ref"].rpartition("/")[2]]
    key = api.admin if each.content.get("tags") == ["Administration"] else api.call
    return await key(each.method, each.path.format_map(ids), body)


def check_described(document: Mapping[str, Any], each: Described, reply: Reply) -> None:
    """The answer has a status, headers and a body that the document says it has; and all of its headers are there."""
    answer = each.content["responses"][str(reply.status)]
    there = {name for name in TOLD if name in reply.headers}
    assert there == answer["headers"].keys(), each.name
    if "content" not in answer:
        assert reply.text == ""
        return
    ((media_type, content),) = answer["content"].items()
    assert reply.headers["Content-Type"].partition(";")[0] == media_type
    if media_type != "text/html":
        assert complaints(document, content["schema"], reply.json) == [], each.name


async def test_every_link_leads_to_what_was_made_until_it_is_deleted(api: Api) -> None:
    operations = {each.name: each for each in described(await read_document(api))}
    ids = {"account_id": (await api.admin("POST", "/accounts", EXAMPLES["NewAccount"])).json["id"]}
    makers = [each for each in operations.values() if list(links([each]))]
    assert len(makers) == 4
    for maker in makers:
        made = (await call(api, maker, ids)).json["id"]
        linked = {link["operationId"]: link["parameters"] for link in links([maker])}
        known = {name: ids[name] if said != MADE else made for each in linked.values() for name, said in each.items()}
        deleting = [name for name in linked if operations[name].method == "DELETE"]
        there = [await call(api, operations[name], known) for name in [*(linked.keys() - {*deleting}), *deleting]]
        assert [reply.text for reply in there if reply.status >= 300] == []
        gone = [await call(api, operations[name], known) for name in linked if deleting]
        assert {reply.status for reply in gone} <= {404}


AN_HOUR = "2023-06-20T14:15:30Z"
REFUSALS: list[tuple[str, str, str, dict[str, Any], int]] = [
    ("createWebhook", "POST", "/webhooks", {"body": {}}, 422),
    ("createWebhook", "POST", "/webhooks", {"data": b"{"}, 400),
    ("createWebhook", "POST", "/webhooks", {"data": b"{}", "headers": {"Content-Type": "text/plain"}}, 415),
    ("createWebhook", "POST", "/webhooks", {"data": b" " * 70_000}, 413),
    ("createWebhook", "POST", "/webhooks", {"body": WEBHOOK, "headers": {"Idempotency-Key": "a b"}}, 422),
    ("createWebhook", "POST", "/webhooks", {"headers": {"Authorization": ""}}, 401),
    ("listWebhooks", "GET", "/webhooks?limit=0", {}, 422),
    ("listWebhooks", "GET", "/webhooks?limit=1&limit=2", {}, 422),
    ("listWebhooks", "GET", "/webhooks", {"headers": {"Hookline-Account": "acct_none"}}, 404),
    ("listDeliveries", "GET", "/webhooks/{id}/deliveries?since=yesterday", {}, 422),
    ("readDelivery", "GET", "/deliveries/none", {}, 404),
    ("readEvent", "GET", "/events/none", {}, 404),
    ("readEvent", "GET", "/events/none?limit=0", {}, 422),
    ("readStats", "GET", "/stats?since=2023-01-01T00:00:00Z", {}, 422),
    ("readWebhookStats", "GET", "/webhooks/none/stats", {}, 404),
    ("readWebhook", "GET", "/webhooks/none", {}, 404),
    ("retryDelivery", "POST", "/webhooks/{id}/deliveries/none/retry", {}, 404),
    ("recoverWebhook", "POST", "/webhooks/{id}/recover", {"body": {}}, 422),
    ("replayWebhook", "POST", "/webhooks/{id}/replay", {"body": {"since": AN_HOUR, "events": ["order.*"]}}, 422),
    ("cancelRetries", "POST", "/webhooks/{id}/cancel-retries", {"headers": {"If-Match": '"0"'}}, 412),
    ("listJobs", "GET", "/webhooks/{id}/jobs?state=over", {}, 422),
    ("readJob", "GET", "/jobs/none", {}, 404),
    (
        "changeWebhook",
        "PUT",
        "/webhooks/{id}",
        {"body": {"description": "x"}, "headers": {"If-Match": "nonsense"}},
        412,
    ),
    ("deleteWebhook", "DELETE", "/webhooks/{id}", {"headers": {"If-Match": '"0"'}}, 412),
    ("listAccounts", "GET", "/accounts", {}, 403),
]


@pytest.mark.parametrize(("name", "method", "path", "sent", "status"), REFUSALS)
async def test_a_refusal_is_as_it_is_described(
    api: Api, name: str, method: str, path: str, sent: dict[str, Any], status: int
) -> None:
    document = await read_document(api)
    made = await api.call.made()
    each = next(each for each in described(document) if each.name == name)
    reply = await api.call(method, path.format(id=made["id"]), sent.pop("body", None), **sent)
    assert reply.status == status
    check_described(document, each, reply)


# -- what endpoints get -----------------------------------------------------------------------------------------------


async def test_every_event_type_is_described_with_its_sample(document: Mapping[str, Any]) -> None:
    webhooks = document["webhooks"]
    assert list(webhooks) == list(CATALOGUE.event_types)
    for name, content in ((name, content_of(webhooks, name)) for name in webhooks):
        shown = sample_event(CATALOGUE, name, event_id="evt_1", account_id="acct_1", occurred_at=AT)
        assert complaints(document, content["schema"], json.loads(RENDERER.render(shown))) == []
        assert complaints(document, content["schema"], content["example"]) == []
        assert content["example"]["data"] == CATALOGUE.event_types[name].sample


async def test_what_endpoints_get_has_these_headers(document: Mapping[str, Any]) -> None:
    signer = Signer("whsec_" + "A" * 44)
    signed: dict[str, Any] = {"delivery_id": "delivery_1", "timestamp_s": 1, "body": b"{}"}
    always = {"X-Webhook-Event", "X-Webhook-Attempt", *signer.headers(**signed)}
    for each in document["webhooks"].values():
        parameters = {parameter["name"]: parameter["required"] for parameter in each["post"]["parameters"]}
        assert {name for name, is_required in parameters.items() if is_required} == always
        assert parameters.keys() == {"X-Webhook-Event", "X-Webhook-Attempt", *headers_of_two(signer, signer, **signed)}


def rendered(catalogue: Catalogue, event_type: EventType, data: Mapping[str, Any]) -> Any:
    """The body that an endpoint gets, once the event has been through Kafka."""
    shown = Event(event_id="e", account_id="a", type=event_type.name, occurred_at=AT, data=data)
    codec = CODEC if catalogue is CATALOGUE else Codec(catalogue)
    return json.loads(Renderer(catalogue).render(codec.decode_event(codec.encode_event(shown))))


def content_of(webhooks: Mapping[str, Any], name: str) -> Any:
    return webhooks[name]["post"]["requestBody"]["content"][JSON]


CATALOGUES = [CATALOGUE, parcels(EVERY_SHAPE)]
ALL_TYPES = [(catalogue, name) for catalogue in CATALOGUES for name in catalogue.event_types]


@pytest.mark.parametrize(("catalogue", "name"), ALL_TYPES, ids=[name for _, name in ALL_TYPES])
@settings(max_examples=25, deadline=None, derandomize=True)
@given(drawn=st.data())
def test_every_event_that_can_be_fits_its_description(drawn: st.DataObject, catalogue: Catalogue, name: str) -> None:
    event_type = catalogue.event_types[name]
    body = rendered(catalogue, event_type, drawn.draw(values_of(event_type.data)))
    schema = content_of(event_webhooks(catalogue), name)["schema"]
    assert complaints({"components": {}}, schema, body) == []


def test_an_absent_field_is_never_null() -> None:
    catalogue = parcels(EVERY_SHAPE)
    event_type = catalogue.event_types["parcel.sent"]
    schema = content_of(event_webhooks(catalogue), "parcel.sent")["schema"]
    body = rendered(catalogue, event_type, event_type.sample_data)
    assert "remark" not in body["data"]
    assert complaints({"components": {}}, schema, body) == []
    body["data"]["remark"] = None
    assert complaints({"components": {}}, schema, body) != []


def test_a_field_that_is_wrong_does_not_fit() -> None:
    content = content_of(event_webhooks(CATALOGUE), "order.created")
    wrongs: list[dict[str, Any]] = [{"total": "9"}, {"items": [{}]}, {"created_at": "yesterday"}, {"id": None}]
    for wrong in wrongs:
        body = {**content["example"], "data": {**content["example"]["data"], **wrong}}
        assert complaints({"components": {}}, content["schema"], body) != []
