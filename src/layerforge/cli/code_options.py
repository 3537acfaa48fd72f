"""Options of commands that run a function's own code, and what is told of that code."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from layerforge.build.function import MOST_EVENT
from layerforge.core import guarded, runtimes
from layerforge.core.errors import UsageError
from layerforge.core.progress import Progress
from layerforge.core.runtimes import Target
from layerforge.core.text import counted, megabytes
from layerforge.examine.examination import Examination
from layerforge.examine.function_code import FunctionCode
from layerforge.examine.overlaps import Overlap
from layerforge.report.beside import target_of
from layerforge.report.manifest import Manifest

Command = TypeVar("Command", bound=Callable[..., Any])

RESERVED = frozenset(
    {"AWS_EXECUTION_ENV", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION", "AWS_LAMBDA_RUNTIME_API"}
    | {"AWS_LAMBDA_FUNCTION_TIMEOUT", "AWS_LAMBDA_INITIALIZATION_TYPE", "LAMBDA_RUNTIME_DIR", "LAMBDA_TASK_ROOT"}
)
"""Variables that say what the sandbox is. What else Lambda reserves, such as the Region, is for the user to say."""

_PATH = re.compile(r"[^{}\[\]\"\n]+\.json")
"""What was meant to be a file, though there is none."""

_HOSTS_OWN = frozenset({"HOME", "LANG", "LD_LIBRARY_PATH", "PATH"})

_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_]+")
"""Of a variable, as Lambda takes it."""


def code_option(command: Command) -> Command:
    """``--code``."""
    return click.option(
        "--code",
        metavar="DIR|ZIP",
        type=click.Path(path_type=Path),
        help="The function's own code: its folder, its zip, or a folder that SAM has built.",
    )(command)


def env_option(command: Command) -> Command:
    """``--env``."""
    return click.option(
        "--env",
        "variables",
        metavar="NAME=VALUE",
        multiple=True,
        help="Variable of the function; repeatable. Those that the layers' manifests name are set already.",
    )(command)


def variables_of(words: Iterable[str], option: str = "--env") -> dict[str, str]:
    """The variables that the words of an option name. Raises ``UsageError``."""
    found: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not _NAME.fullmatch(name):
            raise UsageError(
                f"{option} {word} is no variable of a function",
                hint=f"such as {option} TABLE=orders; Lambda takes letters, digits and _, two at least, a letter first",
            )
        if name in RESERVED:
            raise UsageError(f"{option} {name} is Lambda's own to set", hint="leave it out; see --memory and --timeout")
        found[name] = value
    return found


def ignored_on_host(names: Iterable[str]) -> tuple[str, ...]:
    """Variables that count in containers alone: on this machine a run has its own, and its interpreter reads none."""
    return tuple(name for name in names if name in _HOSTS_OWN or name.startswith("PYTHON"))


def event_of(word: str) -> bytes:
    """The event that an option names: a file, JSON itself, or ``-`` for standard input. Raises ``UsageError``."""
    text, where = _event_text(word)
    try:
        guarded.json_value(text)
    except guarded.Unreadable as error:
        hint = """such as --event '{"rows": 10}', --event event.json or --event -"""
        raise UsageError(f"the event {where}is no JSON: {error}", hint=hint) from error
    data = text.encode()
    if len(data) > MOST_EVENT:
        raise UsageError(
            f"the event has {len(data):,} bytes, and Lambda takes {MOST_EVENT:,} where somebody waits for the answer",
            hint="put what is larger into a bucket, and name it in the event",
        )
    return data


def _event_text(word: str) -> tuple[str, str]:
    """The text of an event, and words that say where it comes from."""
    if word != "-" and not os.path.exists(word) and not _PATH.fullmatch(word):  # noqa: PTH110 - no path may be too long
        return word, ""
    try:
        if word == "-":
            return guarded.decoded(sys.stdin.buffer.read(guarded.MOST_TEXT)), "on standard input "
        return guarded.text(Path(word)), f"in {word} "
    except guarded.Unreadable as error:
        raise UsageError(f"the event {word} cannot be read: {error}", hint="name a file that holds JSON") from error


def target(
    seen: Sequence[Examination],
    manifests: Sequence[Manifest | None],
    code: Iterable[str],
    python: str | None,
    arch: str | None,
) -> Target:
    """What a function with layers is for: as told, else as the layers' manifests say, else as files suggest, of which
    ``code`` has the paths in the function's own code.

    Raises ``UsageError`` where layers contradict each other.
    """
    known = {one.path.name: target_of(one, told) for one, told in zip(seen, manifests, strict=True) if told}
    pythons, arches = ({wanted(one) for one in known.values()} for wanted in (_python, _arch))
    for values, given, option in ((pythons, python, "--python"), (arches, arch, "--arch")):
        if len(values) > 1 and not given:
            raise UsageError(
                f"the layers are for {' and '.join(sorted(values))}, and a function has one of them",
                hint=f"name layers that are for the same, or say which with {option}",
                details=tuple(f"{name}: {one.label}" for name, one in known.items()),
            )
    guess = next(iter(known.values()), None) or (target_of(seen[0], None) if seen else of_code(code))
    return runtimes.target(python or guess.python, arch or str(guess.arch))


def _python(one: Target) -> str:
    return f"Python {one.python}"


def _arch(one: Target) -> str:
    return str(one.arch)


def of_code(paths: Iterable[str]) -> Target:
    """What code alone is for, as the names of its files say."""
    from layerforge.examine.guess import likely_python

    paths = tuple(paths)
    arm = any("aarch64-linux-gnu" in path for path in paths)
    return runtimes.target(likely_python(paths, ()), "arm64" if arm else "x86_64")


def say_code(code: FunctionCode, layers: Iterable[Examination], found: Iterable[Overlap], progress: Progress) -> None:
    """Says what the code is, and what of it a layer has too, or is one."""
    progress.say(f"code: {code.name}, {counted(len(code.files), 'file')}, {megabytes(code.size)}")
    if code.left_out:
        progress.say(f"not part of the code: {', '.join(code.left_out[:5])}{' and more' * (len(code.left_out) > 5)}")
    for layer in layers:
        if code.name.is_dir() and layer.path.resolve().is_relative_to(code.name.resolve()):
            inside = f"the layer {layer.path} lies in the code, and would be sent to Lambda with it"
            progress.warn(f"{inside}: name the function's folder alone")
    for one in found:
        progress.warn(one.told)


def overlaps_as_data(found: Iterable[Overlap]) -> list[dict[str, Any]]:
    """What stands twice, for JSON."""
    return [
        {
            "name": one.name,
            "imported_from": "code" if one.counts == "the code" else one.counts,
            "version": one.version,
            "hidden_in": one.hidden,
            "hidden_version": one.hidden_version,
            "bytes": one.size,
        }
        for one in found
    ]


def env_of(manifests: Iterable[Manifest | None], given: Mapping[str, str]) -> dict[str, str]:
    """The variables of a function: those of its layers, the last one's first, and those that it is given."""
    merged: dict[str, str] = {}
    for one in manifests:
        merged.update(one.env if one else {})
    return merged | dict(given)


def as_is(answer: str) -> Any:
    """An answer as a value; as text, where it is no JSON."""
    try:
        return json.loads(answer)
    except (ValueError, RecursionError):
        return answer
