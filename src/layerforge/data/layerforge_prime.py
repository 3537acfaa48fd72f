"""Loads what a layer has wait, and warms it up, before SnapStart takes its snapshot.

Two lines in the module of the handler:

    import layerforge_prime

    layerforge_prime.register()

Lambda calls what is registered for versions with SnapStart alone; anywhere else this costs next to nothing. It is the
same file in every layer, and several layers of a function share it: what each of them has wait stands in the tables
beside it, one for each package. Standard library alone, Python 3.10 to 3.15.
"""

import gc
import importlib
import json
import os
import sys
from collections.abc import Callable, Iterator

HERE = os.path.dirname(__file__)  # noqa: PTH120 - nothing is imported that the runtime has not

_tried: dict[str, str] = {}
"""What was wrong, by the module that was imported; empty where nothing was."""


def register() -> bool:
    """Has Lambda call ``settle`` before it takes a snapshot and ``reseed`` after it restores one.

    Returns whether there is anything to register with: Lambda's own module ``snapshot_restore_py``.
    """
    try:
        hooks = importlib.import_module("snapshot_restore_py")
    except ImportError:
        return False
    hooks.register_before_snapshot(settle)
    hooks.register_after_restore(reseed)
    return True


def settle() -> None:
    """Primes, then has the garbage collector pass over all that is there.

    At some invocation it would else walk through everything that was loaded, and read all of it from the snapshot.
    """
    prime()
    gc.collect()
    gc.freeze()


def prime() -> tuple[str, ...]:
    """Imports what the modules that are loaded have wait, then runs the warm-ups of their packages, each once.

    What Python 3.15 imports lazily (PEP 810) is imported too. Returns what went wrong, a line each, which standard
    error gets as well; nothing is raised.
    """
    tables = list(_tables())
    while ahead := _ahead(tables):
        name = min(ahead, key=lambda one: (one.startswith(f"{__name__}."), one))
        _tried[name] = _attempt(name, _load, name)
    return tuple(filter(None, _tried.values()))


def reseed() -> None:
    """Seeds the shared generators of ``random`` and ``numpy.random`` anew, and the names of temporary files.

    All environments that are restored from one snapshot would draw the same numbers.
    """
    for name in ("random", "numpy.random"):
        if name in sys.modules:
            _attempt(f"{name}.seed", sys.modules[name].seed)
    if "tempfile" in sys.modules:
        vars(sys.modules["tempfile"])["_name_sequence"] = None


def _tables() -> Iterator[tuple[str, list[str]]]:
    """Modules, each with those that are to be imported once it is loaded; a package's warm-up is one of them."""
    for name in sorted(os.listdir(HERE)):  # noqa: PTH208
        if name.endswith(".json"):
            with open(f"{HERE}/{name}", encoding="utf-8") as file:
                yield from json.load(file).items()


def _ahead(tables: list[tuple[str, list[str]]]) -> set[str]:
    """What is to be imported now. Anything that is loaded may have something else wait."""
    waiting = {name for module, names in tables if module in sys.modules for name in names}
    return (waiting | getattr(sys, "lazy_modules", set())) - _tried.keys()


def _load(name: str) -> None:
    """Imports a module, or the one that a name like ``scipy.stats.norm`` stands in."""
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        module, _, last = name.rpartition(".")
        if error.name != name or not hasattr(sys.modules.get(module), last):
            raise


def _attempt(what: str, do: Callable[..., object], *args: str) -> str:
    """Does something that must not keep a function from starting. Returns what went wrong."""
    try:
        do(*args)
    except (Exception, SystemExit) as error:
        why = f"{what}: {type(error).__name__}: {error}"
        print(f"layerforge_prime: {why}", file=sys.stderr, flush=True)
        return why
    return ""
