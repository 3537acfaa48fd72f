"""``LAYERFORGE_*``: a variable of the environment for each option of every command.

It is called as the option is, ``LAYERFORGE_LEAVE_OUT``. Where options of one name mean different things, those of the
commands in ``HOMES`` have it, and others have their command in theirs: ``LAYERFORGE_LOCK_PYTHON``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import click
from click.core import ParameterSource

from layerforge.core.errors import LayerforgeError

PREFIX = "LAYERFORGE_"

_BUILDS = ("build", "plan")

HOMES: Mapping[str, tuple[str, ...]] = {
    "python": (*_BUILDS, "split", "matrix"),
    "arch": (*_BUILDS, "split", "matrix"),
    "output": _BUILDS,
    "jobs": (*_BUILDS, "split"),
    "image": (*_BUILDS, "split", "verify", "coldstart"),
    "memory": ("worker",),
    "name": ("worker",),
    "region": ("publish",),
    "for": ("snippet",),
    "against": ("inspect",),
    # What such an option allows is allowed to one command.
    **dict.fromkeys(("force", "public", "remove", "run", "shared", "write", "yes"), ()),
}
"""Options that mean something else in other commands, with those commands whose variable has no command in it."""

_PLURAL = {"trusted-key": "trusted-keys"}
"""Options whose variables are older than this rule."""

USED: dict[str, str] = {}
"""The variables that counted in this run, by the options that they stand for."""


def equip(path: str, command: click.Command) -> None:
    """Gives a command's options their variables. ``path`` are the words that call it."""
    for one in command.params:
        if isinstance(one, click.Option) and (name := long_name(one)) and not one.hidden:
            one.envvar = one.envvar or variable(path, name)
            one.callback = _noting(name, one.callback)


def long_name(option: click.Option) -> str:
    """The long name of an option without its dashes; empty where it has none."""
    return next((word.removeprefix("--") for word in option.opts if word.startswith("--")), "")


def variable(path: str, name: str) -> str:
    """The variable of an option ``name`` of the command ``path``."""
    words = [_PLURAL.get(name, name)] if path in HOMES.get(name, (path,)) else [*path.split(), name]
    return PREFIX + "_".join(words).upper().replace("-", "_")


def _noting(name: str, callback: Any) -> Any:
    def note(ctx: click.Context, param: click.Parameter, value: Any) -> Any:
        noted(f"--{name}", ctx, param)
        return callback(ctx, param, value) if callback else value

    return note


def noted(option: str, ctx: click.Context, param: click.Parameter) -> None:
    """Keeps in mind that an option's value is its variable's, where it is."""
    if ctx.get_parameter_source(str(param.name)) is ParameterSource.ENVIRONMENT:
        USED[option] = str(param.envvar)


def named(error: LayerforgeError) -> LayerforgeError:
    """The error, with the variables behind the options that it is about."""
    text = f"{error.message} {error.hint}".split()
    if behind := [f"{USED[word]} stands for {word}" for word in _options(text) if word in USED]:
        error.hint = "; ".join([*([error.hint] if error.hint else []), *behind])
    return error


def _options(words: list[str]) -> Iterator[str]:
    """The options in a text, each once."""
    yield from dict.fromkeys(word.strip("`'\"(),;:.") for word in words if "--" in word)


def named_in_usage(error: click.ClickException) -> click.ClickException:
    """The same for what click finds wrong with a value."""
    if not isinstance(error, click.BadParameter) or not isinstance(error.param, click.Option) or error.ctx is None:
        return error
    if error.ctx.get_parameter_source(str(error.param.name)) is not ParameterSource.ENVIRONMENT:
        return error
    told = f"{error.message.rstrip('.')} (from {error.param.envvar})."
    return click.BadParameter(told, ctx=error.ctx, param=error.param)
