"""Says what compiling will cost, and asks before it takes long."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from typing import TextIO

import click

from layerforge.build.cost import Cost, StepCost
from layerforge.build.durations import Basis
from layerforge.core.errors import UsageError
from layerforge.core.text import duration

LONG = 10 * 60.0
"""Seconds of compiling from which on a person is asked."""


class Answer(StrEnum):
    """What a person wants instead of waiting, or not."""

    COMPILE = "y"
    WHEELS = "w"
    STOP = "n"


_ANSWERS = {"": Answer.COMPILE, "yes": Answer.COMPILE, "wheels": Answer.WHEELS, "no": Answer.STOP} | {
    str(answer): answer for answer in Answer
}


def told(found: Cost) -> Iterator[str]:
    """Lines on what will be compiled, what the store has, and how long all that takes; none where nothing compiles."""
    kept = ", ".join(one.name for one in found.kept)
    if found.compiled:
        often = "compiles twice" if found.times > 1 else "compiles"
        yield f"{often} {', '.join(map(_timed, found.compiled))}"
    if kept:
        yield f"from the store: {kept}"
    if found.times * len(found.compiled) > 1 and found.seconds:
        more = ", ".join(one.name for one in found.unknown)
        yield f"about {duration(found.seconds)} in all" + (f", and what {more} may take" if more else "")


def _timed(one: StepCost) -> str:
    if one.expected is None:
        return f"{one.name} (nobody knows how long)"
    text = duration(one.expected.duration.seconds)
    return f"{one.name} ({f'{text} last time' if one.expected.basis is Basis.MEASURED else f'about {text}'})"


def is_long(found: Cost) -> bool:
    """Whether a person should be asked."""
    return found.seconds > LONG


def can_ask(environment: Mapping[str, str], *streams: TextIO) -> bool:
    """Whether a person is there to answer: at a terminal, and not in a CI job that pretends to have one."""
    return all(one.isatty() for one in streams) and environment.get("CI", "") in {"", "0", "false"}


def reader(*, settled: bool) -> Callable[[], str] | None:
    """What reads a person's answer where nothing is ``settled`` and one is there to give it."""
    return None if settled or not can_ask(os.environ, sys.stdin, sys.stderr) else input


def ask(found: Cost, read: Callable[[], str]) -> Answer:
    """What a person wants. Raises ``UsageError`` where the terminal ends without an answer."""
    while True:
        question = f"Compile now, for about {duration(found.seconds)}? [Y]es, [w]heels in seconds, [n]o: "
        click.echo(question, nl=False, err=True)
        try:
            said = read().strip().lower()
        except EOFError:
            click.echo(err=True)
            raise UsageError(
                "the question whether to compile got no answer",
                hint="--compile compiles without asking, --wheels takes wheels",
            ) from None
        if answer := _ANSWERS.get(said):
            return answer
