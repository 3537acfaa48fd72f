"""The files of a first recipe. What a wheel says of itself is written as it is told, and steers nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from packaging.version import Version

from layerforge.core.text import counted, megabytes, visible
from layerforge.report.draft.portions import Portion
from layerforge.report.draft.survey import PackageSurvey
from layerforge.resolve import recipe_file
from layerforge.resolve.catalogue import Catalogue
from layerforge.resolve.recipe import Library

CHECK = "check.py"
OF_COMPILERS = frozenset({"libgomp.so.1", "libgfortran.so.5", "libquadmath.so.0", "libatomic.so.1"})
"""Libraries that every image which compiles has."""

_WIDTH = 118


def files(found: PackageSurvey, known: Catalogue) -> dict[str, str]:
    """The texts of a recipe's files, by their names."""
    return {recipe_file.FILE: "\n".join(_recipe(found, known)) + "\n", CHECK: _check(found)}


def versions_of(version: str) -> str:
    """``>=2.1,<3`` for 2.1.2: those that a recipe is likely to be right for."""
    release = Version(version).release
    oldest = ".".join(map(str, release[:2]))
    epoch = f"{Version(version).epoch}!" if Version(version).epoch else ""
    return f">={epoch}{oldest},<{epoch}{release[0] + 1}"


def _recipe(found: PackageSurvey, known: Catalogue) -> Iterator[str]:
    name, versions = found.name, versions_of(found.version)
    yield from _head(found)
    yield "schema = 2"
    yield ""
    yield "[package]"
    yield f"name = {_quoted(name)}"
    yield _beside(f"versions = {_quoted(versions)}", f"those that it is right for: {found.version} was looked at")
    yield from _compiling(found, known)
    yield from _system(found)
    yield from _bytecode()
    yield from _prune(found)
    yield from _env(found)
    yield from _proof(found)
    yield ""
    yield _beside("[layer]", "makes the recipe a target of its own, with a lock")
    yield f"requires = [{_quoted(name + versions)}]"
    yield '# budget = { unzipped = "…", zipped = "…" }   # what `layerforge build` tells, and some room'


def _head(found: PackageSurvey) -> Iterator[str]:
    target = found.target
    rest = f"; the default rules take {megabytes(found.dropped)} more" if found.dropped else ""
    yield f"# {found.name} {found.version}, from its wheel for Python {target.python} on {target.arch}:"
    yield f"# {counted(found.files, 'file')}, {megabytes(found.bytes)}{rest}."
    if found.layer_bytes > found.bytes:
        yield f"# With what it needs, a layer has {megabytes(found.layer_bytes)} before its modules are compiled."
    yield "# What begins with # is a proposal: take that away where it is right, and the line where it is not."
    yield "# docs/recipes.md explains every key; `layerforge recipes check` looks for mistakes."
    yield ""


def _compiling(found: PackageSurvey, known: Catalogue) -> Iterator[str]:
    """What it needs, and whether it could be compiled."""
    if found.requires:
        with_recipes = [name for name in found.requires if name in known.places]
        told = f"; of these, recipes are there for {', '.join(with_recipes)}" if with_recipes else ""
        yield from _comment(f"It requires {', '.join(found.requires)}{told}.")
    if found.extras:
        yield from _comment(f"It has the extras {', '.join(map(visible, found.extras[:12]))}.")
    if not found.native.files:
        yield from _comment("No native code: there is nothing to compile.")
    elif found.sdist is None:
        yield from _comment("It has native code, and no source distribution: it comes from its wheel.")
    else:
        yield from _from_source(found, known)


def _from_source(found: PackageSurvey, known: Catalogue) -> Iterator[str]:
    assert found.sdist is not None
    declared = f", which declares to be built with {', '.join(found.sdist.requires)}" if found.sdist.requires else ""
    yield from _comment(
        f"{counted(found.native.files, 'file')} of native code. It could be compiled from {found.sdist.file}{declared}."
    )
    yield "# What it is linked to needs recipes of its own, with [library]."
    yield '# build = "source"'
    needs = [name for name in found.requires if _compiles(name, known)]
    yield f"# needs = {json.dumps(needs)}"


def _compiles(name: str, known: Catalogue) -> bool:
    recipe = known.find(name) if name in known.places else None
    return recipe is not None and (recipe.compiles or isinstance(recipe.part, Library))


def _system(found: PackageSurvey) -> Iterator[str]:
    """Libraries of the image, where something asks for those that nothing has."""
    ours = [name for name in found.native.lacking if name in OF_COMPILERS]
    others = [name for name in found.native.lacking if name not in OF_COMPILERS]
    if ours:
        yield _beside(f"system = {json.dumps(ours)}", "its native code wants it, and Lambda has none")
    if others:
        yield from _comment("Its native code wants these too, which neither the layer nor Lambda nor every image has.")
        yield f"# system = {json.dumps([*ours, *others])}"
    if found.native.bundled:
        yield from _comment("Libraries that come with the wheel:")
        yield from _listed(found.native.bundled)


def _bytecode() -> Iterator[str]:
    yield ""
    yield "# [bytecode]"
    yield '# docstrings = "drop"   # where nothing reads them at run time; keep_docstrings names what does'


def _prune(found: PackageSurvey) -> Iterator[str]:
    told = {one.glob for one in found.native.bundled}
    if large := [one for one in found.largest if one.glob not in told]:
        yield ""
        yield "# What is large, behind the default rules:"
        yield from _listed(large)
    if found.spare:
        yield ""
        yield "# [prune]"
        yield "# remove = [   # these look as if no function needed them: find out whether its code reads them"
        for one in found.spare:
            yield _beside(f"#     {_quoted(one.glob)},", f"{counted(one.files, 'file')}, {megabytes(one.bytes)}")
        yield "# ]"


def _env(found: PackageSurvey) -> Iterator[str]:
    if found.variables:
        yield ""
        yield from _comment(f"Its code reads these variables: {', '.join(found.variables)}.")
        yield "# [env]   # a path below /opt counts where the layer has something there"
        yield f'# {found.variables[0]} = "/opt/share/…"'


def _proof(found: PackageSurvey) -> Iterator[str]:
    yield ""
    if found.programs:
        yield from _comment(f"Programs: {', '.join(map(visible, found.programs[:12]))}. A check should start them.")
    yield "[check]"
    if found.modules:
        yield f"imports = {json.dumps(list(found.modules))}"
    else:
        yield "# imports = []   # there is no module whose name an import could use"
    if found.others:
        yield from _comment(f"Its wheel brings these too: {', '.join(found.others)}. They may want more packages.")
    yield f'# script = "{CHECK}"   # importing proves little: write the check, then take the # away'


def _check(found: PackageSurvey) -> str:
    imports = "".join(f"import {name}\n" for name in found.modules)
    todo = f"write here what your functions do with {found.name}, then take this line away"
    return (
        f"raise SystemExit({json.dumps(todo)})\n\n"
        "# It runs in the sandbox, as Lambda would run it: no network, /opt cannot be written, /tmp can.\n"
        "# Call what matters and hold the results: assert the numbers, read the data files, write and read back.\n\n"
        f"{imports}"
    )


# --- words


def _quoted(text: str) -> str:
    """A text as TOML reads it."""
    return json.dumps(text)


def _beside(line: str, comment: str) -> str:
    return f"{line}   # {comment}"


def _listed(portions: Sequence[Portion]) -> Iterator[str]:
    width = max(len(visible(one.glob)) for one in portions)
    for one in portions:
        more = f", {counted(one.files, 'file')}" if one.files > 1 else ""
        yield f"#   {visible(one.glob):<{width}}  {megabytes(one.bytes)}{more}"


def _comment(text: str) -> Iterator[str]:
    """A text as lines of comments."""
    line = "#"
    for word in visible(" ".join(text.split())).split(" "):
        if len(line) + 1 + len(word) > _WIDTH:
            yield line
            line = "#"
        line += f" {word}"
    yield line
