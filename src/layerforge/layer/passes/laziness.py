"""What is said of imports that recipes make lazy."""

from __future__ import annotations

from collections.abc import Iterator

from layerforge.core.runtimes import Target
from layerforge.resolve.recipe import EVERY_FILE, Bytecode, BytecodeMode


def told(bytecode: Bytecode, target: Target) -> Iterator[str]:
    """``imports are lazy in boto3, pandas (pandas/io/**)``, where recipes make any so and Python can."""
    lazy = {name: rules.lazy for name, rules in sorted(bytecode.packages.items()) if rules.lazy}
    if not lazy or not target.has_lazy_imports or bytecode.mode is BytecodeMode.NONE:
        return
    names = (name if globs == (EVERY_FILE,) else f"{name} ({', '.join(globs)})" for name, globs in lazy.items())
    yield f"imports are lazy in {', '.join(names)}"
