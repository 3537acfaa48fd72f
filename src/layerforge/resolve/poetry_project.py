"""What ``[tool.poetry]`` of a ``pyproject.toml`` says, in the words of the standards."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from packaging.utils import canonicalize_name

from layerforge.core import runtimes
from layerforge.resolve import pythons
from layerforge.resolve.markers import both_markers

_NUMBERS = re.compile(r"v?(\d+(?:\.\d+)*)(.*)")
_COMPARED = re.compile(r"(===|==|!=|<=|>=|<|>|~=|\^|~)?\s*(.+)")


def table(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """``[tool.poetry]``; empty where there is none."""
    tool = data.get("tool")
    found = tool.get("poetry") if isinstance(tool, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def is_one(data: Mapping[str, Any]) -> bool:
    """Whether a project says there what it depends on, and not in the standard's table."""
    standard = data.get("project")
    if isinstance(standard, Mapping):
        dynamic = standard.get("dynamic")
        return isinstance(dynamic, list) and "dependencies" in dynamic and "dependencies" in table(data)
    return bool(table(data))


def said(data: Mapping[str, Any]) -> dict[str, Any]:
    """Name and Pythons as the standard's table would have them, of what is there."""
    found = {"name": table(data).get("name"), "requires-python": requires_python(data)}
    return {key: value for key, value in found.items() if value}


def _dependencies(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def requires_python(data: Mapping[str, Any]) -> str:
    """The Pythons that a project is for; empty where Poetry is not told."""
    found = _dependencies(table(data).get("dependencies")).get("python")
    return python(found) if isinstance(found, str) else ""


def python(constraint: str) -> str:
    """Pythons as the standards write them. Alternatives are told by those of Lambda's that none of them takes."""
    ways = list(map(specifiers, re.split(r"\|\|?", constraint)))
    if len(ways) == 1:
        return ways[0]
    out = [one for one in runtimes.runtimes() if not any(pythons.serves(way, one) for way in ways)]
    return ",".join(f"!={one}.*" for one in out)


def required(data: Mapping[str, Any]) -> list[str]:
    """What a project always depends on; what only its extras bring is not there."""
    rows = _dependencies(table(data).get("dependencies"))
    return list(_lines(rows, lambda row: not (isinstance(row, Mapping) and row.get("optional"))))


def extras(data: Mapping[str, Any]) -> dict[str, list[str]]:
    """Requirements of each extra."""
    rows = {canonicalize_name(name): row for name, row in _dependencies(table(data).get("dependencies")).items()}
    found = _dependencies(table(data).get("extras"))
    return {
        name: [text for one in names if (row := rows.get(canonicalize_name(str(one)))) for text in texts(str(one), row)]
        for name, names in found.items()
        if isinstance(names, list)
    }


def groups(data: Mapping[str, Any]) -> dict[str, list[str]]:
    """Requirements of each group, by normalised name."""
    found: dict[str, list[str]] = {
        canonicalize_name(name): list(_lines(_dependencies(_dependencies(group).get("dependencies"))))
        for name, group in _dependencies(table(data).get("group")).items()
    }
    if isinstance(before := table(data).get("dev-dependencies"), Mapping):
        found.setdefault("dev", []).extend(_lines(before))
    return found


def _lines(rows: Mapping[str, Any], counts: Any = lambda _row: True) -> Iterator[str]:
    for name, row in rows.items():
        if name != "python" and counts(row):
            yield from texts(name, row)


def texts(name: str, row: Any) -> Iterator[str]:
    """The requirements that a row is: a version, a table, or several tables of which markers choose."""
    for one in row if isinstance(row, list) else [row]:
        yield _text(name, one if isinstance(one, Mapping) else {"version": one})


def _text(name: str, row: Mapping[str, Any]) -> str:
    chosen = row.get("extras")
    named = f"{name}[{','.join(map(str, chosen))}]" if isinstance(chosen, list) and chosen else name
    marker = both_markers(str(row.get("markers", "")), _python_marker(str(row.get("python", ""))))
    what = _address(row) or specifiers(str(row.get("version", "*")))
    return f"{named}{' ' if what.startswith('@') else ''}{what}" + (f" ; {marker}" if marker else "")


def _address(row: Mapping[str, Any]) -> str:
    """Where a dependency lies that is no release, as a requirement says it."""
    if address := row.get("url"):
        return f"@ {address}"
    if folder := row.get("path"):
        return f"@ {folder}"
    if not (address := row.get("git")):
        return ""
    at = next((str(row[key]) for key in ("rev", "tag", "branch") if row.get(key)), "")
    below = f"#subdirectory={row['subdirectory']}" if row.get("subdirectory") else ""
    return f"@ git+{address}{'@' if at else ''}{at}{below}"


def _python_marker(constraint: str) -> str:
    """A marker for Pythons."""
    ways = [
        " and ".join(_compared(one) for one in specifiers(way).split(",") if one)
        for way in re.split(r"\|\|?", constraint)
    ]
    return " or ".join(f"({way})" if len(ways) > 1 else way for way in ways if way)


def _compared(specifier: str) -> str:
    match = _COMPARED.fullmatch(specifier)
    operator, number = (match[1], match[2]) if match else ("==", specifier)
    key = "python_version" if number.endswith(".*") or number.count(".") < 2 else "python_full_version"
    return f'{key} {operator} "{number.removesuffix(".*")}"'


def alternatives(data: Mapping[str, Any]) -> list[str]:
    """What a project depends on in one version or another, which the standards cannot say: such versions are left out
    of its requirements.
    """
    rows = _dependencies(table(data).get("dependencies"))
    every = [(name, one) for name, row in rows.items() for one in (row if isinstance(row, list) else [row])]
    versions = [(name, one.get("version") if isinstance(one, Mapping) else one) for name, one in every]
    return [f"{name} = {version!r}" for name, version in versions if name != "python" and "|" in str(version)]


def specifiers(constraint: str) -> str:
    """A version as Poetry writes it, ``^1.2``, in the words of the standards, ``>=1.2,<2``. Empty for any version, and
    for alternatives.
    """
    if "|" in constraint:
        return ""
    parts = [part for part in re.split(r"\s*,\s*|(?<=[\w*])\s+(?=[<>=!^~])", constraint.strip()) if part]
    return ",".join(found for part in parts if (found := _specifier(part)))


def _specifier(part: str) -> str:
    match = _COMPARED.fullmatch(part.strip())
    if match is None or part.strip() == "*":
        return ""
    operator, number = match[1] or "", match[2].strip()
    match operator:
        case "^":
            return f">={number},<{_next(number, caret=True)}"
        case "~":
            return f">={number},<{_next(number, caret=False)}"
        case "":
            return f"=={number}"
        case _:
            return f"{operator}{number}"


def _next(number: str, *, caret: bool) -> str:
    """The first version that is too new: after a caret its first number that is not 0 may not change, after a tilde its
    second.
    """
    match = _NUMBERS.match(number)
    parts = [int(one) for one in match[1].split(".")] if match else [0]
    kept = next((index for index, one in enumerate(parts) if one), len(parts) - 1)
    place = kept if caret else min(1, len(parts) - 1)
    return ".".join(map(str, [*parts[:place], parts[place] + 1]))
