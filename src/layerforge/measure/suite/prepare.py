"""A suite made ready: the package's own tests, and the environments that they run in."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from layerforge.build.engine import Builder
from layerforge.core import digest
from layerforge.core.errors import UsageError
from layerforge.core.faults import writing
from layerforge.core.progress import Progress
from layerforge.core.runtimes import Target
from layerforge.core.store.disk import DiskStore
from layerforge.core.text import counted
from layerforge.examine.examination import Examination
from layerforge.examine.unpack import unpack
from layerforge.layer.distributions import Distribution
from layerforge.layer.distributions import recorded as listed
from layerforge.measure.suite import collect, test_tools
from layerforge.measure.suite.collect import Tests
from layerforge.measure.suite.pytest_run import INI, OPT, OPTIONS, TestEnvironment, environment, make_driver, plugin
from layerforge.resolve import lock, locking, sources, unpack_source, uv, uv_install
from layerforge.resolve.errors import LockError
from layerforge.resolve.left_out import LeftOut, by_runtime
from layerforge.resolve.lock import Pin
from layerforge.resolve.sources import Search

SCHEMA = 1
"""Of what the store keeps of runs."""


@dataclass(frozen=True, kw_only=True)
class SuiteRequest:
    """What to prove, and how."""

    examination: Examination
    target: Target
    package: Distribution
    excused: Mapping[str, str]
    """Reason by glob of a test's id."""
    selection: tuple[str, ...]
    """Folders, files or ids of tests below the folder that packages lie in, or expressions as ``pytest -k`` takes."""
    jobs: int
    seconds: float
    """How long each side may take."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Variables that a function with the layer has. The wheels do without: what these name is in the layer."""
    left_out: tuple[LeftOut, ...] = ()
    """What the layer does not hold on purpose; both sides do without."""


@dataclass(frozen=True, kw_only=True)
class PreparedSuite:
    """Everything that both runs need."""

    room: TestEnvironment
    layer: Path
    wheels: Path
    arguments: tuple[str, ...]
    """What to collect."""
    workspace: Path
    name: str
    key: str
    """Digest of all that decides how the suite ends on the wheels."""


def prepare(
    order: SuiteRequest, builder: Builder, store: DiskStore, progress: Progress, workspace: Path
) -> PreparedSuite:
    """Unpacks layer and tests, and makes both environments."""
    package, target, held = order.package, order.target, order.examination.distributions
    site = package.info.rpartition("/")[0]
    layer, wheels, env = (workspace / name for name in ("layer", "wheels", "env"))
    locked = locked_beside(order.examination.path, target)
    pins = wheel_pins(held, locked, target, order.left_out)
    known = next(pin for pin in pins if pin.name == package.name)
    sdist = uv.find_sdist(replace(known, hashes=locked.get(package.name, known).hashes), target)
    with writing(store.root):
        (workspace / "sdist").mkdir()
        source = unpack_source.unpack(
            sources.fetch(sdist, Search(store=store, folders=(), progress=progress)), package.name, workspace / "sdist"
        )
        unpack(order.examination.path, layer)
    with progress.step("install") as step:
        out = [one.name for one in order.left_out]
        uv_install.install(lock.render(pins), target, wheels / site, lambda _line: None, excludes=out)
        step.note(f"{counted(len(pins), 'wheel')} of the index, to compare with")
    needed = test_tools.tools(package, test_tools.metadata_of(wheels / site, package), held, target, progress)
    test_tools.install(needed, held, target, env)
    tests = _add_tests(order, source, layer, wheels, site, progress)
    room = _room(order, builder, tests, site, env, make_driver(workspace / "driver"), store.place("logs"))
    arguments = _arguments(order.selection, tests, wheels / room.root, room.root)
    hashes = [sdist.sha256, *(pin.hashes for pin in (*pins, *needed))]
    key = key_of(order, room, hashes, arguments, tests.files)
    return PreparedSuite(
        room=room, layer=layer, wheels=wheels, arguments=arguments, workspace=workspace, name=package.name, key=key
    )


def key_of(
    order: SuiteRequest,
    room: TestEnvironment,
    hashes: Sequence[str | Sequence[str]],
    arguments: Sequence[str],
    tests: Iterable[str],
) -> str:
    """The key of a run on the wheels: whatever decides how it ends. ``hashes`` are those of sources and wheels."""
    image = room.builder.image.identity
    run = [SCHEMA, image, order.target.label, plugin(), INI, OPTIONS, environment(room)]
    return digest.of_json([order.package.name, hashes, run, arguments, sorted(tests)])


def _room(
    order: SuiteRequest, builder: Builder, tests: Tests, site: str, env: Path, driver: Path, logs: Path
) -> TestEnvironment:
    known = test_tools.FACTS.get(order.package.name)
    return TestEnvironment(
        builder=builder,
        python=order.target.python,
        site=site,
        root=collect.BESIDE if tests.beside else site,
        env=env,
        settings=known.env if known else {},
        beside_runtime=by_runtime(order.left_out),
        driver=driver,
        jobs=order.jobs,
        seconds=order.seconds,
        logs=logs,
    )


def locked_beside(zip_file: Path, target: Target) -> dict[str, Pin]:
    """The pins of the lock beside a zip, by name; none where there is no lock."""
    file = zip_file.with_suffix(".lock")
    if not file.is_file():
        return {}
    text = locking.read(file, "build the layer anew, or remove that file: then the index alone says what is compared")
    return {pin.name: pin for pin in lock.applicable(lock.parse(text, file.name), target)}


def wheel_pins(
    held: Iterable[Distribution], locked: Mapping[str, Pin], target: Target, left_out: Iterable[LeftOut] = ()
) -> tuple[Pin, ...]:
    """The index's wheels of the versions that a layer holds, without what it is without; of the hashes that are locked,
    where any are.

    Raises ``LockError`` where the index has none of them, or others than those that are locked.
    """
    source, out = "\n".join(f"{one.name}=={one.version}" for one in held), tuple(one.name for one in left_out)
    text = uv.compile_lock(uv.Asked(source=source, excludes=out), target)
    return tuple(_within(pin, locked.get(pin.name)) for pin in lock.parse(text, "the layer's packages").pins)


def _within(pin: Pin, locked: Pin | None) -> Pin:
    """A pin with those of its hashes that the lock allows."""
    if locked is None or locked.version != pin.version:
        return pin
    hashes = tuple(one for one in pin.hashes if one in locked.hashes)
    if not hashes:
        raise LockError(
            f"the index has other files of {pin.name} {pin.version} than the lock beside the layer",
            hint="find out why they changed",
        )
    return replace(pin, hashes=hashes)


def _add_tests(order: SuiteRequest, source: Path, layer: Path, wheels: Path, site: str, progress: Progress) -> Tests:
    """Puts the tests into both trees; into the layer's also what they alone use."""
    name = order.package.name
    info = order.package.info.rpartition("/")[2]
    files = test_tools.recorded(wheels / site, name) or [
        path.removeprefix(f"{site}/") for path in listed(order.package)
    ]
    own = [path for path in files if not path.startswith(info)]
    tests = collect.tests_of(source, wheels / site, own, name)
    more = {} if tests.beside else collect.helpers(tests, wheels / site, own, layer / site)
    place = collect.BESIDE if tests.beside else site
    collect.add(tests.files, wheels / place)
    added = collect.add(tests.files, layer / place)
    collect.add(more, layer / site)
    progress.say(f"{counted(added, 'file')} of tests added to the layer, and {counted(len(more), 'module')} for them")
    for path in more:
        progress.say(f"  from the wheel: {path}")
    return tests


def _arguments(selection: Sequence[str], tests: Tests, tree: Path, root: str) -> tuple[str, ...]:
    """What pytest is told to collect. Raises ``UsageError`` for a path that is not there."""
    paths = [one for one in selection if "/" in one or "::" in one or (one and (tree / one).exists())]
    for path in paths:
        file = path.partition("::")[0]
        if not file or file.startswith("/") or ".." in file.split("/") or not (tree / file).exists():
            raise UsageError(
                f"there is no {file or path} among the tests",
                hint=f"paths are below {', '.join(tests.roots)}, such as {tests.roots[0]}/tests",
            )
    words = [f"({_expression(one)})" for one in selection if one not in paths]
    expression = ("-k", " and ".join(words)) if words else ()
    return (*expression, *(f"{OPT}/{root}/{path}" for path in paths or tests.roots))


def _expression(text: str) -> str:
    """The text itself. Raises ``UsageError`` where it is no expression, which pytest would find out in every worker."""
    words = re.sub(r"[^\s()]+", lambda word: word[0] if word[0] in {"and", "or", "not"} else "x", text)
    try:
        # With `~`, a word right before a parenthesis is no call, but as wrong as it is to pytest.
        ast.parse(words.strip().replace("(", "~("), mode="eval")
    except SyntaxError as error:
        raise UsageError(
            f"{text!r} is neither a path among the tests nor an expression",
            hint="expressions are words with and, or, not and parentheses, as `pytest -k` takes them",
        ) from error
    return text
