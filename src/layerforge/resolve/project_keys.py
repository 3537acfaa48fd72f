"""How the keys of a project file are read: a rule for what is wrong with a value, and what becomes of the value.

A key is one field of a dataclass, which is declared with ``key`` and called as the key is, with ``_`` for ``-``.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Mapping
from dataclasses import field, fields
from pathlib import Path
from typing import Any

from layerforge.core import guarded, sizes
from layerforge.core.runtimes import Arch, arch_of, lambdas_arch, lambdas_python, runtimes
from layerforge.resolve.recipe_values import Rule, shown

Read = Callable[[Any, Path], Any]
"""Makes a field's value of a key's; paths are taken from the folder of the project file."""

MOST_OWN_LAYERS = 4
"""A function takes five layers, and one at least is to be planned."""


def key(rule: Rule, read: Read = lambda value, _folder: value, *, default: Any = None) -> Any:
    """A field of a dataclass that is a key, whose value ``rule`` checks and ``read`` reads."""
    return field(default=default, metadata={"rule": rule, "read": read})


def schema(kind: type[Any]) -> dict[str, Rule]:
    """The keys that a dataclass has, with the rules of their values."""
    return {spelled(one.name): one.metadata["rule"] for one in fields(kind) if "rule" in one.metadata}


def read(kind: type[Any], table: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The fields of a dataclass that a sound table says."""
    found = [one for one in fields(kind) if "rule" in one.metadata and spelled(one.name) in table]
    return {one.name: one.metadata["read"](table[spelled(one.name)], folder) for one in found}


def spelled(name: str) -> str:
    """The key that a field is."""
    return name.replace("_", "-")


# --- what becomes of values


def texts(value: Any, _folder: Path) -> tuple[str, ...]:
    """One text or a list of them."""
    return (value,) if isinstance(value, str) else tuple(value)


def path(value: str, folder: Path) -> Path:
    """A path that is taken from the project file."""
    return folder / Path(value).expanduser()


def paths(value: Any, folder: Path) -> tuple[Path, ...]:
    """One path or a list of them."""
    return tuple(path(one, folder) for one in texts(value, folder))


def words(value: Any, folder: Path) -> tuple[str, ...]:
    """Words as the command line takes them; those that are paths are taken from the project file."""
    return tuple(_word(one, folder) for one in texts(value, folder))


def _word(text: str, folder: Path) -> str:
    return as_path(path(text, folder)) if text.startswith((".", "/", "~")) else text


def as_path(file: Path) -> str:
    """A path as a word that nobody takes for a package's name."""
    text = str(file)
    return text if text.startswith((os.sep, f"..{os.sep}")) or text == ".." else f".{os.sep}{text}"


def place(value: str, folder: Path) -> str:
    """The address of a store; a folder is taken from the project file."""
    named = value == "none" or ":" in value or value.startswith("~")
    return value if named or str(folder) == "." else str(folder / value)


def pythons(value: Any, folder: Path) -> tuple[str, ...]:
    """Lambda's Pythons, each once."""
    return tuple(dict.fromkeys(map(lambdas_python, texts(value, folder))))


def arches(value: Any, folder: Path) -> tuple[str, ...]:
    """Lambda's words for processors, each once."""
    return tuple(dict.fromkeys(map(lambdas_arch, texts(value, folder))))


def size(value: Any, _folder: Path) -> int:
    """Bytes."""
    return value if isinstance(value, int) else sizes.parsed(value) or 0


def fit(value: Any, _folder: Path) -> str:
    """What ``--fit`` takes: ``direct``, a size, or ``room=40MB``."""
    return f"room={_sized(value['room'])}" if isinstance(value, dict) else _sized(value)


def _sized(value: object) -> str:
    return f"{value} bytes" if isinstance(value, int) else str(value)


# --- what is wrong with values


def several(rule: Rule) -> Rule:
    """A rule for one value that follows ``rule``, or a list of such values."""

    def check(value: Any) -> str:
        if not isinstance(value, list):
            return rule(value)
        if not value:
            return "must not be empty"
        return "; ".join(f"holds {shown(one)}, which {wrong}" for one in value if (wrong := rule(one)))

    return check


def list_of(rule: Rule) -> Rule:
    """The same, and the list may be empty."""
    return lambda value: "" if value == [] else several(rule)(value)


def python(value: object) -> str:
    """What is wrong with a Python."""
    if isinstance(value, str) and lambdas_python(value) in runtimes():
        return ""
    if isinstance(value, float | int):
        return 'must stand in quotes, such as "3.13"'
    return f"must be a Python of Lambda: {_listed(runtimes(), value)}"


def arch(value: object) -> str:
    """What is wrong with a processor."""
    fits = isinstance(value, str) and arch_of(value) is not None
    return "" if fits else f"must be a processor of Lambda: {_listed(map(str, Arch), value)}"


def _listed(known: Any, value: object) -> str:
    names = list(known)
    near = difflib.get_close_matches(str(value), names, 1)
    return f"{', '.join(names[:-1])} or {names[-1]}" + (f"; perhaps you meant {near[0]}" if near else "")


def word(value: object) -> str:
    """What is wrong with a requirement, or with the path or the address of a package."""
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        return "must be a requirement"
    if value.startswith((".", "/", "~", "-e ", "git+")) or value.endswith(".whl"):
        return ""
    try:
        guarded.requirement(value)
    except guarded.Unreadable as error:
        return f"is no requirement: {error}"
    return ""


def file(value: object) -> str:
    """What is wrong with a path."""
    fits = isinstance(value, str) and value.strip() and "\0" not in value and value.isprintable()
    return "" if fits else "must be a path"


def code_size(value: object) -> str:
    """What is wrong with the size of a function's own code."""
    fits = sizes.parsed(value) is not None if isinstance(value, str) else type(value) is int and value >= 0
    return "" if fits else 'must be a size such as "12 MB", or bytes'


def own_layers(value: object) -> str:
    """What is wrong with the number of layers that a function needs for itself."""
    fits = type(value) is int and 0 <= value <= MOST_OWN_LAYERS
    return "" if fits else f"must be a number from 0 to {MOST_OWN_LAYERS}: a function takes five layers"


def count(value: object) -> str:
    """What is wrong with a number of things."""
    return "" if type(value) is int and value > 0 else "must be a number above 0"
