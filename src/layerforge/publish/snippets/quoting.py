"""Names and texts as each tool's language writes them."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from layerforge.publish.snippets.results import PublishedVersion

INDENT = "  "


def identifiers(names: Iterable[str]) -> dict[str, str]:
    """A word of letters and digits for each layer, different ones for different layers: ``ScikitLearnLayer``."""
    chosen: dict[str, str] = {}
    taken: set[str] = set()
    numbers: dict[str, Iterator[int]] = {}
    for name in sorted(set(names)):
        words = "".join(word[:1].upper() + word[1:] for word in re.split(r"[^a-zA-Z0-9]+", name))
        plain = f"{words}Layer" if words[:1].isalpha() else f"Layer{words}"
        # Each number is tried once, however many names come to the same word.
        more = numbers.setdefault(plain, itertools.count(2))
        chosen[name] = next(word for word in _tries(plain, more) if word not in taken)
        taken.add(chosen[name])
    return chosen


def _tries(plain: str, numbers: Iterator[int]) -> Iterator[str]:
    yield plain
    yield from (f"{plain}No{number}" for number in numbers)


def variable(name: str) -> str:
    """A layer's name as a variable of Python or Terraform: ``scikit_learn_layer``."""
    word = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    return f"layer_{word}" if not word[:1].isalpha() else f"{word}_layer"


def quoted(text: str) -> str:
    """``text`` between double quotes as YAML, HCL and Python read it."""
    return '"' + "".join(_escaped(character) for character in text) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    return character if character.isprintable() else f"\\U{ord(character):08x}"


def hcl(text: str) -> str:
    """``text`` as HCL reads it, whose templates begin with ``${`` or ``%{``."""
    return quoted(text).replace("${", "$${").replace("%{", "%%{")


def by_region(versions: Iterable[PublishedVersion]) -> dict[str, list[PublishedVersion]]:
    """The versions by Region."""
    found: dict[str, list[PublishedVersion]] = {}
    for one in versions:
        found.setdefault(one.region, []).append(one)
    return found


def mapping_of(versions: Iterable[PublishedVersion]) -> dict[str, dict[str, str]]:
    """ARNs by Region and identifier, the form that CloudFormation's mappings have."""
    versions = tuple(versions)
    names = identifiers(one.name for one in versions)
    return {region: {names[one.name]: one.arn for one in several} for region, several in by_region(versions).items()}


def lines_of(lines: Iterable[str], depth: int = 0) -> str:
    """Lines, indented."""
    return "".join(f"{INDENT * depth}{line}\n" for line in lines)


def json_text(value: Any) -> str:
    """A value as JSON for people."""
    return json.dumps(value, indent=2) + "\n"


def pairs_of(texts: Mapping[str, str]) -> list[str]:
    """Texts as pairs of a YAML mapping. Names are quoted too: to YAML some, such as ``NO``, would be no texts."""
    return [f"{quoted(name)}: {quoted(text)}" for name, text in texts.items()]


def items_of(texts: Iterable[str]) -> list[str]:
    """Texts as items of a YAML list."""
    return [f"- {text}" for text in texts]
