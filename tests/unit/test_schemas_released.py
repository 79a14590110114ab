"""A released schema never changes: what is in Kafka was written with it."""

from datetime import UTC, datetime
from hashlib import sha256
from importlib.resources import files

import pytest

from hookline.runtime.catalogue import load_catalogue
from hookline.schemas.catalogue import Catalogue
from hookline.schemas.codec import Codec, sample_event

FOLDER = files("hookline.schemas") / "avro"
CATALOGUE = load_catalogue()


def listed() -> dict[str, str]:
    lines = (FOLDER / "released.sha256").read_text().splitlines()
    return {path: digest for digest, path in (line.split("  ") for line in lines)}


def texts() -> dict[str, str]:
    folders = [folder for folder in FOLDER.iterdir() if folder.is_dir()]
    return {f"{folder.name}/{file.name}": file.read_text() for folder in folders for file in folder.iterdir()}


def objections(released: dict[str, str], here: dict[str, str]) -> list[str]:
    gone = [f"{path} was released and is gone; put it back" for path in released.keys() - here.keys()]
    changed = [
        f"{path} was released and has changed; put it back and write the next number beside it"
        for path in released.keys() & here.keys()
        if released[path] != here[path]
    ]
    new = [
        f"{path} is not listed; once it is right: cd schemas/avro && sha256sum {path} >> released.sha256"
        for path in here.keys() - released.keys()
    ]
    return gone + changed + new


def test_released_schemas_are_as_they_were_and_new_ones_are_listed() -> None:
    assert not objections(listed(), {path: sha256(text.encode()).hexdigest() for path, text in texts().items()})


@pytest.mark.parametrize(
    ("released", "here", "said"),
    [
        ({"a/1.avsc": "x"}, {"a/1.avsc": "x"}, []),
        ({"a/1.avsc": "x"}, {}, ["a/1.avsc was released and is gone; put it back"]),
        (
            {"a/1.avsc": "x"},
            {"a/1.avsc": "y"},
            ["a/1.avsc was released and has changed; put it back and write the next number beside it"],
        ),
        (
            {},
            {"a/1.avsc": "x"},
            ["a/1.avsc is not listed; once it is right: cd schemas/avro && sha256sum a/1.avsc >> released.sha256"],
        ),
    ],
)
def test_a_change_is_told_with_what_to_do(released: dict[str, str], here: dict[str, str], said: list[str]) -> None:
    assert objections(released, here) == said


def test_no_two_released_schemas_share_a_fingerprint() -> None:
    assert len(CATALOGUE.by_fingerprint) == len(texts())


@pytest.mark.parametrize("path", sorted(path for path in texts() if "." in path.partition("/")[0]))
def test_a_sample_written_with_any_version_is_read_by_the_newest(path: str) -> None:
    name, _, file = path.partition("/")
    number = int(file.removesuffix(".avsc"))
    known_then = {f"{name}/{n}.avsc": texts()[f"{name}/{n}.avsc"] for n in range(1, number + 1)}
    then = Catalogue.from_texts(known_then)
    at = datetime(2023, 6, 20, tzinfo=UTC)
    event = sample_event(then, name, event_id="evt_1", account_id="acct_1", occurred_at=at)
    assert Codec(CATALOGUE).decode_event(Codec(then).encode_event(event)).data["id"] == event.data["id"]
