"""The API: its parts put together."""

from functools import partial

from aiohttp import web

from hookline.api.accounts import Accounts
from hookline.api.audit import Audit
from hookline.api.auth import Gate
from hookline.api.configuration import KAFKA_ANSWER_S, Configuration
from hookline.api.deliveries import Deliveries
from hookline.api.edge import build_edge
from hookline.api.jobs import Jobs
from hookline.api.keys import Keys
from hookline.api.letters import Letters
from hookline.api.openapi import document
from hookline.api.operations import add_routes
from hookline.api.ports import Parts
from hookline.api.public import Public
from hookline.api.questions import Questions
from hookline.api.rates import Rates
from hookline.api.recovery import Recovery
from hookline.api.secrets import Secrets
from hookline.api.table import Handlers, operations
from hookline.api.vault import Vault
from hookline.api.webhooks import Webhooks
from hookline.schemas.errors import ConfigError


def build_app(parts: Parts, *, answer_s: float = KAFKA_ANSWER_S) -> web.Application:
    """The application; `answer_s` is how long a test delivery waits for Kafka. ConfigError if it has no key to seal secrets with."""
    if not parts.settings.master_keys:
        raise ConfigError("HOOKLINE_MASTER_KEYS is empty; it must have a key to seal signing secrets with")
    app = web.Application(middlewares=[build_edge(parts)], client_max_size=parts.settings.request_bytes_max)
    handlers = _handlers(parts, answer_s)
    table = operations(handlers)
    handlers.public.describe(partial(document, table, parts.catalogue))
    add_routes(app, table, gate=Gate(parts), rates=Rates(parts.settings.requests_per_minute))
    return app


def _handlers(parts: Parts, answer_s: float) -> Handlers:
    configuration = Configuration(
        changes=parts.changes, codec=parts.codec, topics=parts.topics, clock=parts.clock, draw=parts.draw
    )
    vault = Vault(parts.settings, parts.draw)
    webhooks = Webhooks(parts, configuration, vault)
    return Handlers(
        webhooks=webhooks,
        secrets=Secrets(parts, webhooks, vault),
        deliveries=Deliveries(parts, answer_s=answer_s),
        questions=Questions(parts),
        recovery=Recovery(parts, configuration, webhooks, answer_s=answer_s),
        jobs=Jobs(parts, configuration),
        accounts=Accounts(parts, configuration),
        keys=Keys(parts, configuration),
        audit=Audit(parts),
        letters=Letters(parts, configuration, answer_s=answer_s),
        public=Public(parts),
    )
