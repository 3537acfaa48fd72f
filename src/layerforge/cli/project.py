"""The project file of the current folder, as options see it: what it says counts where nobody else does.

The command line comes before the environment, that before a layer's own table, and that before the top of the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from layerforge.cli import helping, variables
from layerforge.resolve import project_keys
from layerforge.resolve.errors import RecipeError
from layerforge.resolve.project_settings import LayerWish, ProjectSettings, Settings, project_settings

_SAID = (ParameterSource.COMMANDLINE, ParameterSource.PROMPT, ParameterSource.ENVIRONMENT)
_FILE = ParameterSource.DEFAULT_MAP
_PLACES = (*_SAID, _FILE, ParameterSource.DEFAULT)
_CONTRARY = {"wheels": ("compiles", "from_source"), "compiles": ("wheels",), "from_source": ("wheels",)}
"""Parameters that a parameter rules out where they were decided further below."""


class ProjectCommand(helping.Grouped):
    """A command whose options a project file may say, each by the option's long name."""

    passed_over = frozenset({"store", "trusted-keys"})
    """Keys that are not meant: these ``cli/sharing.py`` looks up, for every command."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parses with what the project says as defaults. A file that is wrong is no reason to show no help."""
        wrong, found = None, ProjectSettings()
        try:
            found = project_settings(Path())
            ctx.default_map = dict(_defaults(self, found))
        except RecipeError as error:
            wrong = error
        try:
            rest = super().parse_args(ctx, args)
        except click.BadParameter as error:
            param = error.param
            if isinstance(param, click.Option) and ctx.get_parameter_source(str(param.name)) is _FILE:
                raise _refused(error, variables.long_name(param), found) from error
            raise
        if wrong:
            raise wrong
        _settle(ctx)
        return rest


class LockCommand(ProjectCommand):
    """``layerforge lock``, whose ``--python`` and ``--output`` mean something else than those of a build."""

    passed_over = ProjectCommand.passed_over | {"python", "output"}


def _refused(error: click.BadParameter, key: str, found: ProjectSettings) -> RecipeError:
    """What to say of a value of the project file that an option does not take."""
    return RecipeError(f"{found.file}: {key}: {error.message}", hint="docs/project.md explains every key")


def _defaults(command: click.Command, found: ProjectSettings) -> Iterator[tuple[str, Any]]:
    """What the top of the file says, by parameter."""
    options = _options(command)
    for key, value in (*_said(found), *_said(found.defaults)):
        if key in options:
            yield str(options[key].name), value


def _settle(ctx: click.Context) -> None:
    """Takes back what contradicts something that comes before it: the command line, the environment, the file."""
    for name in [one for one in _CONTRARY if ctx.params.get(one)]:
        for other in _CONTRARY[name]:
            if ctx.params.get(other) and _place(ctx, other) > _place(ctx, name):
                ctx.params[other] = type(ctx.params[other])()


def _place(ctx: click.Context, name: str) -> int:
    """Where a value comes from; what is less counts first."""
    return _PLACES.index(ctx.get_parameter_source(name) or ParameterSource.DEFAULT)


def decided(ctx: click.Context) -> frozenset[str]:
    """The parameters that the command line or the environment says."""
    return frozenset(name for name in ctx.params if ctx.get_parameter_source(name) in _SAID)


def of_layer(wish: LayerWish, ctx: click.Context) -> dict[str, Any]:
    """What a layer's own table decides of the options of a call, by parameter."""
    options, said = _options(ctx.command), decided(ctx)
    found: dict[str, Any] = {}
    for key, value in _said(wish.settings):
        option = options.get(key)
        if option is not None and option.name not in said and not _ruled_out(str(option.name), ctx, said):
            found[str(option.name)] = _cast(option, value, ctx, f"layer.{wish.name}.{key}")
    others = {other for name in found if found[name] for other in _CONTRARY.get(name, ())}
    below = {other: type(ctx.params[other])() for other in others if other in ctx.params and other not in said}
    return below | found


def _cast(option: click.Option, value: Any, ctx: click.Context, key: str) -> Any:
    """A value of a layer's table as its option gives it."""
    try:
        return option.type_cast_value(ctx, value)
    except click.BadParameter as error:
        raise _refused(error, key, project_settings(Path())) from error


def _ruled_out(name: str, ctx: click.Context, said: frozenset[str]) -> bool:
    return any(name in others for one, others in _CONTRARY.items() if one in said and ctx.params.get(one))


def _options(command: click.Command) -> Mapping[str, click.Option]:
    """The options of a command that a project file may say, by their long names."""
    found = [one for one in command.params if isinstance(one, click.Option)]
    named = {word.removeprefix("--"): one for one in found for word in one.opts if word.startswith("--")}
    without = command.passed_over if isinstance(command, ProjectCommand) else frozenset()
    return {key: one for key, one in named.items() if key not in without}


def _said(settings: ProjectSettings | Settings) -> Iterator[tuple[str, Any]]:
    """The keys that are said, and their values."""
    known = project_keys.schema(type(settings))
    for one in fields(settings):
        key, value = project_keys.spelled(one.name), getattr(settings, one.name)
        if key in known and value is not None and value != one.default:
            yield key, value
