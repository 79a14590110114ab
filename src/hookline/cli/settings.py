"""`hookline settings` and `hookline version`."""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from hookline import __version__
from hookline.cli.options import Json
from hookline.runtime.settings_table import Row, table

Markdown = Annotated[bool, typer.Option("--markdown", help="Print docs/reference/settings.md.")]


def register(app: typer.Typer) -> None:
    """Add this file's commands."""
    app.command("settings")(settings)
    app.command("version")(version)


def settings(*, as_json: Json = False, markdown: Markdown = False) -> None:
    """List every setting: variable, default, bounds, meaning."""
    rows = list(table())
    if as_json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
    elif markdown:
        print(as_markdown(rows), end="")
    else:
        _show(rows)


def version() -> None:
    """Print the version."""
    print(__version__)


def as_markdown(rows: list[Row]) -> str:
    """The page docs/reference/settings.md."""
    head = (
        "# Settings\n\nMade by `hookline settings --markdown`. Every role reads the same variables when it starts; a wrong"
        " value stops it with a sentence that names it.\n\n| variable | default | bounds | meaning |\n|---|---|---|---|\n"
    )
    return head + "".join(f"| `{row.variable}` | {_code(row.default)} | {row.bounds} | {row.text} |\n" for row in rows)


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _show(rows: list[Row]) -> None:
    for row in rows:
        bounds = f" ({row.bounds})" if row.bounds else ""
        print(f"{row.variable}={row.default}\n    {row.text}{bounds}")
