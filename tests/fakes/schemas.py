"""Small .avsc texts for tests, valid until a test says otherwise."""

import json
from collections.abc import Mapping
from decimal import Decimal

from hookline.schemas.catalogue import Catalogue

TEXT = "string"
MONEY = {"type": "bytes", "logicalType": "decimal", "precision": 18, "scale": 4}
TIME = {"type": "long", "logicalType": "timestamp-millis"}
ID = {"name": "id", "type": TEXT, "doc": "Its id."}


def field(name: str, type_: object, **more: object) -> dict[str, object]:
    return {"name": name, "type": type_, "doc": f"The {name}."} | more


def optional(name: str, type_: object) -> dict[str, object]:
    return field(name, ["null", type_], default=None)


def record(name: str, *fields: Mapping[str, object]) -> dict[str, object]:
    return {"type": "record", "name": name, "doc": f"A {name}.", "fields": list(fields)}


def event(*fields: Mapping[str, object], sample: Mapping[str, object] | None = None, **more: object) -> str:
    """The text of `parcel.sent`, whose data is an id and these fields."""
    schema = {
        "type": "record",
        "namespace": "test.events",
        "name": "ParcelSent",
        "doc": "A parcel was sent.",
        "event": "parcel.sent",
        "entity": "id",
        "sample": {"id": "parcel_1"} | dict(sample or {}),
        "fields": [
            field("event_id", TEXT),
            field("account_id", TEXT),
            field("type", TEXT),
            field("occurred_at", TIME),
            field("data", record("ParcelSentData", ID, *fields)),
        ],
    }
    return json.dumps({key: value for key, value in (schema | more).items() if value is not None})


def parcels(*texts: str) -> Catalogue:
    """A catalogue of these versions of `parcel.sent`."""
    return Catalogue.from_texts({f"parcel.sent/{n}.avsc": text for n, text in enumerate(texts, start=1)})


def item(**changes: object) -> dict[str, object]:
    """An item of an order; `...` leaves a field out."""
    whole = {"id": "i", "name": "n", "quantity": 1, "price": Decimal(1)} | changes
    return {name: value for name, value in whole.items() if value is not ...}
