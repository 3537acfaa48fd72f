"""Several finished layers held against every rule as the one function has them, whoever made them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from layerforge.build.engine import Engine
from layerforge.build.runtime_packages import Provided
from layerforge.core.errors import UsageError
from layerforge.core.runtimes import Target
from layerforge.examine.examination import Examination
from layerforge.examine.union import union
from layerforge.report.manifest import Manifest
from layerforge.resolve import function_variables
from layerforge.resolve.function_variables import Disagreement
from layerforge.resolve.layer_spec import LayerSpec
from layerforge.resolve.recipe import Bytecode, BytecodeMode, checks_together
from layerforge.verify import verifying
from layerforge.verify.rules_table import Expect
from layerforge.verify.unions import same_paths
from layerforge.verify.verdict import Verdict


def expected(manifests: Sequence[Manifest | None], target: Target) -> Expect:
    """What layers are held against together: the rules, and all that the manifests of some promise.

    Raises ``UsageError`` where two layers want different values of a variable.
    """
    found = [one for one in manifests if one is not None]
    if not found:
        return Expect(target=target)
    there = {package.name for one in found for package in one.packages}
    out = {left.name: left for one in found for left in one.left_out if left.name not in there}
    modes = {one.bytecode.mode for one in found}
    spec = LayerSpec(
        name=" + ".join(one.name for one in found),
        requires=tuple(dict.fromkeys(text for one in found for text in one.requires)),
        left_out=tuple(out.values()),
        bytecode=compiled(one.bytecode for one in found),
        check=checks_together(one.check for one in found),
        env=variables([(one.name, one.env) for one in found]),
    )
    return Expect(
        target=target,
        spec=spec,
        bytecode=modes.pop() if len(modes) == 1 and len(found) == len(manifests) else None,
        uncompilable=frozenset(path for one in found for path in one.uncompilable),
    )


def variables(wanted: Sequence[tuple[str, Mapping[str, str]]]) -> dict[str, str]:
    """The variables of a function with all its layers, by name. Raises ``UsageError`` where two want other values."""
    try:
        return function_variables.together(wanted)
    except Disagreement as error:
        raise UsageError(
            f"the layers {error.owners} want different values of {error.name}",
            hint="a function has one: let two functions have the packages",
            details=error.details,
        ) from error


def compiled(layers: Iterable[Bytecode]) -> Bytecode:
    """How the modules of several layers are compiled, package by package; without those of layers that have none."""
    have = (one for one in layers if one.mode is not BytecodeMode.NONE)
    return Bytecode(packages={name: rules for one in have for name, rules in one.packages.items()})


def verify_together(
    parts: Sequence[Examination],
    expect: Expect,
    engine: Engine,
    workspace: Path,
    beside: Provided,
    *,
    unrun: str,
    unneeded: Collection[str] = (),
) -> Verdict:
    """The verdict on several archives, which are laid over one another in their order, as Lambda does below ``/opt``.

    They are run beside what Lambda has. ``unrun`` is why their code is not to be run, ``unneeded`` are packages that
    are not imported.
    """
    whole = union(parts, workspace / "together.zip")
    return verifying.verify(
        whole,
        expect,
        engine,
        workspace,
        advice=(),
        unrun=unrun,
        runtime=beside.folder,
        known=tuple(same_paths(parts)),
        unneeded=unneeded,
    )
