"""Makes the reference pages that only repeat what the code says: `python docs/generate.py`. A test says when they are stale."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase
from typer.main import get_command

from hookline.cli.app import app
from hookline.cli.settings import as_markdown
from hookline.runtime.catalogue import load_catalogue
from hookline.runtime.metrics import Metrics, Told, Values
from hookline.runtime.settings import Settings, table
from hookline.schemas.topics import Topic

FOLDER = Path(__file__).parent / "reference"
_DAY_MS = 86_400_000
_MADE = "Made by `python docs/generate.py`; do not edit."


def main() -> None:
    """Write every page."""
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


def pages() -> Mapping[str, str]:
    """The pages by file name, as the code says they are."""
    return {"settings.md": _settings(), "topics.md": _topics(), "metrics.md": _metrics(), "cli.md": _commands()}


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
