"""What a ``recipe.toml`` may hold, key by key, and what is wrong with a value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from layerforge.resolve import recipe_values as values
from layerforge.resolve.recipe import Columns, Docstrings

_name = values.named(values.NAMED, "a name of letters, digits and . _ - between them")

_part = values.named(values.PART, "a name of letters, digits and . _ + - between them")

_parts = values.each(_part)

_globs = values.each(values.glob)

_SYSTEM = {"system": _parts}

_LIBRARY = {"env": values.keys(values.VARIABLE), "flags": values.keys(values.VARIABLE), **_SYSTEM}

_PACKAGE = {**_LIBRARY, "config": values.config, "module-flags": values.globs_of_texts}

_SOURCE = {"url": values.text, "sha256": values.named(values.SHA256, "64 hexadecimal digits")}

SCHEMA: Mapping[str, Any] = {
    "schema": values.schema_number,
    "package": {
        "name": _name,
        "versions": values.versions,
        "build": values.one_of("source"),
        "needs": values.needs,
        "minutes": values.minutes,
        **_PACKAGE,
        "arch": {"x86_64": _PACKAGE, "arm64": _PACKAGE},
    },
    "library": {
        "name": _name,
        "version": values.text,
        "source": _SOURCE,
        "needs": values.needs,
        "script": values.text,
        "ship": _globs,
        "minutes": values.minutes,
        **_LIBRARY,
        "arch": {"x86_64": _LIBRARY, "arm64": _LIBRARY},
    },
    "variant": {
        "name": _name,
        "of": _name,
        "says": values.line,
        "proves": _parts,
        "without": [
            {
                "package": _part,
                "what": values.line,
                "modules": values.each(values.named(values.MODULE, "a module's name")),
                "names": values.each(values.named(values.VARIABLE, "a name in a module")),
                "files": values.each(values.own_glob),
            }
        ],
    },
    "build": {"requires": values.requirements, "packages": values.system_packages},
    "prune": {"remove": values.each(values.own_glob), "keep": values.each(values.own_glob)},
    "bytecode": {
        "docstrings": values.one_of(*Docstrings),
        "keep_docstrings": values.each(values.own_glob),
        "columns": values.one_of(*Columns),
        "optimize": values.level,
        "lazy": values.all_or_globs,
    },
    "defer": values.deferred,
    "env": values.function_variables,
    "data": [
        {**_SOURCE, "url": values.address, "into": values.data_folder, "unpack": values.yes_or_no, "files": _globs}
    ],
    "linked": [{"name": values.line, "licence": values.line, "into": values.own_glob, "unless": values.line}],
    "check": {
        "imports": values.each(values.named(values.MODULE, "a module's name")),
        "script": values.inside,
        "single": _globs,
        "excused": values.flags,
    },
    "prime": {"script": values.inside},
    "layer": {
        "requires": values.requirements,
        "leave-out": _parts,
        "budget": {"unzipped": values.size, "zipped": values.size},
    },
}
"""Every key of a recipe; see ``toml_schema.Schema``."""

REQUIRED = {
    "": ("schema",),
    "package": ("name", "versions"),
    "library": ("name", "version", "source.url", "source.sha256", "script"),
    "prime": ("script",),
    "variant": ("name", "of", "says"),
    "layer": ("requires",),
}
"""Keys that have to be there, by the table that has them, where there is such a table."""

REQUIRED_IN_ROWS = {
    "data": ("url", "sha256", "into"),
    "linked": ("name", "licence", "into"),
    "variant.without": ("package", "what"),
}

OF_PACKAGES = (
    "prune",
    "bytecode",
    "defer",
    "env",
    "data",
    "linked",
    "prime",
    "layer",
    "check.imports",
    "check.script",
    "check.excused",
    "build.requires",
)
"""What no library has: it ships what it names, and packages prove it."""

OF_COMPILED = ("needs", "minutes", "config", "flags", "module-flags", "env")
"""Keys of ``[package]`` that mean nothing where it is not compiled."""
