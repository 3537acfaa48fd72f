"""The rules as data: what each is called, how bad it is, and what to do about it. ``docs/rules.md`` explains them."""

from __future__ import annotations

from dataclasses import dataclass

from layerforge.core.findings import Finding, Severity
from layerforge.core.runtimes import Target
from layerforge.resolve.layer_spec import LayerSpec
from layerforge.resolve.recipe import BytecodeMode

ERROR, WARNING = Severity.ERROR, Severity.WARNING


@dataclass(frozen=True, kw_only=True)
class Expect:
    """What a layer is held against."""

    target: Target
    spec: LayerSpec | None = None
    bytecode: BytecodeMode | None = None
    """How its modules were to be compiled; ``None`` for a layer of unknown make."""
    uncompilable: frozenset[str] = frozenset()
    """Paths of sources that the target's own Python could not compile, such as templates; the build knows them."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One rule. Its severities stand with the usual one first; a finding may have any of them."""

    id: str
    title: str
    severities: tuple[Severity, ...]
    hint: str


def _rule(rule: str, title: str, *severities: Severity, hint: str) -> Rule:
    return Rule(id=rule, title=title, severities=severities, hint=hint)


RULES_TABLE: tuple[Rule, ...] = (
    _rule(
        "LF101",
        "Needs a newer system library",
        ERROR,
        hint="install an older version of the package, or a wheel for an older manylinux, or choose a newer runtime",
    ),
    _rule(
        "LF102",
        "Native code for another machine",
        ERROR,
        hint="install the wheels for the function's own platform; `layerforge build --arch` does",
    ),
    _rule(
        "LF103",
        "A needed library is missing",
        ERROR,
        hint="put the library into the layer's lib/ folder, or let the container engine ship its own "
        "(`system = [...]` in a recipe), or, if nothing imports this file, leave the file out",
    ),
    _rule(
        "LF104",
        "Searches for libraries outside the layer",
        WARNING,
        hint="compile with an RPATH that begins with $ORIGIN, or with none: lib/ is searched anyway",
    ),
    _rule(
        "LF105",
        "The same library twice",
        WARNING,
        ERROR,
        hint="keep one copy in lib/; make other names of it symbolic links, and pack them as links (`zip --symlinks`)",
    ),
    _rule(
        "LF106",
        "Damaged native code",
        ERROR,
        hint="put the file of the wheel back: `strip` and `patchelf` damage files that were patched before",
    ),
    _rule(
        "LF107",
        "Extension module for another Python",
        ERROR,
        hint="install the wheels for the function's own Python; `layerforge build --python` does",
    ),
    _rule(
        "LF201",
        "Modules without bytecode",
        WARNING,
        ERROR,
        hint="build with `layerforge build --bytecode beside`: every cold start compiles these modules again",
    ),
    _rule(
        "LF202",
        "Stale bytecode",
        WARNING,
        ERROR,
        hint="compile with unchecked-hash bytecode, as `layerforge build` does, or leave the .pyc files out",
    ),
    _rule(
        "LF203",
        "Bytecode that this Python cannot use",
        WARNING,
        ERROR,
        hint="compile with the function's own Python, or leave the .pyc files out",
    ),
    _rule(
        "LF204",
        "Bytecode with the paths of another place",
        WARNING,
        hint="compile with the path under /opt/python, as `layerforge build` does (`compileall -s . -p /opt`)",
    ),
    _rule(
        "LF205",
        "Missing package metadata",
        WARNING,
        ERROR,
        hint="keep the .dist-info folders: they take little, and `importlib.metadata` needs them",
    ),
    _rule(
        "LF206",
        "RECORD does not tell the truth",
        WARNING,
        hint="remove files with a tool that writes RECORD anew, as `layerforge build` does",
    ),
    _rule(
        "LF207",
        "A .pth file that Lambda ignores",
        WARNING,
        hint="check that the package works without it, then leave it out",
    ),
    _rule(
        "LF301",
        "Above Lambda's size limit",
        ERROR,
        hint="leave a package out, split them over two functions, try `--bytecode only`, or use a container image",
    ),
    _rule(
        "LF303",
        "Above the recipe's budget",
        ERROR,
        hint="`layerforge inspect` shows what is large; if the growth is right, raise the recipe's budget",
    ),
    _rule(
        "LF304",
        "Not readable on Lambda",
        ERROR,
        hint="`chmod -R a+rX` the folder before you zip it, or build with `layerforge build`",
    ),
    _rule(
        "LF305",
        "A symbolic link that leads nowhere",
        ERROR,
        hint="put the link's target into the layer, or the file itself in place of the link",
    ),
    _rule(
        "LF306",
        "Not laid out as a layer",
        ERROR,
        WARNING,
        hint="put packages below python/, libraries into lib/ and programs into bin/, at the top of the zip",
    ),
    _rule(
        "LF307",
        "Unsafe file name",
        ERROR,
        hint="make the zip again on Linux or macOS, from inside the folder, with relative names",
    ),
    _rule(
        "LF308",
        "A program that nothing starts",
        WARNING,
        hint="have its first line name an interpreter that Lambda has, as /bin/sh or /var/lang/bin/python3, or put the "
        "interpreter into the layer's bin/ folder; `layerforge build` mends programs in Python",
    ),
    _rule(
        "LF310",
        "The same path in two layers",
        ERROR,
        WARNING,
        hint="put packages that bring the same files into one layer, as `layerforge split` does",
    ),
    _rule(
        "LF401",
        "A module cannot be imported",
        ERROR,
        hint="the lines above name the cause; a missing module belongs into the requirements",
    ),
    _rule(
        "LF402",
        "The check failed",
        ERROR,
        hint="run check.py against the same packages, to see whether the layer or the check is wrong",
    ),
    _rule(
        "LF403",
        "The check crashed",
        ERROR,
        hint="native code does not fit together or does not suit the processor; try the wheels of one source only",
    ),
    _rule(
        "LF404",
        "The check took too long",
        ERROR,
        hint="shorten check.py, or name fewer imports in the recipe's [check]",
    ),
    _rule(
        "LF405",
        "A test of the package fails on this layer alone",
        ERROR,
        hint="mend what the layer does otherwise, or list the test with the reason in the recipe's [check.excused]",
    ),
    _rule(
        "LF406",
        "A test of the package is missing on this layer",
        ERROR,
        hint="its module skips itself or its parameters are others; if that is right, list it in [check.excused]",
    ),
    _rule(
        "LF407",
        "The package's tests did not come to an end",
        ERROR,
        hint="give them longer with --time-limit, or run a part with --select; the log of the run says more",
    ),
    _rule(
        "LF408",
        "The init phase takes too long",
        WARNING,
        hint="import fewer modules at the top of the function, and others where they are used; `--docstrings drop` "
        "and more memory make each import shorter",
    ),
    _rule(
        "LF409",
        "Not enough memory for the check",
        ERROR,
        hint="name more with `layerforge verify --memory`, and give the function as much; or import and check less",
    ),
)
"""Every rule, sorted."""

_BY_ID = {rule.id: rule for rule in RULES_TABLE}


def finding(rule: str, path: str, message: str, *, severity: Severity | None = None, hint: str = "") -> Finding:
    """A finding of ``rule``, with the rule's usual severity and hint unless they are given."""
    row = _BY_ID[rule]
    severity = severity or row.severities[0]
    assert severity in row.severities, f"{rule} has no {severity}"
    return Finding(rule=rule, severity=severity, path=path, message=message, hint=hint or row.hint)


def named(paths: tuple[str, ...], most: int = 3) -> str:
    """The first few of ``paths`` for a message: ``a.py, b.py and 7 more``."""
    more = f" and {len(paths) - most:,} more" if len(paths) > most else ""
    return ", ".join(paths[:most]) + more
