"""The dashboard and the scrape configuration ask only for what the roles show."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from fakes.queries import complaints, samples, selectors
from hookline.core.limits import Held

INFRA = Path(__file__).parents[2] / "infra"
DASHBOARD: Mapping[str, Any] = json.loads((INFRA / "grafana" / "hookline.json").read_text(encoding="utf-8"))
PANELS = DASHBOARD["panels"]


def queries() -> Iterator[tuple[str, str]]:
    for panel in PANELS:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]


def test_there_are_fourteen_panels_that_do_not_overlap() -> None:
    places = [panel["gridPos"] for panel in PANELS]
    rows = (0, 9, 18, 27, 36, 45, 54)
    assert {(place["x"], place["y"]) for place in places} == {(x, y) for x in (0, 12) for y in rows}
    assert {(place["w"], place["h"]) for place in places} == {(12, 9)}
    assert len({panel["id"] for panel in PANELS}) == len(PANELS) == 14
    assert all(panel["description"] and panel["fieldConfig"]["defaults"]["unit"] for panel in PANELS)


def test_every_panel_asks_the_data_source_that_is_chosen_on_the_page() -> None:
    variables = {variable["name"]: variable for variable in DASHBOARD["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    assert variables["datasource"]["query"] == "prometheus"
    asked = [target["datasource"] for panel in PANELS for target in panel["targets"]]
    asked += [panel["datasource"] for panel in PANELS] + [variables["job"]["datasource"]]
    assert all(each == {"type": "prometheus", "uid": "${datasource}"} for each in asked)


@pytest.mark.parametrize(("title", "query"), list(queries()))
def test_a_panel_shows_metrics_and_labels_that_exist(title: str, query: str) -> None:
    assert complaints(query) == [], title


@pytest.mark.parametrize(("title", "query"), list(queries()))
def test_a_panel_shows_the_job_that_is_chosen_on_the_page_and_no_other(title: str, query: str) -> None:
    assert all('job=~"$job"' in braces for _, braces in selectors(query)), title


def test_why_deliveries_are_postponed_is_told_whole() -> None:
    (panel,) = (each for each in PANELS if each["title"] == "Postponed per second, by reason")
    assert "in doubt" in panel["description"]
    assert panel["description"].count(",") == len(Held) - 1


def test_the_job_is_chosen_among_those_that_are_scraped() -> None:
    (job,) = (variable for variable in DASHBOARD["templating"]["list"] if variable["name"] == "job")
    (metric,) = re.findall(r"hookline_\w+", job["definition"])
    assert metric in samples()


def test_the_targets_of_a_running_up_are_written_as_prometheus_reads_them(tmp_path: Path) -> None:
    up, output = tmp_path / "up.json", tmp_path / "targets" / "up.json"
    up.write_text(json.dumps({"health": {"api": "http://127.0.0.1:20001", "fanout": "http://127.0.0.1:20002"}}))
    script = INFRA / "prometheus" / "targets.py"
    subprocess.run([sys.executable, "-I", str(script), str(up), str(output)], check=True, timeout=30)
    assert json.loads(output.read_text()) == [
        {"targets": ["127.0.0.1:20001"], "labels": {"role": "api"}},
        {"targets": ["127.0.0.1:20002"], "labels": {"role": "fanout"}},
    ]
    assert [each.name for each in output.parent.iterdir()] == ["up.json"]
