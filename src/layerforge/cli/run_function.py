"""``layerforge run``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import click

from layerforge.build import interpreters, runtime_packages
from layerforge.build.errors import EngineError
from layerforge.build.function import LONGEST_TIMEOUT, FunctionCall, Invoker
from layerforge.cli import code_options, engines, function_told, sharing, terminal
from layerforge.cli import options as shared
from layerforge.cli.consent import require_trust
from layerforge.cli.function_layers import read
from layerforge.cli.function_told import Subject
from layerforge.core.errors import LayerforgeError, UsageError
from layerforge.core.limits import FULL_CPU_MB, LARGEST_MB, SMALLEST_MB
from layerforge.core.progress import Mark, Progress
from layerforge.core.store.disk import DiskStore, pythons
from layerforge.examine import handlers, stacked
from layerforge.examine.function_code import function_code, no_code
from layerforge.examine.overlaps import overlaps
from layerforge.layer.imports import imported
from layerforge.resolve import left_out

SECONDS = 30
"""Of an invocation, where nobody says otherwise."""


@click.command("run")
@click.argument("layers", metavar="[LAYER...]", nargs=-1, type=click.Path(path_type=Path))
@code_options.code_option
@click.option("--handler", metavar="MODULE.FUNCTION", help="What is invoked, as Lambda's configuration has it.")
@click.option("--event", metavar="FILE|JSON|-", default="{}", show_default=True, help="What it is invoked with.")
@code_options.env_option
@click.option(
    "--memory",
    type=click.IntRange(SMALLEST_MB, LARGEST_MB),
    default=FULL_CPU_MB,
    show_default=True,
    metavar="MB",
    help="Memory of the function.",
)
@click.option(
    "--timeout",
    type=click.IntRange(1, LONGEST_TIMEOUT),
    default=SECONDS,
    show_default=True,
    metavar="SECONDS",
    help="Time of the invocation.",
)
@shared.function_options(shared.MANIFEST)
@click.option(
    "--engine", type=click.Choice(engines.CHOICES), default="auto", show_default=True, help="Where to run it."
)
@click.option("--image", help="Container image to run it in.  [default: Lambda's own]")
@click.option("--trust", is_flag=True, help="Run the code of layers that were made elsewhere on this machine.")
@shared.json_option
def command(
    layers: tuple[Path, ...],
    code: Path | None,
    handler: str | None,
    event: str,
    variables: tuple[str, ...],
    memory: int,
    timeout: int,
    python: str | None,
    arch: str | None,
    engine: str,
    image: str | None,
    trust: bool,  # noqa: FBT001
    as_json: bool,  # noqa: FBT001
) -> None:
    """Invoke a function once with its LAYERs, zips in Lambda's order, as Lambda would. There is no network.

    Without --code the handler lies in a layer.

    The answer goes to standard output; what the function logs, its times and its memory to standard error. Exits 7
    where the function fails.

    A layer that was not built on this machine is run in a container only; where there is none, --trust runs its code
    here, with bounds, and as far apart from the rest as the kernel allows.
    """
    stacked.refuse_many(layers)
    data, own = code_options.event_of(event), code_options.variables_of(variables)
    progress = terminal.progress()
    store = sharing.near_store(progress)
    with store.workspace() as workspace:
        subject = _subject(layers, code, workspace, (python, arch), progress)
        name = handler_of(handler, subject)
        where = _engine(engine, image, subject, memory, own, progress)
        require_trust(subject.seen, where, store, trust=trust)
        stacked.stack(subject.seen, workspace / "opt", workspace)
        call = FunctionCall(
            target=subject.target,
            opt=workspace / "opt",
            code=subject.code.folder,
            handler=name,
            event=data,
            memory=memory,
            timeout=timeout,
            env=code_options.env_of(subject.manifests, own),
            runtime=_runtime(where, subject, store, progress),
        )
        with progress.step("run") as step:
            answer = where.invoke(call)
            step.note(function_told.times(answer, call), Mark.BAD if answer.failure else Mark.GOOD)
        function_told.show(answer, call, subject, where, progress, as_json=as_json)


def _subject(
    layers: Sequence[Path], code: Path | None, workspace: Path, given: tuple[str | None, str | None], progress: Progress
) -> Subject:
    """The function and its layers, as far as they can be known without running anything. Without code of its own the
    handler lies in a layer. Raises ``UsageError`` where there is neither.
    """
    if code is None and not layers:
        raise UsageError(
            "--code is missing", hint="name the function's folder or zip: --code DIR --handler app.handler"
        )
    theirs = read(layers, progress)
    own = function_code(code, workspace / "code", theirs.seen) if code else no_code(workspace / "code")
    target = code_options.target(theirs.seen, theirs.manifests, own.paths, *given)
    twice = overlaps(own, theirs.seen)
    if code:
        code_options.say_code(own, theirs.seen, twice, progress)
    return Subject(target=target, seen=theirs.seen, manifests=theirs.manifests, code=own, twice=twice)


def handler_of(handler: str | None, subject: Subject) -> str:
    """The handler that is named. Raises ``UsageError`` where none is, or where it cannot be one."""
    if handler is None:
        known = handlers.suggested("", subject.code)
        hint = f"such as --handler {known[0]}, which is there" if known else handlers.FORM
        raise UsageError("--handler is missing", hint=hint)
    handlers.require(handler, subject.code, subject.seen)
    return handler


def _engine(
    name: str, image: str | None, subject: Subject, memory: int, own: Iterable[str], progress: Progress
) -> Invoker:
    """Where the function is run. Raises ``EngineError`` where it cannot be."""
    interpreter = interpreters.find(subject.target.python, own=pythons())
    where = engines.choose(name, image, subject.target, interpreter, progress, memory).engine
    assert isinstance(where, Invoker), "both engines are"
    if where.name == "host" and (ignored := code_options.ignored_on_host(own)):
        progress.warn(f"--env {', '.join(ignored)} counts in a container alone")
    if refusal := where.refusal(subject.target):
        raise EngineError(
            f"the function cannot be run here: {refusal}",
            hint="it takes a container engine and an image for this Python and processor; see `layerforge doctor`",
        )
    return where


def _runtime(where: Invoker, subject: Subject, store: DiskStore, progress: Progress) -> Path | None:
    """Where the packages of Lambda's own Python lie, where the engine has none and the function counts on them."""
    if where.name != "host" or not counts_on_runtime(subject):
        return None
    try:
        return runtime_packages.folder_for(subject.target, store, progress)
    except LayerforgeError as error:
        progress.warn(f"the packages of Lambda's own Python, such as boto3, cannot be had: {error.message}")
        return None


def counts_on_runtime(subject: Subject) -> bool:
    """Whether a layer was built without what the runtime has, or the code imports some of that."""
    if any(left_out.by_runtime(one.left_out) for one in subject.manifests if one):
        return True
    wanted = subject.target.runtime.packages
    sources = ((path, subject.code.read(path)) for path in subject.code.paths if path.endswith(".py"))
    return any(name.partition(".")[0] in wanted for path, text in sources if text for name in imported(text, path))
