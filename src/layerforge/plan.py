"""Plans: everything that decides a layer's bytes, worked out before anything happens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from layerforge import __version__, digest
from layerforge.model import BytecodeMode, Compression, Interpreter, Pin, Plan, Recipe, Target, WheelStep

SCHEMA = 1
"""Raised whenever the same plan would give other bytes than before."""


def plan(
    recipe: Recipe,
    target: Target,
    pins: Sequence[Pin],
    compression: Compression,
    interpreter: Interpreter | None,
    epoch: int,
) -> Plan:
    """The plan for ``recipe`` on ``target`` from the pins that apply there. ``epoch``: unix seconds."""
    compiles = recipe.bytecode.mode is not BytecodeMode.NONE
    made = Plan(
        recipe=recipe,
        target=target,
        compression=compression,
        interpreter=interpreter.version if interpreter and compiles else "",
        steps=tuple(WheelStep(pin=pin) for pin in pins),
        epoch=epoch,
        key="",
    )
    return replace(made, key=digest.of([SCHEMA, __version__, _decisive(made)]))


def _decisive(made: Plan) -> dict[str, Any]:
    """What decides the bytes. The check does not, and neither does the folder that the recipe lies in."""
    facts = as_json(made)
    facts["recipe"].pop("budget")
    return facts


def as_json(made: Plan) -> dict[str, Any]:
    """The plan as data for JSON."""
    recipe = made.recipe
    return {
        "name": recipe.name,
        "python": made.target.python,
        "arch": str(made.target.arch),
        "glibc": ".".join(map(str, made.target.runtime.glibc)),
        "interpreter": made.interpreter,
        "compression": str(made.compression),
        "epoch": made.epoch,
        "recipe": {
            "requires": list(recipe.requires),
            "budget": asdict(recipe.budget),
            "bytecode": _plain(asdict(recipe.bytecode)),
            "prune": _plain(asdict(recipe.prune)),
        },
        "steps": [
            {
                "step": "wheel",
                "name": step.pin.name,
                "version": step.pin.version,
                "address": step.pin.address,
                "hashes": list(step.pin.hashes),
            }
            for step in made.steps
        ],
        "key": made.key,
    }


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}
