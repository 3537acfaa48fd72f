"""Options that several commands share."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
from packaging.utils import canonicalize_name

from layerforge.build import interpreters
from layerforge.build.interpreters import Interpreter
from layerforge.build.options import Options
from layerforge.cli.wishes import Targets
from layerforge.core import runtimes
from layerforge.core.errors import UsageError
from layerforge.core.progress import Progress
from layerforge.core.runtimes import Arch, Target
from layerforge.core.store import disk
from layerforge.layer.archive import EARLIEST, LATEST
from layerforge.resolve import pythons
from layerforge.resolve.catalogue import Catalogue, catalogue, recipes_in, refuse_misnamed
from layerforge.resolve.fit import Fit
from layerforge.resolve.recipe import BytecodeMode, Compression, Docstrings
from layerforge.resolve.recipe_file import FILE

Command = TypeVar("Command", bound=Callable[..., Any])
DEFAULT_PYTHON = pythons.DEFAULT
AUTO = "auto"
"""The word for a compression that is left to the size of the layer."""


_DECISIVE = (
    "compression",
    "fit",
    "bytecode",
    "docstrings",
    "from_source",
    "leave_out",
    "build_here",
    "jobs",
    "wheels",
    "twice",
)
"""Options that decide how a layer is made, beside where it goes and whether it is verified."""


class Named(click.ParamType[str]):
    """A name that help shows the choices of, and that others may write otherwise. The target's maker refuses it."""

    def __init__(self, name: str, choices: Callable[[], Iterable[str]], plain: Callable[[str], str]) -> None:
        self.name = name
        self._choices = choices
        self._plain = plain

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:  # noqa: ARG002
        """The choices, as click shows them."""
        return f"[{'|'.join(self._choices())}]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:  # noqa: ARG002
        """Lambda's word for it."""
        return self._plain(str(value))


class Several(Named):
    """Names with commas between them."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Lambda's word for each."""
        words = value if isinstance(value, tuple) else str(value).split(",")
        return tuple(Named.convert(self, word.strip(), param, ctx) for word in words)


PYTHON = Named("python", runtimes.runtimes, runtimes.lambdas_python)
ARCH = Named("arch", lambda: map(str, Arch), runtimes.lambdas_arch)
PYTHONS = Several("python", runtimes.runtimes, runtimes.lambdas_python)
ARCHES = Several("arch", lambda: map(str, Arch), runtimes.lambdas_arch)


def targets_argument(command: Command) -> Command:
    """What a layer is asked for with: words, and ``-r`` for files as pip takes them."""
    named = click.argument("targets", nargs=-1, metavar="[TARGET]...")
    files = click.option(
        "-r",
        "--requirements",
        multiple=True,
        metavar="FILE",
        callback=_with_files,
        expose_value=False,
        type=click.Path(),
        help="A requirements file; the same as naming it as TARGET. Repeatable.",
    )
    return named(files(command))


def _with_files(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> None:  # noqa: ARG001
    # A word without a slash could be a requirement, and what follows -r is a file.
    ctx.meta[_FILES] = tuple(name if os.sep in name else f".{os.sep}{name}" for name in value)


_FILES = "layerforge.files"


def asked(targets: tuple[str, ...]) -> tuple[str, ...]:
    """Everything that layers are asked for with."""
    return (*targets, *click.get_current_context().meta.get(_FILES, ()))


def target_options(command: Command) -> Command:
    """``--python`` and ``--arch``."""
    python = click.option("--python", type=PYTHON, default=DEFAULT_PYTHON, show_default=True, help="Lambda's Python.")
    arch = click.option("--arch", type=ARCH, default=str(Arch.X86_64), show_default=True, help="Lambda's processor.")
    return python(arch(command))


def every_target_option(command: Command) -> Command:
    """``--python`` and ``--arch`` of a command that makes layers for several at once."""
    python = click.option(
        "--python",
        "pythons",
        type=PYTHONS,
        multiple=True,
        help="Lambda's Python; several with commas, or repeatable.  "
        f"[default: the newest inside the project's requires-python, else {DEFAULT_PYTHON}]",
    )
    arch = click.option(
        "--arch",
        "arches",
        type=ARCHES,
        multiple=True,
        default=[str(Arch.X86_64)],
        show_default=True,
        help="Lambda's processor; several with commas, or repeatable.",
    )
    return python(arch(command))


def function_options(known: str) -> Callable[[Command], Command]:
    """``--python`` and ``--arch`` of the function that a zip is for, whose own are ``known`` from what is named."""
    python = click.option("--python", type=PYTHON, help=f"Python of the function.  [default: {known}]")
    arch = click.option("--arch", type=ARCH, help=f"Processor of the function.  [default: {known}]")
    return lambda command: python(arch(command))


FILES = "what the files point to"
MANIFEST = f"the manifest's, else {FILES}"
"""Where a zip's Python and processor are known from."""


def known_recipes(folders: Sequence[Path]) -> Catalogue:
    """The recipes that a build knows. Raises ``UsageError`` where a folder that is named holds none."""
    for folder in folders:
        if not recipes_in(folder):
            itself = (folder / FILE).exists()
            hint = "it is a recipe itself: name the folder that it lies in" if itself else ""
            raise UsageError(f"{folder} holds no recipes", hint=hint or f"each is a folder in it with a {FILE}")
        refuse_misnamed(folder)
    return catalogue(*folders)


def json_option(command: Command) -> Command:
    """``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Machine-readable output on standard output.")(command)


def target(python: str, arch: str) -> Target:
    """The target that the options name."""
    return runtimes.target(python.removeprefix("python"), arch)


def targets(pythons: Iterable[Sequence[str]], arches: Iterable[Sequence[str]]) -> Targets:
    """The targets that the options name. Raises ``UsageError`` for a Python or processor that Lambda does not run."""
    names = [tuple(dict.fromkeys(word for words in given for word in words)) for given in (pythons, arches)]
    known = [target(python, arch) for python in names[0] or (DEFAULT_PYTHON,) for arch in names[1]]
    return Targets(
        pythons=tuple(dict.fromkeys(one.python for one in known)) if names[0] else (),
        arches=tuple(dict.fromkeys(one.arch for one in known)),
    )


def decisive(given: Mapping[str, Any]) -> dict[str, Any]:
    """What ``options`` takes of the options of a command that makes layers."""
    found = {name: given[name] for name in _DECISIVE if name in given}
    return found | {"output": given["output"], "verify": not given["no_verify"]}


def options(
    layer_target: Target,
    interpreter: Interpreter | None,
    *,
    compression: str,
    bytecode: str | None,
    docstrings: str | None,
    from_source: tuple[str, ...],
    leave_out: tuple[str, ...],
    jobs: int,
    wheels: bool,
    output: Path,
    verify: bool,
    fit: Fit | None = None,
    build_here: bool = False,
    twice: bool = False,
) -> Options:
    """The options of a build for one target."""
    return Options(
        target=layer_target,
        interpreter=interpreter,
        compression=None if compression == AUTO else Compression(compression),
        output=output,
        epoch=source_date_epoch(),
        bytecode=BytecodeMode(bytecode) if bytecode else None,
        docstrings=Docstrings(docstrings) if docstrings else None,
        fit=fit,
        verify=verify,
        from_source=tuple(canonicalize_name(name) for name in from_source),
        wheels=wheels,
        leave_out=tuple(canonicalize_name(name) for name in leave_out),
        build_here=build_here,
        jobs=jobs,
        twice=twice,
    )


def interpreter_of(python: str, bytecode: str | None, progress: Progress) -> Interpreter | None:
    """A CPython for a target. Where bytecode takes one that is not here, uv gets it."""
    if bytecode == BytecodeMode.NONE:
        return interpreters.find(python, own=disk.pythons())
    return interpreters.find_or_fetch(python, disk.pythons(), progress)


def refuse_both(wheels: bool, compiles: bool, from_source: tuple[str, ...]) -> None:  # noqa: FBT001
    """Raises ``UsageError`` where wheels are asked for and compiling too."""
    other = "--compile" if compiles else "--from-source" if from_source else ""
    if wheels and other:
        raise UsageError(f"--wheels and {other} contradict each other", hint="leave one of the two out")


def refuse_twice(twice: bool, cluster: str | None) -> None:  # noqa: FBT001
    """Raises ``UsageError`` where layers are to be made twice by a cluster."""
    if twice and cluster:
        raise UsageError(
            "--verify-twice makes layers in two empty stores of this machine, which workers do not have",
            hint="leave --cluster out",
        )


def source_date_epoch() -> int:
    """The date that every entry gets: ``SOURCE_DATE_EPOCH``, else the oldest that a zip can hold."""
    text = os.environ.get("SOURCE_DATE_EPOCH", str(EARLIEST))
    if not text.isdecimal() or int(text) > LATEST:
        raise UsageError(
            f"SOURCE_DATE_EPOCH is {text!r}", hint="it takes seconds since 1970, such as 1735689600, until 2107"
        )
    return max(int(text), EARLIEST)
