import json
import subprocess
import sys

import pytest

from hookline import __version__
from hookline.cli.app import run
from hookline.cli.options import require_kafka
from hookline.cli.settings import as_markdown
from hookline.runtime.settings import Settings
from hookline.runtime.settings_table import table
from hookline.schemas.errors import ConfigError


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert (run(["version"]), capsys.readouterr().out) == (0, f"{__version__}\n")


def test_settings_are_printed_for_scripts(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["settings", "--json"]) == 0
    assert {"variable": "HOOKLINE_API_PORT", "default": "8080"}.items() <= next(
        row for row in json.loads(capsys.readouterr().out) if row["variable"] == "HOOKLINE_API_PORT"
    ).items()


def test_the_settings_page_has_a_row_for_every_setting() -> None:
    rows = list(table())
    page = as_markdown(rows)
    assert [line.split("`")[1] for line in page.splitlines() if line.startswith("| `")] == [
        each.variable for each in rows
    ]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["up", "--rate", "0"], "hookline: --rate is 0; it must be more than 0 and at most 10000 events a second\n"),
        (
            ["receiver", "--status", "teapot"],
            "hookline: the answer 'teapot' must be a status, 503, or one with a delay, 503@2s\n",
        ),
        (
            ["accounts", "create", " "],
            "hookline: the account's name is blank; it must have 1 to 200 characters\n",
        ),
    ],
)
def test_a_wrong_argument_is_one_sentence_and_exit_status_2(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (run(arguments), capsys.readouterr().err) == (2, sentence)


@pytest.mark.parametrize(
    "command",
    [
        "up",
        "trigger",
        "produce",
        "demo-source",
        "receiver",
        "api",
        "fanout",
        "dispatcher",
        "history",
        "settings",
        "version",
    ],
)
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([command, "--help"]) == 0
    assert f"hookline {command}" in capsys.readouterr().out


def test_a_command_that_needs_kafka_names_the_variable() -> None:
    with pytest.raises(ConfigError, match="HOOKLINE_BOOTSTRAP_SERVERS is empty; it must name Kafka"):
        require_kafka(Settings())


def test_the_library_is_silent_until_an_application_configures_logging() -> None:
    warns = "import logging, hookline; logging.getLogger('hookline.producers').warning('kafka.troubled')"
    ran = subprocess.run([sys.executable, "-I", "-c", warns], capture_output=True, check=True, timeout=30)
    assert (ran.stdout, ran.stderr) == (b"", b"")
