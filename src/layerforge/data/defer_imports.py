"""Rewrites a module's syntax tree so that imports wait until something uses what they bring.

Standard library and ``module_uses`` alone; runs on the CPython of the target (3.10 to 3.15), as that does.

``from scipy import stats`` at the top of a module goes, and every function that reads ``stats`` as a global begins with

    global stats
    try:
        stats
    except NameError:
        from scipy import stats

which costs next to nothing from the second call on, lets whoever puts something else into the module's ``stats`` have
it, and holds for lambdas, comprehensions, classes and functions inside. Where the import stood a ``__getattr__`` of the
module serves whoever asks the module for the name. Everything that is added has the line of the import.

Where another ``import scipy`` stays beside ``import scipy.stats``, it is the attribute that is looked for,
``scipy.stats``, in the functions that read it.
"""

from __future__ import annotations

import ast
import builtins
import copy
import difflib
import functools
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import CodeType
from typing import Any

if "." in __name__:
    from layerforge.data import module_uses as using
else:  # on its own in the target's Python, where whoever loads this has loaded that before
    import module_uses as using  # type: ignore[import-not-found,no-redef]


NEEDED = ("NameError", "AttributeError", "__import__")
"""Names that what is added has to find among the builtins."""

BUILTINS = frozenset((*vars(builtins), "copyright", "credits", "exit", "help", "license", "quit"))
"""Python's own names, and those that ``site``, which does not run here, puts beside them: a function that reads one
finds it, whether or not the module's own was imported yet.
"""

ASKED = "layerforge_asked"
"""What the function that serves names calls the one that it is asked for: such as no module has."""

BY_TEXT = ("eval", "exec", "globals")
"""Builtins by which code gets at names that the compiler does not see."""

LISTING = ("dir", "locals", "vars")
"""Builtins that tell the names of a module where it calls them without arguments while it loads."""

OF_MODULE = (using.LOADS, "by a decorator", "by a default value", "by a base class")
"""How an expression comes to be evaluated that has no names of its own."""

HANDED = ("__import__", "eval", "exec", "update")
"""What may be given all variables of the module: it asks for none by itself."""

COMPILING = frozenset(("cfunc", "guvectorize", "jit", "njit", "script", "stencil", "vectorize"))
"""Decorators that read a function's code, and know of no imports in it."""


PYTHONS = frozenset(
    "__all__ __annotations__ __builtins__ __class__ __dict__ __dir__ __doc__ __file__ __getattr__ __loader__ __name__ "  # noqa: SIM905
    "__package__ __path__ __spec__".split()
)
"""Names of a module that Python itself reads."""


class CannotWait(ValueError):  # noqa: N818 - says why an import stays where it is
    """An import cannot wait. ``line`` and ``why`` are those of the first reason, ``problems`` has every one.

    The line is 0 where none tells more than another.
    """

    def __init__(self, line: int, why: str, problems: Sequence[tuple[int, str]] = ()) -> None:
        super().__init__(f"line {line}: {why}" if line else why)
        self.line = line
        self.why = why
        self.problems = tuple(problems) or ((line, why),)


@dataclass
class Waiting:
    """A name that waits, and the imports that bind it."""

    name: str
    imports: list[using.Import] = field(default_factory=list)
    """Each of this name alone, where it stood; several only where they are like ``import a.b`` and ``import a.c``."""
    stays: bool = False
    """Whether another import binds the name, such as ``import a``, so that attributes alone are waited for."""
    child: bool = False
    """Whether it is a module of the package itself."""
    implied: bool = False
    """Whether no statement names it: a module of the package becomes a name of the package when it is loaded."""

    @property
    def line(self) -> int:
        """Of its first import."""
        return self.imports[0].lineno

    def needed_for(self, chain: using.Chain) -> bool:
        """Whether what is read of the name may need one of its imports."""
        return not self.stays or any(using.alike(chain, using.dotted(one)) for one in self.imports)

    @property
    def told(self) -> str:
        """What tells in a function's head that it is about this."""
        return self.name


@dataclass
class Aside:
    """A module that what waits would load, and that the same file reads by another import's name: ``np.testing`` of
    ``import numpy as np`` where ``from numpy.testing import assert_equal`` waits.
    """

    name: str
    chain: using.Chain
    module: str
    line: int
    stays: bool = True

    def needed_for(self, chain: using.Chain) -> bool:
        """Whether what is read of the name is the module, or something of it."""
        return chain[: len(self.chain)] == self.chain

    @property
    def told(self) -> str:
        """What tells in a function's head that it is about this."""
        return ".".join((self.name, *self.chain))


@dataclass
class Module:
    """A module on its way: what is found out about it, and what is wrong."""

    tree: ast.Module
    name: str
    is_package: bool
    submodules: Collection[str] | None
    waiting: dict[str, Waiting] = field(default_factory=dict)
    """By name."""
    asides: list[Aside] = field(default_factory=list)
    names: Collection[str] = ()
    """All that its code names."""
    at: int = 0
    """Index in the module's statements of the first that waits."""
    problems: list[tuple[int, str]] = field(default_factory=list)

    @functools.cached_property
    def nodes(self) -> list[ast.AST]:
        """Every node of the tree, what lies outside first, from when this is asked for; nothing changes until then."""
        return using.nodes_of(self.tree)

    @functools.cached_property
    def statements(self) -> list[ast.AST]:
        """Every statement of the tree, what lies outside first, from when this is asked for; see ``nodes``."""
        return using.statements_of(self.tree)

    @functools.cached_property
    def functions(self) -> dict[using.Key, using.Function]:
        """Every function of the module."""
        return using.functions_of(self.statements)

    @functools.cached_property
    def chains(self) -> dict[ast.Name, using.Chain]:
        """What attributes are read of each name of the module."""
        return using.chains_of(self.nodes)

    @functools.cached_property
    def evaluated_at_load(self) -> list[tuple[ast.expr, str]]:
        """Every expression outside of functions' bodies, and how it comes to be evaluated."""
        return list(using.at_load(self.tree))

    @functools.cached_property
    def handed_to_compilers(self) -> dict[str, set[str]]:
        """What compiles functions that it is given by their names: ``njit(slow)`` or ``njit(cache=True)(slow)``.

        NumPy's ``vectorize``, which is called like one, reads no code.
        """
        handed: dict[str, set[str]] = {}
        for node in self.nodes if not COMPILING.isdisjoint(self.names) else ():
            compiler = using.last_name(node.func) if isinstance(node, ast.Call) else ""
            if isinstance(node, ast.Call) and compiler in COMPILING - {"vectorize"}:
                for one in node.args:
                    handed.setdefault(getattr(one, "id", ""), set()).add(compiler)
        return handed

    @functools.cached_property
    def names_at_load(self) -> list[tuple[ast.Name, str]]:
        """Every name among them."""
        return [(node, why) for node, why in self.evaluated_at_load if isinstance(node, ast.Name)]

    @property
    def package(self) -> str:
        """What relative imports are relative to."""
        return self.name if self.is_package else self.name.rpartition(".")[0]

    @property
    def served(self) -> list[Waiting]:
        """Those that whoever asks the module for them is served with."""
        return [one for one in self.waiting.values() if not one.stays]

    def refuse(self, line: int, why: str) -> None:
        """Notes why an import cannot wait."""
        if (line, why) not in self.problems:
            self.problems.append((line, why))

    def insist(self) -> None:
        """Raises ``CannotWait`` with all that was noted."""
        if self.problems:
            self.problems.sort()
            raise CannotWait(*self.problems[0], self.problems)


def deferred(
    tree: ast.Module,
    modules: Sequence[str],
    *,
    module: str,
    is_package: bool,
    submodules: Collection[str] | None = None,
) -> ast.Module:
    """The tree, changed in place, with the imports of ``modules`` waiting. See ``deferred_code``."""
    deferred_code(tree, modules, module=module, is_package=is_package, submodules=submodules)
    return tree


def deferred_code(
    tree: ast.Module,
    modules: Sequence[str],
    *,
    module: str,
    is_package: bool,
    submodules: Collection[str] | None = None,
    filename: str = "module",
    optimize: int = 0,
) -> CodeType:
    """The code of a module with the imports of ``modules`` waiting. Raises ``CannotWait`` with every reason.

    The tree is changed in place. ``modules`` are names as the module imports them, absolute: ``scipy.stats`` is what
    both ``from scipy import stats`` and ``from scipy.stats import norm`` name. ``module`` is the module's own name.
    ``submodules``: those of a package, by the last part of their names; ``None`` where nobody knows.
    """
    found = Module(tree=tree, name=module, is_package=is_package, submodules=submodules)
    take_out(found, modules)
    found.insist()
    imply(found)
    set_aside(found)
    guards, bound = settle(found)
    found.insist()
    rewrite(found, guards, bound)
    code = using.compiled(tree, filename, optimize)
    prove(found, code)
    found.insist()
    return code


def settle(found: Module) -> tuple[dict[using.Key, list[Waiting | Aside]], set[str]]:
    """What functions have to begin with, and names that the module binds itself; notes what cannot wait.

    The code that tells is gone afterwards: what is compiled next may depend on the names that it has interned.
    """
    names = {*found.waiting, *(one.name for one in found.asides)}
    code = using.compiled(found.tree)
    found.names = using.names_in(code)
    uses = list(using.uses_of(code, {*names, *NEEDED, *BY_TEXT, *LISTING, "__getattr__", "__dir__"}))
    hold_bindings(found, uses)
    hold_texts(found, uses)
    return functions_to_guard(found, uses), {use.name for use in uses if use.binds}


def take_out(found: Module, modules: Sequence[str]) -> None:
    """Removes from the module's own statements what is to wait."""
    seen: set[str] = set()
    body: list[ast.stmt] = []
    for statement in found.tree.body:
        if isinstance(statement, using.IMPORTS):
            names = {id(alias): using.names_of(statement, alias, found.package) for alias in statement.names}
            asked = [alias for alias in statement.names if not set(modules).isdisjoint(names[id(alias)])]
            found.at = found.at if found.waiting else len(body)
            for alias in asked:
                seen.update(names[id(alias)])
                wait(found, using.alone(statement, alias))
            statement.names = [alias for alias in statement.names if alias not in asked]
        if not isinstance(statement, using.IMPORTS) or statement.names:
            body.append(statement)
    found.tree.body = body
    for name in dict.fromkeys(modules):
        if name not in seen:
            found.refuse(*missing(found, name))


def wait(found: Module, statement: using.Import) -> None:
    """Notes an import of one name that is to wait, or why it cannot."""
    alias, line = statement.names[0], statement.lineno
    name = using.bound_by(statement, alias)
    if isinstance(statement, ast.ImportFrom) and statement.module == "__future__":
        return found.refuse(line, "__future__ is no import that could wait")
    if name == "*":
        return found.refuse(line, "import * binds nobody knows which names")
    if name in PYTHONS or name in NEEDED:
        return found.refuse(line, f"{name} is a name that Python itself reads")
    if getattr(statement, "is_lazy", 0):
        return found.refuse(line, f"{name} is imported lazily already")
    one = found.waiting.setdefault(name, Waiting(name=name))
    one.imports.append(statement)
    if len(one.imports) > 1 and not all(map(using.plain, one.imports)):
        found.refuse(line, f"{name} is imported in line {one.line} too")
    if found.is_package:
        settle_module(found, one, statement)
    return None


def settle_module(found: Module, one: Waiting, statement: using.Import) -> None:
    """What is special in a package, whose modules become its names when they are loaded, whoever loads them."""
    child = child_of(found, statement)
    itself = from_itself(found, statement)
    one.child = itself and one.name == child
    if itself and found.submodules is not None and child not in found.submodules:
        found.refuse(one.line, f"{child} is imported by {found.name} from itself")
    elif one.name in {child, *(found.submodules or ())} and not one.child:
        found.refuse(one.line, f"{one.name} is also a module of {found.name}, which would take the name")


def from_itself(found: Module, statement: using.Import) -> bool:
    """Whether a package imports from itself, as ``from . import x`` does."""
    return isinstance(statement, ast.ImportFrom) and using.base_of(statement, found.package) == found.name


def child_of(found: Module, statement: using.Import) -> str:
    """The module of this package that an import loads, and so makes a name of the package; empty where it does not."""
    names = using.names_of(statement, statement.names[0], found.package)
    loaded = names[-1 if from_itself(found, statement) else 0]
    inside = found.is_package and loaded.startswith(f"{found.name}.")
    return loaded[len(found.name) + 1 :].partition(".")[0] if inside else ""


def imply(found: Module) -> None:
    """Adds the modules of a package that are its names only since what waits would load them."""
    stay = {
        child_of(found, using.alone(one, alias))
        for one in found.tree.body
        if isinstance(one, using.IMPORTS)
        for alias in one.names
    }
    for statement in [one for waiting in found.waiting.values() for one in waiting.imports]:
        child = child_of(found, statement)
        if child and child not in stay and child not in found.waiting:
            own = ast.ImportFrom(module=None, names=[ast.alias(name=child)], level=1)
            found.waiting[child] = Waiting(name=child, imports=[placed(own, statement)], child=True, implied=True)


def set_aside(found: Module) -> None:
    """Notes modules that what waits would load and that the file may read by names of other imports."""
    statements = [one for waiting in found.waiting.values() if not waiting.implied for one in waiting.imports]
    kept = [one for one in found.tree.body if isinstance(one, using.IMPORTS)]
    names = [
        (using.bound_by(one, alias), using.module_of(one, alias, found.package)) for one in kept for alias in one.names
    ]
    names += [
        (using.bound_by(one, one.names[0]), using.module_of(one, one.names[0], found.package)) for one in statements
    ]
    for statement in statements:
        for loaded in using.names_of(statement, statement.names[0], found.package):
            for name, module in dict.fromkeys(names):
                own = name in found.waiting and loaded in {
                    f"{name}.{'.'.join(using.dotted(one))}" for one in found.waiting[name].imports
                }
                if loaded.startswith(f"{module}.") and not own:
                    chain = tuple(loaded[len(module) + 1 :].split("."))
                    found.asides.append(Aside(name=name, chain=chain, module=loaded, line=statement.lineno))


def missing(found: Module, wanted: str) -> tuple[int, str]:
    """What to say of a module that no statement of the module itself imports."""
    asked = [one for waiting in found.waiting.values() for one in waiting.imports]
    lines = {name: one.lineno for one in asked for name in using.names_of(one, one.names[0], found.package)}
    for outer in found.tree.body:
        for one in (one for one in ast.walk(outer) if isinstance(one, using.IMPORTS)):
            for alias in one.names:
                names = using.names_of(one, alias, found.package)
                if wanted in names:
                    return one.lineno, f"{wanted} is imported {using.inside(outer)}, which stays as it is"
                lines.update(dict.fromkeys(names, one.lineno))
    same = [name for name in lines if name.partition(".")[0] == wanted.partition(".")[0]]
    near = (difflib.get_close_matches(wanted, lines, 3) or same)[:3]
    told = ", ".join(f"{name} in line {lines[name]}" for name in near)
    return 0, f"{wanted} is not imported" + (f"; near it: {told}" if told else "")


def hold_bindings(found: Module, uses: Sequence[using.Use]) -> None:
    """Refuses names that get other values, except where all are one module: ``import a`` beside ``import a.b``."""
    binds = [use for use in uses if use.binds]
    for name, one in list(found.waiting.items()):
        lines = sorted(use.line for use in binds if use.name == name)
        if one.implied and lines:
            del found.waiting[name]
        elif lines and lines == using.same_module(found.tree, name) and all(map(using.plain, one.imports)):
            one.stays = True
        else:
            for line in lines:
                found.refuse(line, f"{name} is bound here too")
    for use in binds:
        if use.name in NEEDED:
            found.refuse(use.line, f"{use.name} is another than Python's here")
        if use.name == "__getattr__" and found.served:
            found.refuse(use.line, "the module has a __getattr__ of its own")


def hold_texts(found: Module, uses: Sequence[using.Use]) -> None:
    """Refuses where names may be looked for, or listed, in ways that no compiler sees."""
    by_text = [use for use in uses if use.name in BY_TEXT and not use.binds]
    texts = using.texts_of(found.tree) if by_text else ()
    words = {word: line for line, text in texts for word in re.findall(r"\w+", text)}
    for use in by_text:
        for name in sorted(found.waiting.keys() & words.keys()):
            found.refuse(use.line, f"{use.name} may look for {name}, a word in line {words[name]}")
        if not any(using.code_key(code) in found.functions for code in use.codes):
            found.refuse(use.line, f"{use.name} is called {using.LOADS}, and may look for every name")
    for node, why in found.evaluated_at_load if any(use.name in LISTING for use in uses) else ():
        call = isinstance(node, ast.Call) and not node.args and not node.keywords and node.func
        if isinstance(call, ast.Name) and call.id in LISTING and why in OF_MODULE:
            found.refuse(node.lineno, f"{call.id}() lists the names of the module {using.LOADS}")
    for one in found.statements:
        if isinstance(one, ast.ImportFrom) and one.names[0].name == "*":
            found.refuse(one.lineno, f"import * of {using.base_of(one, found.package)} may bind the same names")
    if by_text:
        hold_run_texts(found, {(use.name, use.line) for use in by_text if use.codes[1:]})
    hold_annotations(found)


def hold_run_texts(found: Module, by_text: Collection[tuple[str, int]]) -> None:
    """Refuses where the names that are looked for stand nowhere. ``by_text``: names and lines of ``BY_TEXT`` in use."""
    calls = [one for one in found.nodes if isinstance(one, ast.Call)]
    own = [one for one in calls if isinstance(one.func, ast.Name) and (one.func.id, one.func.lineno) in by_text]
    everything = {one for one in own if using.last_name(one) == "globals"}
    for one in everything - {node for holder in found.nodes for node in told_what(holder)}:
        found.refuse(one.lineno, "globals() is asked for names that only a run tells")
    for one in own:
        of_module = len(one.args) == 1 or not everything.isdisjoint(one.args[1:2])
        if one not in everything and of_module and not isinstance(one.args[0], ast.Constant):
            found.refuse(one.lineno, f"{using.last_name(one)} is given a text that only a run tells")


def told_what(node: ast.AST) -> list[ast.expr]:
    """What a node asks for a name that stands there, or for none: ``globals()["a"]``, ``exec(text, globals())``."""
    if isinstance(node, ast.Subscript):
        return [node.value] if isinstance(node.slice, ast.Constant) or not isinstance(node.ctx, ast.Load) else []
    if not isinstance(node, ast.Call):
        return []
    handed = using.last_name(node) in HANDED
    named = handed or (bool(node.args) and isinstance(node.args[0], ast.Constant))
    asked = [node.func.value] if named and isinstance(node.func, ast.Attribute) else []
    return [*asked, *(node.args if handed else [])]


def hold_annotations(found: Module) -> None:
    """Refuses names in annotations that are texts, where classes and decorators are known to evaluate them."""
    future = any(isinstance(one, ast.ImportFrom) and one.module == "__future__" for one in found.tree.body)
    for node in found.statements:
        for annotation in using.evaluated(node) if isinstance(node, using.DEFINITIONS) else ():
            for name in using.words_of(annotation, future=future) & found.waiting.keys():
                found.refuse(annotation.lineno, f"{name} is named in an annotation that may be evaluated")


def functions_to_guard(found: Module, uses: Sequence[using.Use]) -> dict[using.Key, list[Waiting | Aside]]:
    """What each function has to begin with: the innermost that are not inside one that begins with the same."""
    functions = found.functions
    guards: dict[using.Key, list[Waiting | Aside]] = {}
    named = sorted(found.waiting.values(), key=lambda one: one.name)
    everything: list[Waiting | Aside] = [*named, *found.asides]
    for one in everything:
        around: dict[using.Key, list[using.Key]] = {}
        for node, why in found.names_at_load if one.stays else ():
            if node.id == one.name and one.needed_for(found.chains[node]):
                found.refuse(node.lineno, f"{one.told if isinstance(one, Aside) else node.id} is used {why}")
        for use in (use for use in uses if use.name == one.name and not use.binds):
            keys = [key for key in map(using.code_key, use.codes) if key in functions]
            if keys and needs(functions[keys[0]], one, found):
                if use.name in BUILTINS and not one.stays:
                    found.refuse(use.line, f"{use.name} is one of Python's own names, too, which would be read instead")
                refuse_unfit(found, use, functions)
                around[keys[0]] = keys[1:]
            elif not keys and not one.stays:
                lines = [why for node, why in found.names_at_load if (node.id, node.lineno) == (use.name, use.line)]
                found.refuse(use.line, f"{use.name} is used {(*lines, using.LOADS)[0]}")
        for key, outer in sorted(around.items()):
            if around.keys().isdisjoint(outer):
                guards.setdefault(key, []).append(one)
    return guards


def needs(function: using.Function, one: Waiting | Aside, found: Module) -> bool:
    """Whether a function that reads a name needs what waits of it."""
    if not one.stays:
        return True
    reads = (node for node in using.nodes_of(function) if isinstance(node, ast.Name) and node.id == one.name)
    return any(one.needed_for(found.chains[node]) for node in reads)


def refuse_unfit(found: Module, use: using.Use, functions: Mapping[using.Key, using.Function]) -> None:
    """Refuses a function that cannot begin with an import of a name that it reads."""
    keys = [(code, key) for code in use.codes if (key := using.code_key(code)) in functions]
    code, key = keys[0]
    if use.name in own_variables(code):
        found.refuse(key[1], f"{use.name} is a variable of {key[0]} too")
    for around in use.codes:
        for own in sorted(own_variables(around) & set(NEEDED)):
            found.refuse(around.co_firstlineno, f"{own} is a variable of {around.co_name} too")
    if key[0] in {one.name for one in getattr(functions[key], "type_params", ())}:
        found.refuse(key[1], f"{key[0]} is a type parameter of {key[0]}, so that nobody knows which of both reads")
    for _, (name, line) in keys:
        decorators = {using.last_name(one) for one in functions[name, line].decorator_list} & COMPILING
        for decorator in decorators | found.handed_to_compilers.get(name, set()):
            found.refuse(line, f"{use.name} is used in {name}, whose code {decorator} reads, which knows of no imports")
    imports = found.waiting[use.name].imports if use.name in found.waiting else []
    imported = [alias.name for one in imports for alias in one.names]
    if any(part.startswith("__") and not part.endswith("__") for one in imported for part in one.split(".")):
        found.refuse(key[1], f"{use.name} is used in {key[0]}, and would be called otherwise in a class")


def own_variables(code: CodeType) -> set[str]:
    """Names that a code object does not look for in the module."""
    return {*code.co_varnames, *code.co_cellvars, *code.co_freevars}


def rewrite(found: Module, guards: Mapping[using.Key, Sequence[Waiting | Aside]], bound: Collection[str]) -> None:
    """Puts the imports where they are needed. ``bound``: names that the module binds itself."""
    for key, needed in guards.items():
        function = found.functions[key]
        drop_global(function, [one.name for one in needed if isinstance(one, Waiting)])
        at = 1 if ast.get_docstring(function, clean=False) is not None else 0
        function.body[at:at] = [statement for one in needed for statement in guard(one)]
    if found.served:
        listing = [] if "__dir__" in bound or "globals" in bound else [dir_of(found.served)]
        found.tree.body[found.at : found.at] = [getattr_of(found.served), *listing]


def guard(one: Waiting | Aside) -> list[ast.stmt]:
    """``global name``, and each import that was not made yet."""
    if isinstance(one, Aside):
        [attempt] = ast.parse(f"try:\n {one.told}\nexcept AttributeError:\n __import__({one.module!r})").body
        return [placed(attempt, ast.Pass(lineno=one.line, end_lineno=one.line, col_offset=0, end_col_offset=0))]
    by_attributes = one.stays or len(one.imports) > 1
    errors = "(NameError, AttributeError)" if by_attributes else "NameError"
    added = [placed(ast.Global(names=[one.name]), one.imports[0])]
    for statement in one.imports:
        read = ".".join((one.name, *(using.dotted(statement) if by_attributes else ())))
        [attempt] = ast.parse(f"try:\n {read}\nexcept {errors}:\n pass").body
        assert isinstance(attempt, ast.Try)
        attempt.handlers[0].body = [copy.deepcopy(statement)]
        added.append(placed(attempt, statement))
    return added


def getattr_of(served: Sequence[Waiting]) -> ast.stmt:
    """The function of the module that serves whoever asks it for a name that waits."""
    [function] = ast.parse(f"def __getattr__({ASKED}):\n pass").body
    assert isinstance(function, ast.FunctionDef)
    placed(function, served[0].imports[0])
    function.body = [placed(serving(one), one.imports[0]) for one in served]
    text = f"f'module {{__name__!r}} has no attribute {{{ASKED}!r}}'"
    [last] = ast.parse(f"raise AttributeError({text}, name={ASKED})").body
    function.body.append(placed(last, served[0].imports[0]))
    return function


def serving(one: Waiting) -> ast.stmt:
    """The statement for one name. A module of the package itself is asked for by the import system, too, which would
    ask the package in turn.
    """
    if one.child:
        own = [f"return __import__('importlib').import_module(f'{{__name__}}.{one.name}')"]
    else:
        own = [f"global {one.name}", *map(ast.unparse, one.imports), f"return {one.name}"]
    return ast.parse("\n ".join([f"if {ASKED} == {one.name!r}:", *own])).body[0]


def dir_of(served: Sequence[Waiting]) -> ast.stmt:
    """The function that names them among the names of the module."""
    names = ", ".join(repr(one.name) for one in served)
    [function] = ast.parse(f"def __dir__():\n return {{*globals(), {names}}}").body
    placed(function, served[0].imports[0])
    return function


def placed(node: Any, like: ast.AST) -> Any:
    """A node and all that is in it, at the place of another."""
    for one in ast.walk(node):
        ast.copy_location(one, like)
    return node


def drop_global(node: Any, names: Sequence[str]) -> None:
    """Takes names out of the ``global`` statements of a function itself, since one is put first."""
    for part in using.BLOCKS:
        for at, one in enumerate(getattr(node, part, ())):
            if isinstance(one, ast.Global):
                one.names = [name for name in one.names if name not in names]
                if not one.names:
                    getattr(node, part)[at] = placed(ast.Pass(), one)
            elif not isinstance(one, (*using.FUNCTIONS, ast.ClassDef)):
                drop_global(one, names)


def prove(found: Module, code: CodeType) -> None:
    """Refuses a rewritten module in which a name that waits could be read before anything imported it.

    ``code`` is that of the rewritten module: what it reads is what will be read.
    """
    heads = {key: head_of(function) for key, function in found.functions.items()}
    for use in unguarded(code, {one.name for one in found.served}, heads):
        found.refuse(found.waiting[use.name].line, f"{use.name} would be unbound in {use.codes[0].co_name}")
    staying: list[Waiting | Aside] = [*(one for one in found.waiting.values() if one.stays), *found.asides]
    chains = using.chains_of(using.nodes_of(found.tree)) if staying else {}
    for one in staying:
        own = using.locals_of(code, one.name)
        sound = (function for key, function in found.functions.items() if one.told in heads[key] or key in own)
        safe = {node for function in sound for node in using.nodes_of(function)}
        for node, chain in chains.items():
            if node.id == one.name and node not in safe and one.needed_for(chain):
                found.refuse(one.line, f"{'.'.join((one.name, *chain))} would not be there")


def unguarded(
    code: CodeType, names: set[str], heads: Mapping[using.Key, Collection[str]], around: tuple[CodeType, ...] = ()
) -> Iterator[using.Use]:
    """Reads of names that are not inside a function that begins with their import, nor in the one that serves them."""
    if len(around) == 1 and code.co_name == "__getattr__":
        return
    left = names.difference(heads.get(using.code_key(code), ()))
    yield from (use for use in using.own_uses_of(code, left, around) if not use.binds)
    for inner in using.inner_codes(code) if left else ():
        yield from unguarded(inner, left, heads, (code, *around))


def head_of(function: using.Function) -> set[str]:
    """What a function imports before it does anything else: names, and modules by the names that they are read by."""
    found: set[str] = set()
    waits = ""
    for one in function.body[ast.get_docstring(function, clean=False) is not None :]:
        if isinstance(one, ast.Global) and len(one.names) == 1:
            [waits] = one.names
            continue
        done = one.handlers[0].body[0] if isinstance(one, ast.Try) and one.handlers else None
        if isinstance(done, using.IMPORTS) and waits in {using.bound_by(done, alias) for alias in done.names}:
            found.add(waits)
        elif isinstance(one, ast.Try) and done is not None and ast.unparse(done).startswith("__import__("):
            found.add(ast.unparse(one.body[0]))
        else:
            break
    return found
