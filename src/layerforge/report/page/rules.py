"""What the rules mean, from ``docs/rules.md``, which an installed layerforge carries too."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from layerforge.core import resources
from layerforge.verify.rules_table import RULES_TABLE

_SECTION = re.compile(r"^#+ ", re.MULTILINE)
_HEAD = re.compile(r"(LF\d{3}) · ")
_PART = re.compile(r"\*\*(What|Why|Mend)\.\*\*\s+(.*?)(?=\n\n\*\*(?:What|Why|Mend)\.|\Z)", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """One rule for people. Backticks in the texts mean code."""

    id: str
    title: str
    what: str
    why: str
    mend: str


def explained(rule: str) -> Explanation:
    """One rule; without a word where it is not known, as one of a later layerforge's manifest."""
    return explanations().get(rule) or _explanation(rule, "", "")


@cache
def explanations() -> Mapping[str, Explanation]:
    """Every rule by its id."""
    text = document().read_text("utf-8")
    told = {match[1]: section for section in _SECTION.split(text) if (match := _HEAD.match(section))}
    return {rule.id: _explanation(rule.id, rule.title, told.get(rule.id, "")) for rule in RULES_TABLE}


def document() -> Path:
    """Where ``rules.md`` lies: inside the installed package, or in the checkout it runs from."""
    return resources.carried("rules.md", "docs/rules.md")


def _explanation(rule: str, title: str, section: str) -> Explanation:
    parts = {match[1]: " ".join(match[2].split()) for match in _PART.finditer(section.strip())}
    return Explanation(
        id=rule,
        title=title,
        what=parts.get("What", ""),
        why=parts.get("Why", ""),
        mend=parts.get("Mend", ""),
    )
