import json
import re
from pathlib import Path

import pytest

from fakes.schemas import MONEY, TEXT, TIME, event, field, optional, record
from hookline.runtime.catalogue import load_catalogue
from hookline.schemas.catalogue import Catalogue
from hookline.schemas.errors import ConfigError, ContractError

CONTRACT_TYPES = {
    "user.created",
    "user.updated",
    "user.deleted",
    "order.created",
    "order.completed",
    "order.cancelled",
    "payment.succeeded",
    "payment.failed",
}
ENUM = {"type": "enum", "name": "Size", "symbols": ["small", "large"]}


def one(text: str) -> Catalogue:
    return Catalogue.from_texts({"parcel.sent/1.avsc": text})


def two(first: str, second: str) -> Catalogue:
    return Catalogue.from_texts({"parcel.sent/1.avsc": first, "parcel.sent/2.avsc": second})


def test_the_packaged_catalogue_holds_the_contracts_event_types() -> None:
    assert set(load_catalogue().event_types) == CONTRACT_TYPES


def test_an_event_type_says_where_it_goes_and_what_it_is() -> None:
    created = load_catalogue().event_types["order.created"]
    assert (created.domain, created.topic, created.entity) == ("order", "events.order", "id")
    assert created.description == "A new order was placed."
    assert json.loads(json.dumps(created.sample))["total"] == 99.99


def test_every_domain_is_named_once() -> None:
    assert load_catalogue().domains == ("order", "payment", "user")


def test_the_fingerprint_is_the_specifications() -> None:
    canonical = (
        '{"name":"hookline.records.Account","type":"record","fields":[{"name":"account_id","type":"string"},'
        '{"name":"name","type":"string"},{"name":"created_at_ms","type":"long"}]}'
    )
    assert crc_64_avro(canonical.encode()).to_bytes(8, "little") in load_catalogue().by_fingerprint


def crc_64_avro(data: bytes) -> int:
    empty = 0xC15D213AA4D7A795
    code = empty
    for byte in data:
        code ^= byte
        for _ in range(8):
            code = (code >> 1) ^ (empty if code & 1 else 0)
    return code


def test_the_fingerprint_algorithm_gives_the_specifications_value_for_null() -> None:
    assert crc_64_avro(b'"null"') == 0x63DD24E7CC258F8A


def test_a_new_event_type_is_a_new_file() -> None:
    text = event(optional("weight", MONEY), field("sent_at", TIME), sample={"sent_at": "2023-06-20T14:15:30Z"})
    assert one(text).event_types["parcel.sent"].topic == "events.parcel"


def test_the_newest_version_writes_and_every_version_reads() -> None:
    both = two(event(), event(optional("note", TEXT)))
    assert both.newest["parcel.sent"].number == 2
    assert len(both.by_fingerprint) == 2
    assert both.event_types["parcel.sent"].data.field("note") is not None


def test_an_unknown_event_type_is_named() -> None:
    with pytest.raises(
        ContractError, match=re.escape("the event type is 'parcel.lost'; it must be one of parcel.sent")
    ):
        one(event()).event_type("parcel.lost")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is no JSON"),
        ("[]", "the schema is no record"),
        ('"string"', "the schema is no record"),
        (event(doc=None), "`doc` is missing"),
        (event().replace('"sample"', '"simple"'), "`sample` is missing or no object"),
        (event(event="parcel.lost"), "`event` must be its folder's name, parcel.sent"),
        (event(event=None), "`event` must be its folder's name"),
        (event(entity=None), "`entity` must name a string field of data"),
        (event(entity="size"), "`entity` must name a string field of data"),
        (event(optional("key", TEXT), entity="key"), "`entity` must name a string field of data"),
        (event(fields=[field("data", record("D", field("id", TEXT)))]), "the fields must be event_id, account_id"),
        (event({"name": "size", "type": TEXT}), "> data > size: `doc` is missing"),
        (event(field("size", TEXT)), "does not accept its own sample: size is missing; it must be there"),
        (event(sample={"size": 1}), "does not accept its own sample: 'size' is not in the schema"),
        (event(field("raw", "bytes"), sample={"raw": ""}), "data holds bytes"),
        (event(field("size", "float")), "the type is 'float'; it must be one of string"),
        (event(field("size", "Size")), "the type is 'Size'"),
        (event(field("size", 7)), "a type is missing or no type"),
        (event(field("size", {"type": "fixed", "name": "F", "size": 3})), "the type is 'fixed'"),
        (event(field("size", {"type": "int", "logicalType": "date"})), "the type is 'int' as 'date'"),
        (event(field("size", ["null", TEXT, "long"], default=None)), 'a union must be ["null", one type]'),
        (event(field("size", [TEXT, "null"])), 'a union must be ["null", one type]'),
        (event(field("size", ["null", TEXT])), 'an optional field must say "default": null'),
        (event(field("size", MONEY, default="")), "can't have this default"),
        (event(field("size", {"type": "array", "items": ["null", TEXT]})), "only a field can be optional"),
        (event(field("size", {"type": "array", "items": "null"})), "the type is 'null'"),
        (event(field("size", {"type": "array", "items": record("Empty")})), "record test.events.Empty has no fields"),
        (event(field("size", MONEY | {"scale": 19})), "the decimal has precision 18 and scale 19"),
        (event(field("size", MONEY | {"precision": 29})), "the decimal has precision 29 and scale 4"),
        (event(field("size", MONEY | {"precision": 0, "scale": 0})), "precision 0"),
        (event(field("size", ENUM | {"symbols": []})), "the enum has no symbols"),
        (event(field("size", ENUM | {"default": "small"})), "the enum has a default"),
        (event(field("size", ENUM | {"symbols": ["a", "a"]}), sample={"size": "a"}), "is no Avro schema"),
        (event(optional("inner", record("Inner", optional("more", "Inner")))), "'Inner' contains itself"),
        (event(field("count", "int", default="x"), sample={"count": 1}), "is no Avro schema"),
    ],
)
def test_a_wrong_schema_is_refused_by_its_file_and_reason(text: str, said: str) -> None:
    with pytest.raises(ContractError) as refused:
        one(text)
    assert str(refused.value).startswith("parcel.sent/1.avsc")
    assert said in str(refused.value)


@pytest.mark.parametrize("path", ["parcel.sent/0.avsc", "parcel.sent/1.json", "1.avsc", "Parcel/1.avsc", "a/b/1.avsc"])
def test_a_path_says_name_and_number(path: str) -> None:
    with pytest.raises(ContractError, match=r"must be <name>/<version>.avsc"):
        Catalogue.from_texts({path: event()})


@pytest.mark.parametrize(
    ("paths", "said"),
    [
        (["parcel.sent/2.avsc"], "parcel.sent/2.avsc: version 1 is missing"),
        (["parcel.sent/1.avsc", "parcel.sent/3.avsc"], "parcel.sent/3.avsc: version 2 is missing"),
    ],
)
def test_versions_count_from_one_without_gaps(paths: list[str], said: str) -> None:
    with pytest.raises(ContractError, match=said):
        Catalogue.from_texts({path: event(optional(f"n{n}", TEXT)) for n, path in enumerate(paths)})


def test_versions_that_share_a_fingerprint_are_refused() -> None:
    with pytest.raises(ContractError, match=r"2.avsc: has the fingerprint of parcel.sent/1.avsc"):
        two(event(), event(doc="Other words."))


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        (field("a", MONEY), field("a", MONEY | {"scale": 2}), "data.a changed its scale from 4 to 2"),
        (field("a", MONEY), field("a", MONEY | {"precision": 9}), "data.a lost precision, from 18 to 9 digits"),
        (field("a", TEXT), field("a", "long"), "data.a changed from text to whole"),
        (field("a", "long"), field("a", "int"), "data.a changed from whole to whole"),
        (optional("a", TEXT), field("a", TEXT), "data.a changed from maybe to text"),
        (optional("a", TEXT), field("b", TEXT), "data.b is new and has no default"),
        (field("a", ENUM), field("a", ENUM | {"symbols": ["small"]}), "data.a lost the words large"),
        (field("a", ENUM), field("a", ENUM | {"name": "S"}), "data.a changed its enum's name from Size to S"),
        (
            field("a", {"type": "array", "items": record("X", field("n", TEXT))}),
            field("a", {"type": "array", "items": record("Y", field("n", TEXT))}),
            "data.a[] changed its name from test.events.X to test.events.Y",
        ),
        (
            field("a", {"type": "map", "values": "int"}),
            field("a", {"type": "map", "values": TEXT}),
            "data.a{} changed from whole to text",
        ),
    ],
)
def test_a_newer_version_must_read_what_older_ones_wrote(
    first: dict[str, object], second: dict[str, object], said: str
) -> None:
    samples = {"a": None}
    with pytest.raises(ContractError) as refused:
        two(event(first, sample=samples), event(second, sample=samples))
    assert str(refused.value) == f"parcel.sent/2.avsc: can't read what parcel.sent/1.avsc wrote: {said}" + (
        "; money's scale never changes" if "scale" in said else ""
    )


def test_a_key_stays_what_it_is() -> None:
    with pytest.raises(ContractError, match=r"`entity` differs from parcel.sent/1.avsc"):
        two(event(field("k", TEXT)), event(field("k", TEXT), optional("b", TEXT), entity="k"))


def test_an_operators_folder_adds_types_and_versions(tmp_path: Path) -> None:
    (tmp_path / "parcel.sent").mkdir()
    (tmp_path / "parcel.sent" / "1.avsc").write_text(event())
    (tmp_path / "README.md").write_text("ours")
    assert set(load_catalogue(tmp_path).event_types) == CONTRACT_TYPES | {"parcel.sent"}


def test_an_operators_folder_replaces_nothing(tmp_path: Path) -> None:
    (tmp_path / "order.created").mkdir()
    (tmp_path / "order.created" / "1.avsc").write_text(event())
    with pytest.raises(ContractError, match=r"order.created/1.avsc: is in .* and in Hookline's own catalogue"):
        load_catalogue(tmp_path)


def test_an_operators_folder_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is not there; it must hold"):
        load_catalogue(tmp_path / "nowhere")
