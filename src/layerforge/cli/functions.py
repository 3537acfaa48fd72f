"""The functions of a project, as commands see them: what they ask for, and where their layers are made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from layerforge.build.durations import SharedClock
from layerforge.build.options import Options
from layerforge.build.session import Session
from layerforge.cli import options as shared
from layerforge.cli.call import Place
from layerforge.core.errors import LayerforgeError, UsageError
from layerforge.core.progress import Progress
from layerforge.core.runtimes import Arch, Target
from layerforge.functions.planning import Wanted
from layerforge.resolve.catalogue import Catalogue
from layerforge.resolve.project_layers import request
from layerforge.resolve.project_settings import FunctionWish, ProjectSettings, project_settings
from layerforge.resolve.request import Request


@dataclass(frozen=True, kw_only=True)
class Workplace:
    """Where the layers of functions are made; ``given`` are the options that decide how, by their parameters."""

    place: Place
    given: Mapping[str, Any]

    @property
    def progress(self) -> Progress:
        """Of the call."""
        return self.place.progress

    def session(self, target: Target) -> tuple[Options, Session]:
        """What the layers of a target are made with. Raises ``EngineError`` where what is asked for cannot be used."""
        place = self.place
        interpreter = shared.interpreter_of(target.python, self.given["bytecode"], place.progress)
        options = shared.options(target, interpreter, **self.given)
        chosen = place.chosen(target, interpreter)
        if isinstance(chosen, LayerforgeError):
            raise chosen
        return options, chosen.session(place.store, place.progress, place.sources, SharedClock())


def settings_of(folder: Path) -> ProjectSettings:
    """What the project in a folder says. Raises ``UsageError`` where it has no functions."""
    found = project_settings(folder)
    if not found.functions:
        where = found.file or folder / "layerforge.toml"
        raise UsageError(
            f"{where} names no functions, and layers are planned for those",
            hint='such as:  [function.api]  requires = ["fastapi"]',
        )
    return found


def targets_of(settings: ProjectSettings, pythons: Sequence[str], arches: Sequence[str]) -> list[Target]:
    """The Pythons and processors that a call names, else the project's, else the defaults of a build; of all of them
    those that a function is for, where there is one.
    """
    named = pythons or settings.defaults.python or (shared.DEFAULT_PYTHON,)
    processors = arches or settings.defaults.arch or (str(Arch.X86_64),)
    found = [shared.target(python, arch) for python in named for arch in processors]
    return [target for target in found if any(_is_for(one, target) for one in settings.functions)] or found


def wanted(settings: ProjectSettings, target: Target, known: Catalogue) -> list[Wanted]:
    """The functions of a project that are for a target, with what they ask for."""
    return [_wanted(one, settings, known) for one in settings.functions if _is_for(one, target)]


def _is_for(one: FunctionWish, target: Target) -> bool:
    fits = one.python is None or target.python in one.python
    return fits and (one.arch is None or str(target.arch) in one.arch)


def _without_own_code(asked: Request, one: FunctionWish) -> Request:
    """A request without the code of the function's own project, where anything else says what that requires: it goes
    with the function, and not into layers that others have too.
    """
    named = one.asks.project
    folder = (named if named.is_dir() else named.parent).resolve() if named else None
    if not any(file.resolve().parent == folder for file in asked.files):
        return asked
    return replace(asked, own_code=tuple(one for one in asked.own_code if one.resolve() != folder))


def _wanted(one: FunctionWish, settings: ProjectSettings, known: Catalogue) -> Wanted:
    asked = _without_own_code(request(one, known), one)
    asked = replace(asked, prerelease=settings.defaults.prerelease or asked.prerelease)
    left = one.leave_out if one.leave_out is not None else settings.defaults.leave_out or ()
    words = (*asked.spec.leave_out, *map(canonicalize_name, left))
    return Wanted(
        name=one.name,
        request=asked,
        leave_out=tuple(sorted(dict.fromkeys(words))),
        code=one.code,
        own_layers=one.layers,
    )
