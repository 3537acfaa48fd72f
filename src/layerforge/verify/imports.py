"""Which modules of a layer prove it: what each of its packages is there for."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from packaging.utils import canonicalize_name

from layerforge.core.paths import below_site, site_dir
from layerforge.examine.examination import Examination, Member
from layerforge.layer.imports import module_parts
from layerforge.layer.tree import File

_NO_MODULES = frozenset(
    {"bin", "share", "include", "etc", "man", "test", "tests", "testing", "doc", "docs", "example", "examples"}
    | {"benchmark", "benchmarks", "conftest", "setup", "scripts"}
)
"""Top-level names that wheels leave behind by mistake, or that are no modules."""

_MOST = 20
"""Modules that are tried of a package that has none at the top."""


@dataclass(frozen=True, kw_only=True)
class Imports:
    """The modules to import, each sorted."""

    needed: tuple[str, ...] = ()
    """Without one of these the layer is not what it says."""
    others: tuple[str, ...] = ()
    """What packages bring besides the module that they are named after, often for those who have something more."""
    parts: Mapping[str, tuple[str, ...]] | None = None
    """Modules below a namespace by the package that has no others: one of each has to be there."""

    @property
    def optional(self) -> tuple[str, ...]:
        """All that is tried and not needed."""
        parts = (name for names in (self.parts or {}).values() for name in names)
        return tuple(dict.fromkeys((*self.others, *parts)))

    @property
    def names(self) -> tuple[str, ...]:
        """All that is tried."""
        return (*self.needed, *self.optional)


def imports_of(examination: Examination, named: Iterable[str] = (), covered: Collection[str] = ()) -> Imports:
    """What to import: the modules ``named``, and what no recipe says of packages that are not ``covered`` by these.

    Of each package the top-level module that has its name, else all of its top-level modules, else what it has below a
    namespace. Private names, tests and the like count where a package has nothing else. A module that comes with no
    package is needed.
    """
    needed = set(named)
    others: set[str] = set()
    parts: dict[str, tuple[str, ...]] = {}
    for package, names in _by_package(examination).items():
        if package in covered:
            continue
        top = [name for name in names if "." not in name]
        own = [name for name in names if package and canonicalize_name(name.replace(".", "-")) == package]
        if own or top:
            needed.update(own or top)
            others.update(filter(public, top))
        else:
            parts[package or names[0].partition(".")[0]] = tuple(names[:_MOST])
    return Imports(needed=tuple(sorted(needed)), others=tuple(sorted(others - needed)), parts=parts)


def top_level_imports(examination: Examination) -> tuple[str, ...]:
    """Modules that a function with the layer would import, where nobody says it."""
    found = imports_of(examination)
    return found.needed or found.optional


def holds_code(examination: Examination) -> bool:
    """Whether there is anything in the layer that an import could run."""
    return any(member.path.endswith((".py", ".pyc", ".so")) and site_dir(member.path) for member in examination.members)


def _by_package(examination: Examination) -> Mapping[str, list[str]]:
    """Modules by package, the outermost first."""
    found = outermost(examination.members)
    open_ = {name: owner for name, owner in found.items() if public(name)}
    shown = {**{name: owner for name, owner in found.items() if owner not in set(open_.values())}, **open_}
    grouped: dict[str, list[str]] = {}
    for name in sorted(shown, key=lambda one: (one.count("."), one)):
        # What comes with no package stands together by the name that it lies under.
        grouped.setdefault(shown[name], []).append(name)
    return grouped


def public(name: str) -> bool:
    """Whether a module is there for others, and neither tests nor something that a wheel left behind."""
    parts = name.split(".")
    return parts[0] not in _NO_MODULES and not any(part.startswith("_") for part in parts)


def outermost(members: Iterable[Member | File]) -> dict[str, str]:
    """The outermost modules and true packages, each with the package that brought it."""
    files = {parts: member.package for member in members if (parts := module_parts(below_site(member.path)))}
    folders = {parts[:-1] for parts in files if parts[-1] == "__init__"}
    found: dict[str, str] = {}
    for parts, package in files.items():
        outer = next((parts[:count] for count in range(1, len(parts)) if parts[:count] in folders), parts)
        if outer[-1] not in {"__init__", "__main__"}:
            name = ".".join(outer)
            found[name] = found.get(name) or package
    return found
