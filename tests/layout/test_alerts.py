"""Every alert rule asks for what the roles show, fires when it should, and leads to a page that says what to do."""

import re
import shutil
import subprocess
from collections.abc import Mapping
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # of its stubs three lines would be used

from fakes.documents import ROOT
from fakes.queries import complaints, selectors

PROMETHEUS = ROOT / "infra" / "prometheus"
RULES: list[Mapping[str, Any]] = [
    rule for group in yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())["groups"] for rule in group["rules"]
]
NAMES = [rule["alert"] for rule in RULES]


def test_prometheus_reads_the_rules_that_lie_beside_its_configuration() -> None:
    wanted = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())["rule_files"]
    assert wanted == ["alerts.yml"]


def test_a_rule_has_a_name_of_its_own_a_severity_and_a_sentence() -> None:
    assert len(set(NAMES)) == len(NAMES)
    assert {rule["labels"]["severity"] for rule in RULES} == {"critical", "warning"}
    assert all(rule["annotations"]["summary"] for rule in RULES)
    assert all(re.fullmatch(r"[1-9][0-9]*m", rule.get("for", "1m")) for rule in RULES)


@pytest.mark.parametrize("rule", RULES, ids=NAMES)
def test_a_rule_asks_for_metrics_labels_and_values_that_exist(rule: Mapping[str, Any]) -> None:
    assert complaints(rule["expr"]) == []


@pytest.mark.parametrize("rule", RULES, ids=NAMES)
def test_a_rule_leads_to_a_page_that_is_there(rule: Mapping[str, Any]) -> None:
    page, _, heading = rule["annotations"]["runbook"].partition("#")
    text = (ROOT / page).read_text(encoding="utf-8")
    titles = [title.lower().replace(" ", "-") for title in re.findall(r"^#+ (.*)$", text, re.MULTILINE)]
    assert page.startswith("docs/runbooks/")
    assert not heading or heading in titles


def test_there_is_a_rule_for_every_sign_that_operators_are_told_to_watch() -> None:
    guide = (ROOT / "docs" / "guides" / "operating.md").read_text(encoding="utf-8")
    (table,) = re.findall(r"## What to watch\n(.*?)\n## ", guide, re.DOTALL)
    signs = {re.sub(r"_(total|bucket|sum|count)$", "", each) for each in re.findall(r"`(hookline_\w+)", table)}
    asked = {re.sub(r"_(total|bucket|sum|count)$", "", each) for rule in RULES for each, _ in selectors(rule["expr"])}
    assert len(signs) >= 7
    assert signs <= asked


@pytest.mark.skipif(shutil.which("promtool") is None, reason="Prometheus's promtool is not here")
def test_the_rules_fire_when_they_should_and_not_before() -> None:
    cases = ROOT / "tests" / "cases" / "alerts.yml"
    for asked in (["check", "rules", PROMETHEUS / "alerts.yml"], ["test", "rules", cases]):
        done = subprocess.run(["promtool", *map(str, asked)], capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
