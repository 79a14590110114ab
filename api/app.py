"""The API: its operations, and how the role is run."""

from aiohttp import web

from hookline.api.configuration import KAFKA_ANSWER_S, Configuration
from hookline.api.deliveries import Deliveries
from hookline.api.edge import build_edge
from hookline.api.ports import Parts
from hookline.api.secrets import Secrets
from hookline.api.webhooks import Webhooks
from hookline.schemas.errors import ConfigError


def build_app(parts: Parts, *, answer_s: float = KAFKA_ANSWER_S) -> web.Application:
    """The application; `answer_s` is how long a write waits for Kafka. ConfigError if it has no key to seal secrets with."""
    if not parts.settings.master_keys:
        raise ConfigError("HOOKLINE_MASTER_KEYS is empty; it must have a key to seal signing secrets with")
    app = web.Application(middlewares=[build_edge(parts)], client_max_size=parts.settings.request_bytes_max)
    configuration = Configuration(
        view=parts.view, writer=parts.writer, codec=parts.codec, topics=parts.topics, answer_s=answer_s
    )
    webhooks = Webhooks(parts, configuration)
    secrets = Secrets(parts, configuration)
    deliveries = Deliveries(parts, answer_s=answer_s)
    app.router.add_post("/webhooks", webhooks.create)
    app.router.add_get("/webhooks", webhooks.listing)
    app.router.add_get("/webhooks/{id}", webhooks.read)
    app.router.add_put("/webhooks/{id}", webhooks.change)
    app.router.add_patch("/webhooks/{id}", webhooks.change)
    app.router.add_delete("/webhooks/{id}", webhooks.delete)
    app.router.add_post("/webhooks/{id}/enable", webhooks.enable)
    app.router.add_get("/webhooks/{id}/secret", secrets.read)
    app.router.add_post("/webhooks/{id}/secret/rotate", secrets.rotate)
    app.router.add_post("/webhooks/{id}/secret/promote", secrets.promote)
    app.router.add_get("/webhooks/{id}/deliveries", deliveries.listing)
    app.router.add_get("/webhooks/{id}/logs", deliveries.logs)
    app.router.add_post("/webhooks/{id}/test", deliveries.test)
    return app
