import json

import pytest

from hookline import __version__
from hookline.cli.app import run
from hookline.cli.settings import as_markdown
from hookline.runtime.settings import table


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
