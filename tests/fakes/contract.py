"""The contract's own payloads and its own verification code, as its readers use them."""

import hashlib
import hmac
from typing import Any

CONTRACT_WEBHOOK: dict[str, Any] = {
    "url": "https://your-app.com/webhooks/handler",
    "events": ["user.created", "order.completed"],
    "description": "Production webhook for user events",
    "secret": "your-webhook-secret",
}
# In the order of the contract's keys: the bodies are compared as text, too.
CONTRACT_BODIES: dict[str, dict[str, Any]] = {
    "user.created": {
        "event": "user.created",
        "timestamp": "2023-06-20T14:15:30Z",
        "data": {
            "id": "user_123",
            "username": "john_doe",
            "email": "john@example.com",
            "status": "active",
            "created_at": "2023-06-20T14:15:30Z",
        },
    },
    "user.updated": {
        "event": "user.updated",
        "timestamp": "2023-06-20T14:16:45Z",
        "data": {
            "id": "user_123",
            "username": "john_doe",
            "email": "john.doe@example.com",
            "status": "active",
            "updated_at": "2023-06-20T14:16:45Z",
            "changes": ["email"],
        },
    },
    "user.deleted": {
        "event": "user.deleted",
        "timestamp": "2023-06-20T14:20:00Z",
        "data": {"id": "user_123", "username": "john_doe", "deleted_at": "2023-06-20T14:20:00Z"},
    },
    "order.created": {
        "event": "order.created",
        "timestamp": "2023-06-20T15:30:00Z",
        "data": {
            "id": "order_456",
            "user_id": "user_123",
            "status": "pending",
            "total": 99.99,
            "currency": "USD",
            "items": [{"id": "item_789", "name": "Product Name", "quantity": 2, "price": 49.99}],
            "created_at": "2023-06-20T15:30:00Z",
        },
    },
    "order.completed": {
        "event": "order.completed",
        "timestamp": "2023-06-20T15:45:00Z",
        "data": {
            "id": "order_456",
            "user_id": "user_123",
            "status": "completed",
            "total": 99.99,
            "currency": "USD",
            "completed_at": "2023-06-20T15:45:00Z",
        },
    },
    "order.cancelled": {
        "event": "order.cancelled",
        "timestamp": "2023-06-20T16:00:00Z",
        "data": {
            "id": "order_456",
            "user_id": "user_123",
            "status": "cancelled",
            "reason": "customer_request",
            "cancelled_at": "2023-06-20T16:00:00Z",
        },
    },
    "payment.succeeded": {
        "event": "payment.succeeded",
        "timestamp": "2023-06-20T15:45:00Z",
        "data": {
            "id": "payment_789",
            "order_id": "order_456",
            "amount": 99.99,
            "currency": "USD",
            "method": "credit_card",
            "status": "succeeded",
            "processed_at": "2023-06-20T15:45:00Z",
        },
    },
    "payment.failed": {
        "event": "payment.failed",
        "timestamp": "2023-06-20T15:35:00Z",
        "data": {
            "id": "payment_789",
            "order_id": "order_456",
            "amount": 99.99,
            "currency": "USD",
            "method": "credit_card",
            "status": "failed",
            "error_code": "insufficient_funds",
            "error_message": "Your card has insufficient funds.",
            "failed_at": "2023-06-20T15:35:00Z",
        },
    },
}


# Both letter for letter but for the line breaks; the one for Node is tests/javascript/contract.js.
def verify_webhook_signature(payload: str, signature: str, secret: str) -> bool:
    """The contract's check in Python."""
    expected_signature = hmac.new(secret.encode("utf-8"), payload.encode("utf-8"), hashlib.sha256).hexdigest()
    provided_signature = signature.replace("sha256=", "")
    return hmac.compare_digest(expected_signature, provided_signature)


def verify_signature(payload: bytes, signature: str, secret: str) -> bool:
    """The contract's Flask handler's check, which takes the raw bytes."""
    expected_signature = hmac.new(secret.encode("utf-8"), payload, hashlib.sha256).hexdigest()
    provided_signature = signature.replace("sha256=", "")
    return hmac.compare_digest(expected_signature, provided_signature)
