from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from layerforge.report.page import rules
from layerforge.verify.rules_table import RULES_TABLE

ROOT = Path(__file__).parents[4]
SUITE_ONLY = {"LF405", "LF406", "LF407"}
"""Found by the packages' own tests alone, which no page shows."""


@pytest.mark.parametrize("rule", [rule.id for rule in RULES_TABLE if rule.id not in SUITE_ONLY])
def test_every_rule_is_explained(rule: str) -> None:
    told = rules.explanations()[rule]
    assert all((told.title, told.what, told.why, told.mend)), f"docs/rules.md says not What, Why and Mend of {rule}"
    assert "**" not in told.what + told.why + told.mend
    assert "\n" not in told.what


def test_an_explanation_ends_where_the_next_heading_begins() -> None:
    assert rules.explanations()["LF107"].mend.endswith("`layerforge build --python 3.13`, or pip's `--python-version`.")


def test_an_installed_layerforge_carries_the_explanations() -> None:
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["force-include"]["docs/rules.md"] == "layerforge/data/rules.md"
    assert rules.document() == ROOT / "docs" / "rules.md"
