"""Says which imports could wait, and has them wait without a layer being built. Python 3.10 to 3.15.

Runs where the layer lies at its place, on the target's own CPython, behind ``trace_imports.py``. After this text
``REWRITING`` is set to those of ``module_uses.py`` and ``defer_imports.py``, by their names. A job is a module whose
imports are to wait: ``{"file": "/opt/python/a/b.py", "module": "a.b", "package": false, "defer": ["c"]}``.
"""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

REWRITING: "dict[str, str]" = {}


def rewriter() -> "Any":
    """The module that rewrites, behind that which it imports."""
    for name, text in REWRITING.items():
        module = sys.modules[name] = type(sys)(name)
        exec(compile(text, name + ".py", "exec", dont_inherit=True), vars(module))  # noqa: S102
    return sys.modules["defer_imports"]


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


def unread(jobs: "list[dict[str, Any]]") -> "list[list[str]]":
    """Of each job the modules of whose names nothing in the file is read."""
    rewriter()
    using: Any = sys.modules["module_uses"]
    found = []
    for job in jobs:
        package = job["module"] if job["package"] else job["module"].rpartition(".")[0]
        found.append(using.unread(tree_of(job["file"]), job["defer"], package))
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
