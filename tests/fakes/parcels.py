"""Documents of OpenAPI 3.1 for tests: a small one that has something of everything, and those of one schema."""

from collections.abc import Mapping
from typing import Any

PARCELS: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {
        "title": "Parcels",
        "version": "2.4",
        "summary": "Send parcels, and hear of them.",
        "description": "Everything is JSON.\n\nTimes are UTC, such as `2026-01-01T00:00:00Z`.",
    },
    "servers": [{"url": "https://api.example.com/v1", "description": "where it runs"}],
    "security": [{"key": []}],
    "tags": [
        {"name": "Parcels", "description": "What is `sent`."},
        {"name": "Unused", "description": "No operation has it."},
    ],
    "paths": {
        "/parcels": {
            "parameters": [{"$ref": "#/components/parameters/Account"}],
            "get": {
                "operationId": "listParcels",
                "tags": ["Parcels"],
                "summary": "List parcels",
                "security": [{"key": ["parcels:read"]}],
                "parameters": [
                    {
                        "name": "limit",
                        "in": "query",
                        "description": "How many at most.",
                        "schema": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 50},
                    },
                    {
                        "name": "status",
                        "in": "query",
                        "deprecated": True,
                        "schema": {"$ref": "#/components/schemas/Status"},
                    },
                ],
                "responses": {
                    "200": {
                        "description": "The parcels.",
                        "headers": {"Link": {"description": "The next page.", "schema": {"type": "string"}}},
                        "content": {
                            "application/json": {
                                "schema": {"type": "array", "items": {"$ref": "#/components/schemas/Parcel"}}
                            }
                        },
                    },
                    "401": {"$ref": "#/components/responses/Problem"},
                },
            },
            "post": {
                "operationId": "sendParcel",
                "tags": ["Parcels"],
                "summary": "Send a parcel",
                "description": "It leaves within the day.\n\nA second one with the same `uid` is refused.",
                "security": [{"key": ["parcels:write", "labels:write"]}, {"token": []}],
                "requestBody": {
                    "required": True,
                    "description": "The parcel.",
                    "content": {
                        "application/json": {
                            "schema": {"$ref": "#/components/schemas/NewParcel"},
                            "examples": {
                                "small": {
                                    "summary": "a small one",
                                    "value": {"uid": "p-1", "to": {"street": "Ängsgatan 1"}},
                                },
                                "shared": {"$ref": "#/components/examples/Large"},
                            },
                        }
                    },
                },
                "responses": {
                    "201": {
                        "description": "It is on its way.",
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Parcel"}}},
                    },
                    "409": {"$ref": "#/components/responses/Problem"},
                    "default": {"description": "Anything else."},
                },
            },
        },
        "/parcels/{id}": {
            "delete": {
                "tags": ["Parcels"],
                "deprecated": True,
                "security": [],
                "parameters": [
                    {
                        "name": "id",
                        "in": "path",
                        "required": True,
                        "schema": {"type": "string", "pattern": "^p-[0-9]+$"},
                    }
                ],
                "responses": {"204": {"description": "It is gone."}},
            }
        },
        "/health": {"get": {"summary": "Is it well?", "responses": {"200": {"description": "Yes."}}}},
    },
    "webhooks": {
        "parcel.arrived": {
            "post": {
                "summary": "A parcel has arrived",
                "description": "Sent once for each parcel.",
                "parameters": [
                    {
                        "name": "webhook-id",
                        "in": "header",
                        "required": True,
                        "schema": {"type": "string"},
                        "example": "d-1",
                    }
                ],
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/json": {
                            "schema": {
                                "type": "object",
                                "properties": {"data": {"$ref": "#/components/schemas/Parcel"}},
                            },
                            "example": {"event": "parcel.arrived", "data": {"id": "p-1"}},
                        }
                    },
                },
                "responses": {"2XX": {"description": "Received."}},
            }
        }
    },
    "components": {
        "securitySchemes": {
            "key": {"type": "http", "scheme": "bearer", "description": "The key of an account."},
            "token": {"type": "apiKey", "name": "X-Token", "in": "header"},
        },
        "parameters": {
            "Account": {"name": "account", "in": "query", "schema": {"type": "string"}, "description": "Whose parcels."}
        },
        "responses": {
            "Problem": {
                "description": "It was refused.",
                "content": {
                    "application/problem+json": {
                        "schema": {
                            "type": "object",
                            "required": ["title"],
                            "properties": {"title": {"type": "string"}, "detail": {"type": "string"}},
                            "examples": [{"title": "No"}],
                        }
                    }
                },
            }
        },
        "examples": {"Large": {"value": {"uid": "p-2", "weight_g": 12000}}},
        "schemas": {
            "Status": {"type": "string", "enum": ["packed", "sent", "lost"], "description": "Where it is."},
            "Address": {
                "type": "object",
                "required": ["street"],
                "properties": {
                    "street": {"type": "string", "minLength": 1, "maxLength": 200},
                    "country": {"type": "string", "const": "SE"},
                },
                "additionalProperties": False,
            },
            "NewParcel": {
                "type": "object",
                "minProperties": 2,
                "required": ["uid", "to"],
                "properties": {
                    "uid": {"type": "string", "maxLength": 64, "pattern": "^[a-z0-9-]+$"},
                    "to": {"$ref": "#/components/schemas/Address"},
                    "weight_g": {
                        "anyOf": [{"type": "integer", "exclusiveMinimum": 0}, {"type": "null"}],
                        "default": None,
                    },
                    "labels": {
                        "type": "array",
                        "items": {"type": "string", "maxLength": 1},
                        "maxItems": 10,
                        "uniqueItems": True,
                    },
                    "metadata": {"type": "object", "additionalProperties": {"type": "string"}, "maxProperties": 50},
                    "value": {"oneOf": [{"type": "number"}, {"type": "string", "format": "decimal"}]},
                },
            },
            "Parcel": {
                "allOf": [
                    {"$ref": "#/components/schemas/NewParcel"},
                    {
                        "required": ["id"],
                        "properties": {
                            "id": {"type": "string", "readOnly": True},
                            "sent_at": {"type": ["string", "null"], "format": "date-time"},
                            "status": {"$ref": "#/components/schemas/Status", "description": "Where it is *now*."},
                            "within": {"anyOf": [{"$ref": "#/components/schemas/Parcel"}, {"type": "null"}]},
                        },
                    },
                ]
            },
        },
    },
}


def with_schema(schema: Any, **components: Any) -> Mapping[str, Any]:
    """A document with one operation whose answer has this schema."""
    content = {"application/json": {"schema": schema}}
    return {
        "paths": {"/x": {"get": {"responses": {"200": {"description": "Yes.", "content": content}}}}},
        "components": {"schemas": components},
    }
