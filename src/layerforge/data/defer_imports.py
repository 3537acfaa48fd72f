"""Rewrites a module's syntax tree so that imports wait until something uses what they bring.

Standard library alone; runs on the CPython of the target (3.10 to 3.15), whose own compiler says what is read where.

``from scipy import stats`` at the top of a module goes, and every function that reads ``stats`` as a global begins with

    global stats
    try:
        stats
    except NameError:
        from scipy import stats

which costs next to nothing from the second call on, lets whoever puts something else into the module's ``stats`` have
it, and holds for lambdas, comprehensions and classes inside. Where the import stood a ``__getattr__`` of the module
serves whoever asks the module for the name. Everything that is added has the line of the import.
"""

from __future__ import annotations

import ast
import copy
import dis
import symtable
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from types import CodeType
from typing import Any

Statement = ast.Import | ast.ImportFrom
Function = ast.FunctionDef | ast.AsyncFunctionDef

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)

NOT_VARIABLES = frozenset(
    ("LOAD_ATTR", "STORE_ATTR", "DELETE_ATTR", "LOAD_METHOD", "LOAD_SUPER_ATTR", "IMPORT_NAME", "IMPORT_FROM")
)
"""Instructions with a name that is no variable's. All others count as a use, those of a coming Python too."""

NEEDED = ("NameError", "AttributeError")
"""Names that what is added has to find among the builtins."""


class CannotWait(ValueError):  # noqa: N818 - says why an import stays where it is
    """An import cannot wait. ``line`` and ``why`` are those of the first reason, ``problems`` has every one."""

    def __init__(self, line: int, why: str, problems: Sequence[tuple[int, str]] = ()) -> None:
        super().__init__(f"line {line}: {why}" if line else why)
        self.line = line
        self.why = why
        self.problems = tuple(problems) or ((line, why),)


@dataclass(frozen=True)
class Waiting:
    """One name that an import binds, which is to wait."""

    name: str
    module: str
    """As it was asked for."""
    statement: Statement
    """The import of this name alone, where it stood."""


@dataclass(frozen=True)
class Use:
    """An instruction that reads or binds a variable of the module."""

    name: str
    line: int
    code: CodeType
    around: tuple[CodeType, ...]
    """The code objects that ``code`` lies in, the module's first."""
    binds: bool


@dataclass
class Module:
    """A module on its way: what is found out about it, and what is wrong."""

    tree: ast.Module
    waiting: list[Waiting] = field(default_factory=list)
    problems: list[tuple[int, str]] = field(default_factory=list)

    @property
    def names(self) -> set[str]:
        """Those that wait."""
        return {one.name for one in self.waiting}

    def refuse(self, line: int, why: str) -> None:
        """Notes why an import cannot wait."""
        if (line, why) not in self.problems:
            self.problems.append((line, why))


def place(path: str) -> tuple[str, bool]:
    """Name of the module at a path below a folder of ``sys.path``, and whether it is a package."""
    parts = path[: -len(".py")].split("/")
    package = parts[-1] == "__init__"
    return ".".join(parts[:-1] if package else parts), package


def deferred(tree: ast.Module, modules: Sequence[str], *, module: str, is_package: bool) -> ast.Module:
    """The tree, changed in place, with the imports of ``modules`` waiting. Raises ``CannotWait`` with every reason.

    ``modules`` are names as the module imports them, absolute: ``scipy.stats`` is what both ``from scipy import stats``
    and ``from scipy.stats import norm`` name. ``module`` is the module's own name.
    """
    package = module if is_package else module.rpartition(".")[0]
    found = Module(tree=tree)
    _take_out(found, dict.fromkeys(modules), package)
    _look(found)
    uses = list(_uses(_compiled(tree))) if not found.problems else []
    functions = _functions_to_guard(found, uses)
    if not found.problems:
        _rewrite(found, functions)
        _prove(found)
    if found.problems:
        line, why = found.problems[0]
        raise CannotWait(line, why, found.problems)
    return tree


def resolved(statement: Statement, alias: ast.alias, package: str) -> tuple[str, ...]:
    """The absolute module names that an import of one name goes by."""
    if isinstance(statement, ast.Import):
        return (alias.name,)
    parts = package.split(".") if statement.level else []
    parts = parts[: len(parts) - statement.level + 1]
    base = ".".join([*parts, *([statement.module] if statement.module else [])])
    return (f"{base}.{alias.name}", base) if statement.module else (f"{base}.{alias.name}",)


def bound(statement: Statement, alias: ast.alias) -> str:
    """The name that an import binds."""
    return alias.asname or (alias.name.partition(".")[0] if isinstance(statement, ast.Import) else alias.name)


def _take_out(found: Module, modules: dict[str, None], package: str) -> None:
    """Removes from the module's own statements what is to wait."""
    seen: set[str] = set()
    for statement in list(found.tree.body):
        if not isinstance(statement, (ast.Import, ast.ImportFrom)):
            continue
        stays = []
        for alias in statement.names:
            asked = [name for name in resolved(statement, alias, package) if name in modules]
            seen.update(asked)
            if asked:
                _wait(found, asked[0], statement, alias)
            else:
                stays.append(alias)
        if not stays:
            found.tree.body.remove(statement)
        elif len(stays) < len(statement.names):
            statement.names = stays
    for name in modules:
        if name not in seen:
            found.refuse(*_missing(found.tree, name, package))


def _wait(found: Module, module: str, statement: Statement, alias: ast.alias) -> None:
    line = statement.lineno
    if alias.name == "*":
        found.refuse(line, f"import * of {module} binds nobody knows which names")
        return
    if getattr(statement, "module", None) == "__future__":
        found.refuse(line, "__future__ is no import that could wait")
        return
    if getattr(statement, "is_lazy", 0):
        found.refuse(line, f"{module} is imported lazily already")
        return
    name = bound(statement, alias)
    if name in found.names:
        found.refuse(line, f"{name} is imported a second time")
    own = copy.copy(statement)
    own.names = [alias]
    found.waiting.append(Waiting(name=name, module=module, statement=own))


def _missing(tree: ast.Module, wanted: str, package: str) -> tuple[int, str]:
    """What to say of a module that no statement of the module itself imports."""
    top, near = wanted.partition(".")[0], ""
    for statement in ast.walk(tree):
        if not isinstance(statement, (ast.Import, ast.ImportFrom)):
            continue
        for alias in statement.names:
            names = resolved(statement, alias, package)
            if wanted in names:
                why = "is imported inside another statement, a function or a class, which is left as it is"
                return statement.lineno, f"{wanted} {why}"
            if names[-1].partition(".")[0] == top:
                near = near or f"; near it: {names[-1]} in line {statement.lineno}"
    return 0, f"{wanted} is not imported{near}"


def _look(found: Module) -> None:
    """Notes what the tree alone tells: names that come from anywhere."""
    for statement in ast.walk(found.tree):
        if isinstance(statement, ast.ImportFrom) and any(alias.name == "*" for alias in statement.names):
            found.refuse(statement.lineno, f"import * of {statement.module or '.'} may bind the same names")


def _compiled(tree: ast.Module) -> CodeType:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        code = compile(tree, "module", "exec", dont_inherit=True, optimize=0)
    assert isinstance(code, CodeType)
    return code


def _uses(code: CodeType, around: tuple[CodeType, ...] = ()) -> Iterator[Use]:
    """Every read and every binding of variables of the module, or of builtins."""
    lines = {at: line for start, end, line in code.co_lines() for at in range(start, end, 2) if line}
    for one in dis.get_instructions(code):
        if one.opcode in dis.hasname and one.opname not in NOT_VARIABLES:
            binds = one.opname.startswith(("STORE", "DELETE"))
            if binds and around and not one.opname.endswith("_GLOBAL"):
                continue  # an attribute of a class
            line = lines.get(one.offset, code.co_firstlineno)
            yield Use(name=one.argval, line=line, code=code, around=around, binds=binds)
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _uses(inner, (*around, code))


def _functions_to_guard(found: Module, uses: Sequence[Use]) -> list[tuple[Function, str]]:
    """Each function that has to begin with an import, with the name."""
    functions = {_key(node): node for node in ast.walk(found.tree) if isinstance(node, FUNCTIONS)}
    guards: dict[tuple[tuple[str, int], str], None] = {}
    for use in uses:
        if use.binds and use.name in (*found.names, *NEEDED, "__getattr__"):
            found.refuse(use.line, _taken(use.name))
        elif not use.binds and use.name in found.names:
            keys = map(_code_key, (use.code, *reversed(use.around)))
            key = next((key for key in keys if key in functions), None)
            if key is None:
                found.refuse(use.line, _at_load(use))
            else:
                guards[(key, use.name)] = None
    for key, name in guards:
        _refuse_local(found, uses, key, name)
    return [(functions[key], name) for key, name in sorted(guards, key=lambda one: (one[0][1], one[0][0], one[1]))]


def _key(node: Function) -> tuple[str, int]:
    return node.name, min([node.lineno, *(one.lineno for one in node.decorator_list)])


def _code_key(code: CodeType) -> tuple[str, int]:
    return code.co_name, code.co_firstlineno


def _taken(name: str) -> str:
    if name == "__getattr__":
        return "the module has a __getattr__ of its own"
    return f"{name} is bound here too" if name not in NEEDED else f"{name} is another than Python's here"


def _at_load(use: Use) -> str:
    name = use.code.co_name
    if not use.around:
        return f"{use.name} is used while the module loads"
    if name == "<lambda>":
        return f"{use.name} is used by a lambda outside of any function"
    if name.startswith(("__annotate", "<generic")):
        return f"{use.name} is used by an annotation"
    return f"{use.name} is used while the module loads, in {use.code.co_name}"


def _refuse_local(found: Module, uses: Sequence[Use], key: tuple[str, int], name: str) -> None:
    """Refuses a function that has the name for something of its own, too."""
    for code in {id(code): code for use in uses for code in (use.code, *use.around)}.values():
        if _code_key(code) == key:
            own = {*code.co_varnames, *code.co_cellvars, *code.co_freevars}
            for one in (name, *NEEDED):
                if one in own:
                    found.refuse(code.co_firstlineno, f"{one} is also a variable of {code.co_name}'s own")


def _rewrite(found: Module, functions: Sequence[tuple[Function, str]]) -> None:
    statements = {one.name: one.statement for one in found.waiting}
    for function, name in reversed(functions):
        _drop_global(function, name)
        at = 1 if ast.get_docstring(function, clean=False) is not None else 0
        function.body[at:at] = _guard(statements[name], name)
    serving = [_getattr(found.waiting), *_dir(found)]
    at = sum(_first(statement) for statement in found.tree.body)
    found.tree.body[at:at] = serving


def _first(statement: ast.stmt) -> bool:
    """Whether a statement has to stay ahead of all others: the docstring, and what is of ``__future__``."""
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, ast.Constant)
    return isinstance(statement, ast.ImportFrom) and statement.module == "__future__"


def _guard(statement: Statement, name: str) -> list[ast.stmt]:
    """``global name`` and the import where there is no such global yet."""
    read = ast.Expr(value=ast.Name(id=name, ctx=ast.Load()))
    missing = ast.ExceptHandler(type=ast.Name(id="NameError", ctx=ast.Load()), name=None, body=[_copy(statement)])
    attempt = ast.Try(body=[read], handlers=[missing], orelse=[], finalbody=[])
    return [_placed(ast.Global(names=[name]), statement), _placed(attempt, statement)]


def _copy(statement: Statement) -> Statement:
    return copy.deepcopy(statement)


def _placed(node: Any, like: ast.AST) -> Any:
    """A node at the place of another, with all that is in it."""
    for one in ast.walk(node):
        if isinstance(one, (ast.stmt, ast.expr, ast.ExceptHandler, ast.arg, ast.keyword, ast.alias)):
            ast.copy_location(one, like)
    return node


def _getattr(waiting: Sequence[Waiting]) -> ast.stmt:
    """The function of the module that serves whoever asks it for a name that waits."""
    text = ["def __getattr__(name):"]
    for one in waiting:
        text += [f"    if name == {one.name!r}:", f"        global {one.name}"]
        text += [f"        {ast.unparse(one.statement)}", f"        return {one.name}"]
    text += ["    raise AttributeError(f'module {__name__!r} has no attribute {name!r}', name=name)"]
    function = ast.parse("\n".join(text)).body[0]
    assert isinstance(function, ast.FunctionDef)
    _placed(function, waiting[0].statement)
    for test, one in zip(function.body, waiting):  # noqa: B905 - the last statement is for no name
        _placed(test, one.statement)
    return function


def _dir(found: Module) -> Iterator[ast.stmt]:
    """The function that names them among the module's names, where it has none of its own."""
    if any(isinstance(node, FUNCTIONS) and node.name == "__dir__" for node in found.tree.body):
        return
    names = ", ".join(repr(one.name) for one in found.waiting)
    function = ast.parse(f"def __dir__():\n    return {{*globals(), {names}}}").body[0]
    yield _placed(function, found.waiting[0].statement)


def _drop_global(function: Function, name: str) -> None:
    """Takes a name out of the function's own ``global`` statements, since one is put first."""
    ahead: list[ast.AST] = list(function.body)
    while ahead:
        node = ahead.pop()
        if isinstance(node, ast.Global) and name in node.names:
            node.names = [one for one in node.names if one != name] or [name]
        if not isinstance(node, (*FUNCTIONS, ast.ClassDef, ast.expr)):
            ahead += ast.iter_child_nodes(node)


def _prove(found: Module) -> None:
    """Refuses a rewritten module in which a name that waits could be read before anything imported it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table = symtable.symtable(ast.unparse(found.tree), "module", "exec")
    for name in sorted(found.names):
        for scope in _unguarded(table, name):
            found.refuse(0, f"{name} would be unbound in {scope.get_name()}")


def _unguarded(table: symtable.SymbolTable, name: str) -> Iterator[symtable.SymbolTable]:
    """Scopes that read a global and are not below a function that begins with its import."""
    symbol = table.lookup(name) if name in table.get_identifiers() else None
    if symbol is not None and symbol.is_declared_global() and table.get_type() == "function":
        return
    if symbol is not None and symbol.is_global() and symbol.is_referenced():
        yield table
    for inner in table.get_children():
        yield from _unguarded(inner, name)
