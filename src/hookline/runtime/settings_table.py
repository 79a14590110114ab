"""The settings as a table: what docs/reference/settings.md and `hookline settings` show."""

from collections.abc import Callable, Iterator
from dataclasses import Field, dataclass, fields
from typing import Any

from hookline.runtime.settings import Settings, variable


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the settings table, as docs and `--help` show it."""

    variable: str
    default: str
    bounds: str
    text: str


def table() -> Iterator[Row]:
    """Every setting with its default, bounds and meaning."""
    for each in fields(Settings):
        show: Callable[[Any], str] = each.metadata["show"]
        yield Row(variable(each.name), show(each.default), _bounds(each), each.metadata["text"])


def _bounds(setting: Field[Any]) -> str:
    match setting.metadata["at_least"], setting.metadata["at_most"]:
        case None, None:
            return ""
        case least, None:
            return f"at least {least}"
        case None, most:
            return f"at most {most}"
        case least, most:
            return f"{least} to {most}"
