"""From the words of a call to layers: those of the project file, recipes, files, requirements."""

from __future__ import annotations

import difflib
import os
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from packaging.utils import canonicalize_name

from layerforge.cli import helping, project, terminal
from layerforge.cli import options as shared
from layerforge.cli.call import Asked, taken
from layerforge.cli.wishes import Targets, wishes
from layerforge.core.errors import UsageError
from layerforge.core.progress import Progress
from layerforge.resolve import folder_inputs, matrix, project_layers
from layerforge.resolve.catalogue import Catalogue
from layerforge.resolve.project_settings import FILE, LayerWish, ProjectSettings, project_settings
from layerforge.resolve.request import Request
from layerforge.resolve.requirement import PACKAGE_NAME
from layerforge.resolve.targets import refuse_same_names, requests
from layerforge.resolve.wanted import NOTHING, Wanted

Names = tuple[tuple[str, ...], ...]
"""What an option names that takes several with commas, and is repeatable."""

Runtimes = tuple[Names, Names]
"""Pythons and processors, as the call names them or the top of the project file."""

NEAR = 0.8
"""How like a word has to be to a layer's name to be taken for a slip."""


def layers(call_of: Mapping[str, Any], progress: Progress) -> list[Asked]:
    """The layers of this call, whose options are ``call_of``, with what these say of versions and own code."""
    runtimes = call_of["pythons"], call_of["arches"]
    found = asked(
        call_of["targets"],
        call_of["every"],
        call_of["lock_file"],
        shared.known_recipes(call_of["recipes_folders"]),
        runtimes,
        progress,
        each=call_of["each"],
        options=wishes(call_of["extras"], call_of["groups"]),
    )
    return taken(found, call_of["prerelease"], project=not call_of["no_project"])


def asked(
    targets: tuple[str, ...],
    every: Path | None,
    lock_file: Path | None,
    known: Catalogue,
    runtimes: Runtimes,
    progress: Progress,
    *,
    each: bool,
    options: Wanted = NOTHING,
) -> list[Asked]:
    """The layers of this call for their Pythons and processors: those of the project file first, then what other words
    ask for.

    Without words they are all of the project file, or of what lies in the current folder. What no lock of a whole
    folder serves is left out, and said. Raises ``UsageError`` where nothing is asked for.
    """
    words = shared.asked(targets)
    if every is not None:
        if words or lock_file or options:
            raise UsageError(
                "--all goes with neither TARGETs nor --lock, --extra and --group",
                hint="build those in a call of their own",
            )
        return _of_folder(every, known, runtimes, progress)
    found, words = wanted(words, known, progress, options)
    if lock_file and len(found) + (len(words) if each else bool(words)) != 1:
        raise UsageError("--lock goes with a single layer", hint="build the layers one at a time")
    pairs = of_layers(found, lock_file, known, options)
    if words:
        pairs += [(request, {}) for request in requests(words, lock_file, known, each=each, options=options)]
    refuse_same_names([request for request, _ in pairs])
    near = nearest(words)
    return [
        Asked(request=request, target=target, given=given, near=next(filter(None, map(near.get, request.given)), ""))
        for request, given in pairs
        for target in targets_of(given, runtimes).of(request, progress.say)
    ]


def of_layers(
    layers: Iterable[LayerWish], lock_file: Path | None, known: Catalogue, options: Wanted
) -> list[tuple[Request, dict[str, Any]]]:
    """The requests of layers of the project file, each with what its table says of the options of this call."""
    ctx = click.get_current_context()
    return [(project_layers.request(one, known, lock_file, options), project.of_layer(one, ctx)) for one in layers]


def targets_of(given: Mapping[str, Any], runtimes: Runtimes) -> Targets:
    """What a layer is made for, as far as anybody says."""
    return shared.targets(given.get("pythons", runtimes[0]), given.get("arches", runtimes[1]))


def _of_folder(every: Path, known: Catalogue, runtimes: Runtimes, progress: Progress) -> list[Asked]:
    """The layers of all recipes in a folder."""
    layers, targets = requests(matrix.every_layer(every), None, known, each=True), targets_of({}, runtimes)
    pairs, left = matrix.served(layers, lambda request: targets.of(request, progress.say))
    for one in left:
        terminal.notes().line(("!", "yellow"), f" {one.recipe}-{one.label} is left out: {one.reason}")
    return [Asked(request=request, target=target) for request, target in pairs]


def wanted(
    words: Sequence[str], known: Catalogue, progress: Progress, options: Wanted = NOTHING
) -> tuple[tuple[LayerWish, ...], tuple[str, ...]]:
    """The layers of the project file that words name, and the other words; without words all of its layers, or what
    stands for the folder. Raises ``UsageError`` where nothing of that is a project whose ``options`` there could be.
    """
    found = project_settings(Path())
    words = [name for word in words for name in (_all_layers(word, found) or (word,))]
    if not words and not found.layers:
        return (), (_stand_in(found, progress),)
    layers = {one.name: one for one in found.layers}
    named = tuple(layers[word] for word in dict.fromkeys(words or layers) if word in layers)
    others = tuple(word for word in words if word not in layers)
    _refuse_functions(others, found)
    if options and not others and not any(one.asks.project for one in named):
        raise UsageError(
            f"{options.told}: no layer of {found.file} that is built is a project's", hint="leave that out"
        )
    for line in _passed_over(named if words else (), found, known):
        progress.say(line)
    return named, others


def _refuse_functions(words: Iterable[str], found: ProjectSettings) -> None:
    """Raises ``UsageError`` for a word that is a function of the project, and that an index may have a package of."""
    names = {one.name for one in found.functions}
    if function := next((word for word in words if word in names), ""):
        raise UsageError(
            f"{function} is a function of {found.file}, and its layers are made with those of all others",
            hint=f'`layerforge build` without words makes them; "{function}>=0" is the package of that name',
        )


def _all_layers(word: str, found: ProjectSettings) -> tuple[str, ...]:
    """The names of all layers of the project where a word is its file, or its folder with nothing else to build in it.

    Raises ``UsageError`` for the project file of another folder.
    """
    path = Path(word)
    if path.name == FILE and path.is_file():
        if path.resolve().parent != Path.cwd():
            where = shlex.quote(str(path.parent))
            raise UsageError(
                f"{word} is the project file of another folder",
                hint=f"`cd {where} && layerforge build` builds its layers",
            )
        return tuple(one.name for one in found.layers)
    return tuple(one.name for one in found.layers) if path == Path() and not folder_inputs.stand_in(path) else ()


def _passed_over(named: Iterable[LayerWish], found: ProjectSettings, known: Catalogue) -> Iterator[str]:
    """What else words could mean that name layers of the project file."""
    for name in (one.name for one in named):
        recipe = known.places.get(canonicalize_name(name))
        if os.path.lexists(name):
            yield f"{name} is the layer of {found.file}; ./{name} would be what lies here"
        elif recipe:
            yield f"{name} is the layer of {found.file}; {recipe} would be the recipe"


def nearest(words: Iterable[str]) -> dict[str, str]:
    """The layers of the project file that bare names look like which are none, by these names."""
    names = [one.name for one in project_settings(Path()).layers]
    pairs = {word: difflib.get_close_matches(word, names, 1, cutoff=NEAR) for word in words}
    return {word: near[0] for word, near in pairs.items() if near and PACKAGE_NAME.fullmatch(word)}


def _stand_in(found: ProjectSettings, progress: Progress) -> str:
    """The word for what lies in the current folder. Raises ``UsageError`` where that is nothing to build."""
    if found.functions:
        raise UsageError(
            f"{found.file} has functions and no layers of its own",
            hint="`layerforge split` plans layers that they share, and `layerforge build` makes them",
        )
    word = folder_inputs.stand_in(Path())
    command = f"layerforge {click.get_current_context().info_name}"
    if word is None:
        raise UsageError(
            "nothing is named, and this folder has neither a project file nor anything else to make layers of",
            hint=f"`layerforge init` writes a {FILE}; or name what you want, such as `{helping.EXAMPLES['build'][0]}`",
            details=tuple(f"there is {file}" for file in folder_inputs.above(Path(), FILE)),
        )
    progress.say(f"nothing is named and no project file has layers, so this is `{command} {shlex.quote(word)}`")
    return word
