"""Joining the page: every text in it is inert, and nothing in it can be fetched or run but what was put there."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from typing import Any

from layerforge.core import resources
from layerforge.core.text import visible

SCRIPTS = (
    "dom.js",
    "tree.js",
    "explorer.js",
    "treemap.js",
    "icicle.js",
    "sections.js",
    "start.js",
    "coldstart.js",
    "main.js",
)
"""Files of the page's own program, in the order in which they need each other."""

STYLE, TEMPLATE, LIBRARY = "page/style.css", "page/template.html", "vendor/echarts.min.js"
_SLOT = re.compile(r"\{\{(\w+)\}\}")
_MARKUP = {ord(char): f"\\u{ord(char):04x}" for char in "<>&"}


def joined(title: str, data: dict[str, Any]) -> str:
    """The page with ``data`` in it. It may run its own two scripts and use its own style, and fetch nothing."""
    style, library, program = _file(STYLE), _file(LIBRARY), _program()
    return filled(
        _file(TEMPLATE),
        title=html.escape(visible(title)),
        policy=policy((library, program), style),
        style=style,
        library=library,
        program=program,
        data=embedded(data),
    )


def filled(template: str, **slots: str) -> str:
    """``template`` with each ``{{slot}}`` filled. What is put in is not looked at again."""
    return _SLOT.sub(lambda match: slots[match[1]], template)


def policy(scripts: tuple[str, ...], style: str) -> str:
    """Content-Security-Policy that allows these texts alone."""
    allowed = " ".join(_hash(script) for script in scripts)
    return f"default-src 'none'; script-src {allowed}; style-src {_hash(style)}; base-uri 'none'; form-action 'none'"


def embedded(data: Any) -> str:
    """JSON that can stand in a script element: plain ASCII, without any character that markup is made of."""
    return json.dumps(inert(data), separators=(",", ":")).translate(_MARKUP)


def inert(value: Any) -> Any:
    """``value`` with every text in it made visible, keys included."""
    match value:
        case str():
            return visible(value)
        case dict():
            return {visible(str(key)): inert(one) for key, one in value.items()}
        case list() | tuple():
            return [inert(one) for one in value]
        case _:
            return value


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _program() -> str:
    parts = "\n".join(_file(f"page/{name}") for name in SCRIPTS)
    return f'(() => {{\n"use strict";\n{parts}}})();\n'


def _file(name: str) -> str:
    return resources.text(name)
