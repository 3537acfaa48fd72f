"""Whether a project has code of its own that a wheel can be made of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from layerforge.core import guarded
from layerforge.resolve.project_file import PROJECT

_NO_PACKAGES = frozenset(
    {"ci", "bin", "debian", "doc", "docs", "documentation", "manpages", "news", "newsfragments", "changelog", "test"}
    | {"tests", "unit_test", "unit_tests", "example", "examples", "scripts", "tools", "util", "utils", "python"}
    | {"build", "benchmark", "benchmarks", "exercise", "exercises", "htmlcov", "tasks", "fabfile", "site_scons"}
    | {"setup", "conftest", "dodo", "noxfile", "pavement", "toxfile", "dist", "venv", "env", "node_modules"}
)
"""Folders and modules that setuptools never takes for a project's own, and those that tools make."""

_TOLD = ("packages", "py-modules", "package-dir", "package_dir", "py_modules")


def lacking(folder: Path) -> str:
    """Why a project has no code of its own for a layer; empty where a wheel of it holds some, or its build says so."""
    data = _table(folder / PROJECT)
    tool = _dict(data.get("tool"))
    if _dict(tool.get("uv")).get("package") is False:
        return "tool.uv.package is false"
    if _dict(tool.get("poetry")).get("package-mode") is False:
        return "its package-mode is false"
    declared = _dict(data.get("build-system"))
    backend = str(declared.get("build-backend", "setuptools"))
    if not backend.startswith("setuptools") or _is_told(folder, _dict(tool.get("setuptools"))):
        return ""
    found = _packages(folder)
    if not found and not declared:
        return "it has no [build-system] and no package"
    found = found or _modules(folder)
    if len(found) > 1:
        return f"it says nowhere which of these is its package: {', '.join(found)[:200]}"
    return ""


def _is_told(folder: Path, setuptools: dict[str, Any]) -> bool:
    """Whether a project of setuptools says itself what its packages are, or has them where setuptools looks first."""
    if any(key in setuptools for key in _TOLD) or (folder / "setup.py").is_file():
        return True
    try:
        said = guarded.text(folder / "setup.cfg")
    except guarded.Unreadable:
        said = ""
    source = folder / "src"
    return any(word in said for word in _TOLD) or (source.is_dir() and any(_is_code(one) for one in source.iterdir()))


def _is_code(path: Path) -> bool:
    return path.suffix == ".py" or (path.is_dir() and not path.name.startswith(".") and not _is_egg(path))


def _is_egg(path: Path) -> bool:
    return path.suffix in {".egg-info", ".dist-info"} or path.name == "__pycache__"


def _packages(folder: Path) -> list[str]:
    """Folders beside the project file that setuptools would take for packages."""
    found = (one for one in sorted(folder.iterdir()) if one.is_dir() and any(one.glob("*.py")))
    return [one.name for one in found if one.name not in _NO_PACKAGES and one.name.isidentifier()]


def _modules(folder: Path) -> list[str]:
    found = sorted(one.stem for one in folder.glob("*.py"))
    return [name for name in found if name not in _NO_PACKAGES and not name.startswith(("_", "test_"))]


def _table(path: Path) -> dict[str, Any]:
    try:
        return guarded.toml(guarded.text(path))
    except guarded.Unreadable:
        return {}


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
