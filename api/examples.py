"""An example of each body, for the OpenAPI document. A test checks each against its schema."""

from collections.abc import Mapping
from typing import Any

_URL = "https://your-app.com/webhooks/handler"
_AT, _LATER = "2023-06-20T14:15:30Z", "2023-06-21T14:15:30Z"
_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw/oSDcmUAAAA="  # noqa: S105 - nobody's
_EVENTS = ["user.created", "order.completed"]
_LISTED = {"id": "wh_1234567890", "url": _URL, "events": _EVENTS, "status": "active", "created_at": _AT}
_WEBHOOK = {
    "id": "wh_1234567890",
    "url": _URL,
    "events": _EVENTS,
    "description": "Production webhook for user events",
    "created_at": _AT,
    "status": "active",
}
_ACCOUNT = {
    "id": "acct_1234567890",
    "name": "Acme",
    "created_at": _AT,
    "webhooks": 2,
    "webhooks_max": 100,
    "checks_ownership": False,
    "signs_ed25519": False,
}
_KEY = {"id": "0123456789abcdef", "name": "backend", "scopes": ["read", "write"], "created_at": _AT}
_SUCCEEDED = {
    "id": "delivery_123",
    "event": "user.created",
    "status": "succeeded",
    "response_code": 200,
    "delivered_at": "2023-06-20T14:15:35Z",
    "attempts": 1,
    "state": "succeeded",
}
_FAILED = {
    "id": "delivery_124",
    "event": "order.completed",
    "status": "failed",
    "response_code": 500,
    "last_attempt_at": "2023-06-20T15:45:30Z",
    "attempts": 3,
    "next_attempt_at": "2023-06-20T16:15:30Z",
    "state": "retrying",
}
_DELIVERY = {
    "id": "delivery_123",
    "webhook_id": "wh_1234567890",
    "event": "user.created",
    "event_id": "evt_123",
    "status": "succeeded",
    "state": "succeeded",
    "response_code": 200,
    "attempts": 1,
    "is_test": False,
    "delivered_at": "2023-06-20T14:15:35Z",
    "last_attempt_at": "2023-06-20T14:15:35Z",
    "body": '{"event":"user.created","timestamp":"2023-06-20T14:15:30Z","data":{"id":"user_123"}}',
    "body_state": "kept",
    "body_kept_until": "2023-06-27T14:15:35Z",
    "steps": [
        {
            "id": "log_123",
            "outcome": "succeeded",
            "attempt": 1,
            "run": 0,
            "at": "2023-06-20T14:15:34Z",
            "response_time": 150,
            "response_code": 200,
            "response_body": "OK",
            "request_headers": [{"name": "webhook-id", "value": "delivery_123"}],
            "response_headers": [{"name": "Content-Type", "value": "text/plain"}],
        }
    ],
}
_STATS = {
    "since": "2023-06-20T14:00:00Z",
    "until": "2023-06-20T16:00:00Z",
    "succeeded": 990,
    "failed": 10,
    "success_rate": 0.99,
    "response_time": {"p50": 42, "p95": 140, "p99": 480},
    "errors": {"status_5xx": 7, "timeout": 3},
    "volume": [
        {"at": "2023-06-20T14:00:00Z", "succeeded": 600, "failed": 0},
        {"at": "2023-06-20T15:00:00Z", "succeeded": 390, "failed": 10},
    ],
}
_ATTEMPT = {"id": "log_123", "event": "user.created", "status": "delivered", "response_code": 200}

_LETTER = {
    "id": "3-1024",
    "at": _AT,
    "reason": "exhausted",
    "detail": "The last of 7 attempts failed.",
    "topic": "webhooks.redeliveries",
    "partition": 3,
    "offset": 77_120,
    "payload_bytes": 215,
    "delivery_id": "delivery_124",
    "account_id": "acct_1234567890",
    "webhook_id": "wh_1234567890",
    "event_id": "evt_123",
    "event": "order.completed",
    "attempts": 7,
}

_JOB = {
    "id": "job_123",
    "webhook_id": "wh_1234567890",
    "kind": "replay",
    "state": "running",
    "until": _LATER,
    "rate": 100,
    "created_at": _LATER,
    "progress": {"share": 0.25, "looked_at": 1_000, "sent": 900, "left_out": 100, "lost": 0},
    "since": _AT,
    "everything": False,
    "events": ["user.created"],
}

EXAMPLES: Mapping[str, Mapping[str, Any]] = {
    "NewWebhook": {"url": _URL, "events": _EVENTS, "description": "Production webhook for user events"},
    "WebhookChange": {"events": ["user.created", "user.updated", "order.completed"], "status": "active"},
    "NewSecret": {"overlap_s": 86_400},
    "TestRequest": {"event": "user.created"},
    "NewAccount": {"name": "Acme"},
    "AccountChange": {"webhooks_max": 250},
    "NewKey": {"name": "backend", "scope": "write"},
    "NewAdminKey": {"name": "provisioning"},
    "NewLink": {"scope": "read", "valid_s": 900},
    "Webhook": _WEBHOOK,
    "WebhookList": {"webhooks": [_LISTED], "total": 1},
    "SecretShown": {"secret": _SECRET},
    "SecretRotated": {"secret": _SECRET, "next_secret_from": _LATER},
    "DeliveryList": {"deliveries": [_SUCCEEDED, _FAILED]},
    "LogList": {"logs": [{**_ATTEMPT, "response_time": 150, "delivered_at": "2023-06-20T14:15:35Z"}]},
    "Delivery": _DELIVERY,
    "EventShown": {
        "id": "evt_123",
        "event": "user.created",
        "deliveries": [{**_SUCCEEDED, "webhook_id": "wh_1234567890"}],
    },
    "StatsShown": _STATS,
    "TestAccepted": {"delivery_id": "delivery_125"},
    "RecoverRequest": {"since": _AT},
    "ReplayRequest": {"since": _AT, "events": ["user.created"], "rate": 50},
    "JobChange": {"rate": 20},
    "RetryAccepted": {"delivery_id": "delivery_124", "run": 1_687_278_000_000},
    "ReplayCounted": {
        "looked_at": 4_000,
        "wanted": 3_600,
        "left_out": 400,
        "unreadable": 0,
        "by_type": {"user.created": 3_600},
        "is_whole": True,
        "takes_s": 36,
    },
    "JobShown": _JOB,
    "JobList": {"jobs": [_JOB]},
    "Account": _ACCOUNT,
    "AccountList": {"accounts": [_ACCOUNT], "total": 1},
    "Key": _KEY,
    "KeyList": {"keys": [_KEY]},
    "LinkMade": {"url": "/console#hll_...", "token": "hll_...", "expires_at": _LATER},
    "Identity": {"account": _ACCOUNT, "scopes": ["read", "write"], "actor": "0123456789abcdef"},
    "AuditList": {
        "entries": [
            {
                "id": "audit_123",
                "at": _AT,
                "account_id": "acct_1234567890",
                "actor": "0123456789abcdef",
                "request_id": "req_123",
                "operation": "webhook.create",
                "subject": "wh_1234567890",
                "after": _WEBHOOK,
            }
        ]
    },
    "JsonWebKeys": {
        "keys": [
            {
                "kty": "OKP",
                "crv": "Ed25519",
                "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
                "alg": "EdDSA",
                "use": "sig",
                "kid": "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
            }
        ]
    },
    "Anything": {"openapi": "3.1.0", "info": {"title": "Hookline", "version": "1.0.0"}},
    "LetterShown": _LETTER,
    "LetterList": {"letters": [_LETTER]},
    "Redrive": {"reason": "unreadable"},
    "Redriven": {"redriven": 12, "left_out": 0},
    "ProblemBody": {
        "type": "urn:hookline:problem:invalid-field",
        "title": "A field is not valid",
        "status": 422,
        "detail": "The body has fields that are not valid: url.",
        "request_id": "req_123",
        "errors": [{"field": "url", "detail": "must begin with https://"}],
    },
}
