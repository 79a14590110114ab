"""Makes the reference pages that only repeat what the code says: `python docs/generate.py`. A test says when they are stale."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase
from typer.main import get_command

from hookline.api.openapi_events import event_webhooks
from hookline.cli.app import app
from hookline.cli.settings import as_markdown
from hookline.runtime.catalogue import load_catalogue
from hookline.runtime.metrics import Metrics, Told, Values
from hookline.runtime.settings import Settings
from hookline.runtime.settings_table import table
from hookline.schemas.topics import Topic

FOLDER = Path(__file__).parent / "reference"
_DAY_MS = 86_400_000
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_MADE = "Made by `python docs/generate.py`; do not edit."


def main() -> None:
    """Write every page."""
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


def pages() -> Mapping[str, str]:
    """The pages by file name, as the code says they are."""
    return {
        "settings.md": _settings(),
        "topics.md": _topics(),
        "events.md": _events(),
        "metrics.md": _metrics(),
        "cli.md": _commands(),
    }


def _settings() -> str:
    return as_markdown(list(table()))


def _topics() -> str:
    rows = [
        (f"`{topic.name}`", topic.holds, topic.key, f"{topic.partitions} / {topic.partitions_embedded}", _policy(topic))
        for topic in Settings().topics(load_catalogue().domains).specifications()
    ]
    head = (
        "# Topics\n\n"
        f"{_MADE} The source is `schemas/topics.py`; `hookline topics apply` makes them, `hookline topics diff` compares.\n\n"
        "`HOOKLINE_TOPIC_PREFIX` is put before every name. `HOOKLINE_RETRY_TIERS` and `HOOKLINE_POSTPONED_TIERS` say which\n"
        "tier topics there are. Partitions: as `--size` says. Kept: for how long (events: as `HOOKLINE_EVENT_RETENTION_DAYS`\n"
        "says; a topic that keeps its records for longer is left so), or that the topic is compacted (the newest record of each\n"
        "key stays). Append time: records bear the broker's time, so that a partition is in due order.\n\n"
    )
    return head + _table(("topic", "holds", "key", "partitions: production / embedded", "kept"), rows)


def _policy(topic: Topic) -> str:
    if topic.retention_ms is None:
        return "compacted"
    days, rest_ms = divmod(topic.retention_ms, _DAY_MS)
    kept = f"{days} d" if not rest_ms else f"{days} d and the tier"
    return f"{kept}, append time" if topic.append_time else kept


def _events() -> str:
    catalogue = load_catalogue()
    types = list(catalogue.event_types.values())
    head = (
        "# Events\n\n"
        f"{_MADE} The source is `schemas/avro`.\n\n"
        "What a webhook may ask for, and what its endpoint gets: `event`, `timestamp` (when it happened, UTC) and `data`. New\n"
        "fields may be added to `data`. An optional field that is absent is left out, and never `null`. How it is sent and\n"
        "signed: [receiving](../guides/receiving.md). How a source publishes one: [publishing](../guides/publishing.md), where\n"
        "`HOOKLINE_TOPIC_PREFIX` is put before the topic, and the field of `data` that is the key keeps an entity's events in order.\n\n"
    )
    rows = [(f"`{each.name}`", each.description, f"`{each.topic}`", f"`{each.entity}`") for each in types]
    sections = [_event(name, each["post"]) for name, each in event_webhooks(catalogue).items()]
    return head + _table(("type", "when", "topic", "key"), rows) + "".join(sections)


def _event(name: str, operation: Mapping[str, Any]) -> str:
    content = operation["requestBody"]["content"]["application/json"]
    rows = _data_fields("", content["schema"]["properties"]["data"])
    data = content["example"]["data"]
    happened = max(text for text in data.values() if isinstance(text, str) and _TIME.fullmatch(text))
    sample = json.dumps({"event": name, "timestamp": happened, "data": data}, indent=2, ensure_ascii=False)
    return f"\n## {name}\n\n{_table(('field of `data`', 'type', 'meaning'), rows)}\n```json\n{sample}\n```\n"


def _data_fields(above: str, fields: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for name, each in fields["properties"].items():
        optional = "" if name in fields["required"] else ", optional"
        yield f"`{above}{name}`", f"{_json_type(each)}{optional}", each["description"]
        if "properties" in each:
            yield from _data_fields(f"{above}{name}.", each)
        if "properties" in each.get("items", {}):
            yield from _data_fields(f"{above}{name}[].", each["items"])


def _json_type(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return "one of " + ", ".join(f"`{each}`" for each in schema["enum"])
    if schema["type"] == "array":
        return f"array of {_json_type(schema['items'])}"
    return "time" if schema.get("format") == "date-time" else str(schema["type"])


def _metrics() -> str:
    metrics = Metrics(CollectorRegistry())
    head = (
        "# Metrics\n\n"
        f"{_MADE} The source is `src/hookline/runtime/metrics.py`.\n\n"
        "Every role shows all of them on `/metrics`; those it has no part in stay at 0 or without samples. The usual\n"
        "`process_…` metrics are there, too. A histogram has the samples `…_bucket`, `…_sum` and `…_count`;\n"
        "it and a counter also have `…_created`. A label's values are named behind it.\n\n"
    )
    declared = [each for each in vars(metrics).values() if isinstance(each, MetricWrapperBase)]
    rows = [_metric(each, metrics.told) for each in declared]
    return head + _table(("metric", "type", "of", "labels", "meaning"), rows)


def _metric(metric: MetricWrapperBase, told: Mapping[str, Told]) -> tuple[str, str, str, str, str]:
    (described,) = metric.describe()
    name = f"{described.name}_total" if described.type == "counter" else described.name
    of = told[described.name]
    labels = "; ".join(f"`{label}`: {_values(values)}" for label, values in of.labels.items())
    return f"`{name}`", described.type, of.by, labels, described.documentation


def _values(values: Values) -> str:
    return values if isinstance(values, str) else ", ".join(f"`{value}`" for value in values)


def _commands() -> str:
    head = (
        "# Commands\n\n"
        f"{_MADE} The same as `--help` says, command by command.\n\n"
        "Settings are `HOOKLINE_*` variables ([settings.md](settings.md)). Exit status: 0 all went well, 1 an input was bad,\n"
        "2 a setting or an argument is wrong, 3 something is away and may be tried again; a role that has to be started\n"
        "again ends with 70. Where a command says otherwise, that holds.\n"
    )
    return head + "".join(_command(name, command) for name, command in _leaves("hookline", get_command(app)))


def _leaves(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    inner: Mapping[str, Any] = getattr(command, "commands", {})
    if not inner or command.invoke_without_command:
        yield name, command
    for word, each in inner.items():
        yield from _leaves(f"{name} {word}", each)


def _command(name: str, command: Any) -> str:
    shown = [each for each in command.params if not each.hidden and "--help" not in each.opts]
    usage = " ".join([name, *(each.metavar or each.name.upper() for each in shown if _is_argument(each))])
    rows = [(_names(each), _default(each), each.help or "") for each in shown]
    options = f"\n{_table(('option', 'default', 'meaning'), rows)}" if rows else ""
    return f"\n## {usage}\n\n{command.help.strip()}\n{options}"


def _names(parameter: Any) -> str:
    if _is_argument(parameter):
        return f"`{parameter.metavar or parameter.name.upper()}`"
    return " / ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))


def _default(parameter: Any) -> str:
    if parameter.default in {None, ""} or parameter.required:
        return ""
    if isinstance(parameter.default, bool):
        return "yes" if parameter.default else "no"
    return f"`{parameter.default}`"


def _is_argument(parameter: Any) -> bool:
    return not parameter.opts[0].startswith("-")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(_cell(text) for text in line)} |\n" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    main()
