"""Says which imports could wait, and has them wait without a layer being built. Python 3.10 to 3.15.

Runs where the layer lies at its place, on the target's own CPython, behind ``trace_imports.py``. After this text
``DEFER`` is set to that of ``defer_imports.py``. A job is a module whose imports are to wait: ``{"file":
"/opt/python/a/b.py", "module": "a.b", "package": false, "defer": ["c"]}``.
"""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

DEFER = ""


def rewriter() -> "Any":
    """The module that rewrites."""
    module = type(sys)("defer_imports")
    sys.modules["defer_imports"] = module
    exec(compile(DEFER, "defer_imports.py", "exec", dont_inherit=True), vars(module))  # noqa: S102
    return module


def tree_of(file: str) -> "Any":
    """The syntax tree of a source."""
    with open(file, "rb") as opened:
        return compile(opened.read(), file, "exec", 0x400, dont_inherit=True)


def waiting(rewrite: "Any", job: "dict[str, Any]") -> "Any":
    """The tree of a module whose imports wait. Raises what ``deferred`` raises, ``OSError`` and ``SyntaxError``."""
    return rewrite.deferred(tree_of(job["file"]), job["defer"], module=job["module"], is_package=job["package"])


def reasons(jobs: "list[dict[str, Any]]") -> "list[tuple[int, int, str]]":
    """The numbers of the jobs that cannot be done, each with the line and the reason, the first of all."""
    rewrite = rewriter()
    found = []
    for number, job in enumerate(jobs):
        try:
            waiting(rewrite, job)
        except rewrite.CannotWait as error:
            found.append((number, error.line, error.why))
        except (OSError, SyntaxError, ValueError, RecursionError) as error:
            found.append((number, 0, f"its source cannot be read: {error}"))
    return found


def defer(jobs: "list[dict[str, Any]]") -> None:
    """Has the imports of the jobs wait in what is loaded from now on. Leaves nothing loaded that was not before."""
    before = set(sys.modules)
    import importlib.machinery
    import marshal

    rewrite = rewriter()
    codes = {}
    for job in jobs:
        tree = waiting(rewrite, job)
        codes[job["module"]] = marshal.dumps(compile(tree, job["file"], "exec", dont_inherit=True, optimize=0))
    loader: Any = importlib.machinery.SourceFileLoader
    load, read = loader.get_code, marshal.loads

    def get_code(self: "Any", name: str) -> "Any":
        return read(codes[name]) if name in codes else load(self, name)

    loader.get_code = get_code
    for name in set(sys.modules) - before:
        del sys.modules[name]
