"""A project file as text, in which a comment says of each line what it does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from layerforge.core.text import visible
from layerforge.resolve.project_draft import Draft, Part

_HEAD = """\
# What layerforge builds of this project; docs/project.md explains every key. All that `layerforge build` takes can
# stand here, for all layers or in the table of one; the command line and LAYERFORGE_* come before it.
"""


def text(draft: Draft) -> str:
    """The project file that says what is drafted."""
    return "\n".join([_HEAD + "\n".join(_top(draft)), *("\n".join(_table(one)) for one in draft.parts)]) + "\n"


def _top(draft: Draft) -> Iterator[str]:
    if draft.python:
        yield _line("python", list(draft.python), "Lambda's Pythons")
    else:
        yield '# python = ["3.13"]  # Lambda\'s Pythons; else the newest that a project takes, or 3.13'
    if draft.arch:
        yield _line("arch", list(draft.arch), "Lambda's processors")
    else:
        yield '# arch = ["x86_64", "arm64"]  # Lambda\'s processors; x86_64 where nothing is said'
    if draft.recipes:
        yield _line("recipes", draft.recipes, "your own, which count before layerforge's")
    yield from (f"# {visible(line)}" for line in draft.passed_over)
    yield ""


def _table(part: Part) -> Iterator[str]:
    yield f"[{part.kind}.{part.name}]"
    yield from (_line(key, value, why) for key, value, why in part.says)
    yield from map(visible, part.may)
    yield ""


def _line(key: str, value: Any, why: str) -> str:
    return f"{key} = {json.dumps(value, ensure_ascii=False).replace(chr(127), chr(92) + 'u007f')}  # {why}"
