"""The functions that a SAM template names, as far as their lines say it plainly: what is computed is passed over.

There is no reader of YAML here. A template is read by its indentation, and one in JSON has the same lines once it is
written with a key on each.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from layerforge.core import guarded
from layerforge.core.runtimes import Arch, arch_of, lambdas_python, runtimes

NAMES = ("template.yaml", "template.yml", "template.json")

MOST_BYTES = 2 * 2**20
"""Of a template; CloudFormation takes half of that."""

FUNCTION, GLOBALS = "AWS::Serverless::Function", "Globals"

_KEY = re.compile(r"(?P<indent> *)(?P<dash>- +)?[\"']?(?P<key>[\w:.-]+)[\"']?\s*:(?:\s+(?P<value>\S.*))?")
_ITEM = re.compile(r" *- *[\"']?(?P<value>\w+)[\"']?,?")


@dataclass(frozen=True, kw_only=True)
class SamFunction:
    """A function of a template. What it does not say plainly is empty."""

    name: str
    """Its logical name."""
    code: str
    """The folder of its code, from the template's own."""
    python: str
    arch: str


@dataclass(frozen=True, kw_only=True)
class _Line:
    indent: int
    key: str
    value: str


def functions(path: Path) -> tuple[SamFunction, ...]:
    """The Python functions of a template with a folder of code each; none where it cannot be read."""
    try:
        text = guarded.text(path, MOST_BYTES)
        if path.suffix == ".json":
            text = json.dumps(guarded.json_value(text), indent=2)
    except guarded.Unreadable:
        return ()
    lines = list(_lines(text))
    shared = _facts(_block(lines, GLOBALS))
    resources = _block(lines, "Resources")
    names = [one.key for one in resources if resources and one.indent == resources[0].indent]
    found = [(name, shared | _facts(_block(resources, name))) for name in names]
    return tuple(_function(name, facts) for name, facts in found if _is_python(facts))


def _is_python(facts: dict[str, str]) -> bool:
    """Whether a resource is a function with code that may be Python's."""
    python = (facts.get("Runtime") or "python").startswith("python")
    return facts.get("Type") == FUNCTION and bool(facts.get("CodeUri")) and python


def _function(name: str, facts: dict[str, str]) -> SamFunction:
    python = lambdas_python(facts.get("Runtime", ""))
    return SamFunction(
        name=name,
        code=facts["CodeUri"],
        python=python if python in runtimes() else "",
        arch=str(arch_of(facts.get("Architectures", Arch.X86_64)) or ""),
    )


def _lines(text: str) -> Iterator[_Line]:
    """The keys of a text with their indentation; an item of a list is a line without a key."""
    for row in text.splitlines():
        if match := _KEY.match(row):
            yield _Line(indent=len(match["indent"]), key=match["key"], value=_plain(match["value"] or ""))
        elif match := _ITEM.match(row):
            yield _Line(indent=len(row) - len(row.lstrip()), key="", value=match["value"])
        elif match := re.fullmatch(r'( +)"(\w+)",?', row):
            yield _Line(indent=len(match[1]), key="", value=match[2])


def _plain(value: str) -> str:
    """A value without quotes and comments; empty where it is a reference, or begins a table."""
    value = re.sub(r"\s+#.*", "", value).strip().rstrip(",")
    inside = value.removeprefix("[").removesuffix("]").strip()
    text = inside.strip("\"'")
    return "" if text.startswith(("!", "{", "&", "*", "|", ">")) or "${" in text else text


def _block(lines: Sequence[_Line], key: str) -> list[_Line]:
    """The lines below the first one that has a key, of those that stand below no other."""
    outer = min((one.indent for one in lines if one.key), default=0)
    start = next((number for number, one in enumerate(lines) if (one.key, one.indent) == (key, outer)), None)
    if start is None:
        return []
    found: list[_Line] = []
    for one in lines[start + 1 :]:
        if one.indent <= lines[start].indent and one.key:
            break
        found.append(one)
    return found


def _facts(lines: Sequence[_Line]) -> dict[str, str]:
    """What a function, or what stands for all of them, says of itself, by key; of a list its first item, and nothing
    where that is computed.
    """
    wanted = ("Type", "CodeUri", "Runtime", "Architectures")
    found: dict[str, str] = {}
    for number, one in enumerate(lines):
        items = itertools.takewhile(lambda line: not line.key, lines[number + 1 :])
        value = one.value or next((item.value for item in items), "")
        if one.key in wanted:
            found.setdefault(one.key, value)
    return found
