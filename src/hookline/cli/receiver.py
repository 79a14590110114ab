"""`hookline receiver`: takes webhooks, checks their signatures, and answers as it is told."""

from pathlib import Path
from random import Random
from typing import Annotated

import typer

from hookline.cli.options import settings_from_environment
from hookline.runtime import logs
from hookline.runtime.clock import SystemClock
from hookline.runtime.lifecycle import run_role

Host = Annotated[str, typer.Option("--host", help="Address to listen on.")]
Port = Annotated[int, typer.Option("--port", min=0, max=65_535, help="Port; 0: one that is free.")]
SecretFile = Annotated[
    Path | None, typer.Option("--secret-file", help='File with the signing secret, or {"/path": "secret"}.')
]
Status = Annotated[
    str,
    typer.Option("--status", help="Answers to each webhook's 1st, 2nd, ... request: 500,503@2s,200. The last repeats."),
]
Delay = Annotated[float, typer.Option("--delay", min=0, help="Seconds before each answer.")]
FailRate = Annotated[float, typer.Option("--fail-rate", help="Share of requests answered 500 instead, 0 to 1.")]


def register(app: typer.Typer) -> None:
    """Add this file's commands."""
    app.command("receiver")(receiver)


def receiver(
    *,
    host: Host = "127.0.0.1",
    port: Port = 9000,
    secret_file: SecretFile = None,
    status: Status = "200",
    delay: Delay = 0.0,
    fail_rate: FailRate = 0.0,
) -> None:
    """Receive webhooks and check their signatures.

    Any path will do. Each webhook is one line, GET /stats counts them, and a bad signature is answered 401.
    """
    from hookline.runtime.receiver import Manner, Receiver, parse_answers, read_secrets, run_receiver

    logs.configure(settings_from_environment().log_level)
    receiving = Receiver(
        secrets=read_secrets(secret_file) if secret_file is not None else {},
        manner=Manner(answers=parse_answers(status, delay_s=delay), fail_rate=fail_rate),
        clock=SystemClock(),
        random=Random(),  # noqa: S311 - a fail rate, not a secret
        say=lambda received: print(received, flush=True),
    )
    raise typer.Exit(
        run_role(
            "receiver",
            lambda lifetime: run_receiver(
                receiving,
                lifetime,
                host=host,
                port=port,
                listening=lambda url: print(f"receiving on {url}", flush=True),
            ),
        )
    )
