"""What a module uses, and where: its imports and the names that they bind, what runs while it loads, what is read.

Standard library alone; runs on the CPython of the target (3.10 to 3.15), whose own compiler says what is read where.
"""

from __future__ import annotations

import ast
import copy
import dis
import re
import sys
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import CodeType

Import = ast.Import | ast.ImportFrom
Function = ast.FunctionDef | ast.AsyncFunctionDef

Chain = tuple[str, ...]
"""Attributes that are read one after another: ``("linalg", "svd")`` of ``scipy.linalg.svd``."""

Key = tuple[str, int]
"""Name and first line of a function: of its definition and of its code."""

IMPORTS = (ast.Import, ast.ImportFrom)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
DEFINITIONS = (*FUNCTIONS, ast.ClassDef)

NOT_VARIABLES = frozenset(
    ("LOAD_ATTR", "STORE_ATTR", "DELETE_ATTR", "LOAD_METHOD", "LOAD_SUPER_ATTR", "IMPORT_NAME", "IMPORT_FROM")
)
"""Instructions with a name that is no variable's. All others count as a use, those of a coming Python too."""

VARIABLES = {number: dis.opname[number] for number in dis.hasname if dis.opname[number] not in NOT_VARIABLES}
"""The instructions that name one, by their numbers."""

WITH_FLAG = ("LOAD_GLOBAL",) if sys.version_info >= (3, 11) else ()
"""Those whose argument has a bit of its own beside the number of the name."""

PLAIN = frozenset(
    "abstractmethod cache cached_property classmethod contextmanager deleter final getter lru_cache overload override "  # noqa: SIM905 - a line a word otherwise
    "property setter staticmethod wraps".split()
)
"""Decorators that do not evaluate annotations."""

FIELDS = {
    kind: ()
    if issubclass(kind, (ast.Name, ast.Constant))
    else tuple(name for name in kind._fields if name not in ("ctx", "op", "ops"))
    for kind in vars(ast).values()
    if isinstance(kind, type) and issubclass(kind, ast.AST)
}
"""The fields of each kind of nodes that may have names below them."""

BLOCKS = ("body", "handlers", "orelse", "finalbody", "cases")
"""The fields of a statement, or of a part of one, that hold others."""

LOADS = "while the module loads"


@dataclass(frozen=True)
class Use:
    """An instruction that reads or binds a variable of the module."""

    name: str
    line: int
    codes: tuple[CodeType, ...]
    """The code object that it is of and those around it, the module's last."""
    binds: bool


def nodes_of(tree: ast.AST) -> list[ast.AST]:
    """Every node that may hold or be a name, what lies outside first; ``ast.walk`` takes three times as long."""
    found: list[ast.AST] = [tree]
    for node in found:  # grows as it is gone through
        for name in FIELDS[type(node)]:
            value = getattr(node, name, None)
            if isinstance(value, list):
                found.extend([one for one in value if isinstance(one, ast.AST)])
            elif isinstance(value, ast.AST):
                found.append(value)
    return found


def statements_of(tree: ast.Module) -> list[ast.AST]:
    """The module, every statement, and the parts of them that hold others, what lies outside first: a tenth of all."""
    found: list[ast.AST] = [tree]
    for node in found:  # grows as it is gone through
        for name in BLOCKS:
            found.extend(getattr(node, name, ()))
    return found


def place(path: str) -> tuple[str, bool]:
    """Name of the module at a path below a folder of ``sys.path``, and whether it is a package."""
    parts = path.removesuffix(".py").split("/")
    package = parts[-1] == "__init__"
    return ".".join(parts[:-1] if package else parts), package


def base_of(statement: ast.ImportFrom, package: str) -> str:
    """The absolute name of what stands behind ``from``."""
    parts = package.split(".") if statement.level else []
    parts = parts[: len(parts) - statement.level + 1]
    return ".".join([*parts, *([statement.module] if statement.module else [])])


def names_of(statement: Import, alias: ast.alias, package: str) -> tuple[str, ...]:
    """The absolute names that an import of one thing goes by."""
    if isinstance(statement, ast.Import):
        return (alias.name,)
    base = base_of(statement, package)
    return (base, f"{base}.{alias.name}") if statement.module else (f"{base}.{alias.name}",)


def bound_by(statement: Import, alias: ast.alias) -> str:
    """The name that an import binds."""
    return alias.asname or (alias.name.partition(".")[0] if isinstance(statement, ast.Import) else alias.name)


def dotted(statement: Import) -> Chain:
    """``("b", "c")`` for ``import a.b.c``; nothing for an import that binds what it names last."""
    alias = statement.names[0]
    return tuple(alias.name.split(".")[1:]) if isinstance(statement, ast.Import) and not alias.asname else ()


def plain(statement: Import) -> bool:
    """Whether an import binds the outermost package of what it names: ``import a.b``."""
    return isinstance(statement, ast.Import) and not statement.names[0].asname


def alike(one: Chain, other: Chain) -> bool:
    """Whether one chain of attributes begins with the other."""
    return all(mine == its for mine, its in zip(one, other))  # noqa: B905 - one may be longer


def alone(statement: Import, alias: ast.alias) -> Import:
    """The same import, of one name alone."""
    own = copy.copy(statement)
    own.names = [alias]
    return own


def module_of(statement: Import, alias: ast.alias, package: str) -> str:
    """The module that the name of an import stands for, if it is one."""
    name = names_of(statement, alias, package)[-1]
    return name.partition(".")[0] if plain(alone(statement, alias)) else name


def inside(outer: ast.stmt) -> str:
    """Where an import stands that is no statement of the module itself."""
    if isinstance(outer, DEFINITIONS):
        return f"in {outer.name}"
    return f"inside the `{type(outer).__name__.lower().removesuffix('star')}` of line {outer.lineno}"


def compiled(tree: ast.Module, filename: str = "module", optimize: int = 0) -> CodeType:
    """The code of a module as it stands."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        code = compile(tree, filename, "exec", dont_inherit=True, optimize=optimize)
    assert isinstance(code, CodeType)
    return code


def uses_of(code: CodeType, names: set[str], around: tuple[CodeType, ...] = ()) -> Iterator[Use]:
    """Every read and every binding of variables of the module, or of builtins, that are called so."""
    yield from own_uses_of(code, names, around)
    for inner in inner_codes(code):
        yield from uses_of(inner, names, (code, *around))


def own_uses_of(code: CodeType, names: set[str], around: tuple[CodeType, ...]) -> Iterator[Use]:
    """Those of one code object, without those inside of it. ``around`` are those that it is inside of."""
    if not names.isdisjoint(code.co_names):
        lines = {at: line for start, end, line in code.co_lines() for at in range(start, end, 2) if line}
        for at, kind, name in variables_of(code):
            if name in names:
                binds = kind.startswith(("STORE", "DELETE"))
                if not binds or not around or kind.endswith("_GLOBAL"):  # all else is a class's own
                    line = lines.get(at, code.co_firstlineno)
                    yield Use(name=name, line=line, codes=(code, *around), binds=binds)


def variables_of(code: CodeType) -> Iterator[tuple[int, str, str]]:
    """Every instruction of a code object that names a variable: where it is, what it does, and the name.

    ``dis`` tells the same of every instruction, which takes ten times as long.
    """
    raw, high = code.co_code, 0
    for at in range(0, len(raw), 2):
        number = high | raw[at + 1]
        high = number << 8 if raw[at] == dis.EXTENDED_ARG else 0
        if kind := VARIABLES.get(raw[at]):
            yield at, kind, code.co_names[number >> 1 if kind in WITH_FLAG else number]


def names_in(code: CodeType) -> set[str]:
    """Every variable that is not a function's own, and every attribute, that a code object or one in it names."""
    return {*code.co_names}.union(*map(names_in, inner_codes(code)))


def inner_codes(code: CodeType) -> list[CodeType]:
    """The code objects right inside of one."""
    return [one for one in code.co_consts if isinstance(one, CodeType)]


def same_module(tree: ast.Module, name: str) -> list[int]:
    """Lines of every ``import a.b`` among the module's own statements that binds a name."""
    imports = [one for one in tree.body if isinstance(one, ast.Import)]
    return [one.lineno for one in imports for alias in one.names if not alias.asname and bound_by(one, alias) == name]


def texts_of(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Texts of a module, without those that are statements, such as docstrings, and those of ``__all__``."""
    plain = {id(node.value) for node in nodes_of(tree) if isinstance(node, ast.Expr)}
    for statement in tree.body:
        if lists(statement):
            continue
        for node in nodes_of(statement):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in plain:
                yield node.lineno, node.value


def lists(statement: ast.stmt) -> bool:
    """Whether a statement binds ``__all__``, or adds to it."""
    targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
    return any(isinstance(one, ast.Name) and one.id == "__all__" for one in targets)


def evaluated(node: ast.AST) -> Iterator[ast.expr]:
    """Annotations in a node itself that others than type checkers read: of a class's fields, for some decorators."""
    if isinstance(node, ast.ClassDef):
        yield from (one.annotation for one in node.body if isinstance(one, ast.AnnAssign))
    elif isinstance(node, FUNCTIONS) and not {last_name(one) for one in node.decorator_list} <= PLAIN:
        yield from annotations_of(node)


def annotations_of(function: Function) -> Iterator[ast.expr]:
    """Those of a function's arguments and of what it returns."""
    of = function.args
    arguments = [*of.posonlyargs, *of.args, *of.kwonlyargs, of.vararg, of.kwarg]
    yield from (one.annotation for one in arguments if one is not None and one.annotation is not None)
    if function.returns is not None:
        yield function.returns


def words_of(annotation: ast.expr, *, future: bool) -> set[str]:
    """Words of an annotation that are text there."""
    names = {node.id for node in ast.walk(annotation) if isinstance(node, ast.Name)} if future else set()
    texts = [node.value for node in ast.walk(annotation) if isinstance(node, ast.Constant)]
    return names.union(*(re.findall(r"\w+", text) for text in texts if isinstance(text, str)))


def last_name(decorator: ast.expr) -> str:
    """``njit`` for ``@numba.njit(cache=True)``."""
    node = decorator.func if isinstance(decorator, ast.Call) else decorator
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def at_load(node: ast.AST, why: str = LOADS) -> Iterator[tuple[ast.expr, str]]:
    """Every expression outside of functions' bodies, and how it comes to be evaluated."""
    if isinstance(node, ast.expr):
        yield node, why
    for child, reason in parts(node, why):
        yield from at_load(child, reason)


def parts(node: ast.AST, why: str) -> Iterator[tuple[ast.AST, str]]:
    """What lies right below a node and is no function's body, and how it comes to be evaluated."""
    if isinstance(node, DEFINITIONS):
        yield from ((one, "by a decorator") for one in node.decorator_list)
        yield from ((one, "by a type parameter") for one in getattr(node, "type_params", ()))
    if isinstance(node, FUNCTIONS):
        defaults = [*node.args.defaults, *node.args.kw_defaults]
        yield from ((one, "by a default value") for one in defaults if one is not None)
        yield from ((one, "by an annotation") for one in annotations_of(node))
    elif isinstance(node, ast.ClassDef):
        yield from ((one, "by a base class") for one in (*node.bases, *(one.value for one in node.keywords)))
        yield from ((one, f"in the body of {node.name}, which runs {LOADS}") for one in node.body)
    elif isinstance(node, ast.Lambda):
        yield node.args, "by a default value"
        yield node.body, "by a lambda outside of any function"
    else:
        annotation = getattr(node, "annotation", None)
        yield from ((one, "by an annotation" if one is annotation else why) for one in ast.iter_child_nodes(node))


def functions_of(statements: Sequence[ast.AST]) -> dict[Key, Function]:
    """Every function among the statements of a module."""
    return {
        (node.name, min([node.lineno, *(one.lineno for one in node.decorator_list)])): node
        for node in statements
        if isinstance(node, FUNCTIONS)
    }


def code_key(code: CodeType) -> Key:
    """What tells to which function a code object belongs."""
    return code.co_name, code.co_firstlineno


def chains_of(nodes: Sequence[ast.AST]) -> dict[ast.Name, Chain]:
    """What attributes are read of each name among ``nodes``, of which what lies outside comes first."""
    chains: dict[ast.Name, Chain] = {}
    for node in nodes:
        attributes: list[str] = []
        while isinstance(node, ast.Attribute):
            attributes.append(node.attr)
            node = node.value
        if isinstance(node, ast.Name):
            chains.setdefault(node, tuple(reversed(attributes)))
    return chains


def locals_of(code: CodeType, name: str) -> set[Key]:
    """Functions that have a variable of their own of a name."""
    own = {code_key(code)} if name in (*code.co_varnames, *code.co_cellvars) else set()
    return own.union(*(locals_of(one, name) for one in inner_codes(code)))


def unread(tree: ast.Module, modules: Sequence[str], package: str) -> list[str]:
    """Of the modules that a module's own statements import those of whose names nothing in it is read.

    Such a module may be imported for what it does while it loads, or be offered to others: what ``__all__`` lists, or
    an import calls by its own name, ``import a as a``, is. ``package`` is what relative imports are relative to.
    """
    reads = {use.name for use in uses_of(compiled(tree), bound_names(tree)) if not use.binds}
    chains = [(node.id, chain) for node, chain in chains_of(nodes_of(tree)).items() if isinstance(node.ctx, ast.Load)]
    offered, used, found = set(listed(tree)), set[str](), list[str]()
    for statement in (one for one in tree.body if isinstance(one, IMPORTS)):
        for alias in statement.names:
            own, name = alone(statement, alias), bound_by(statement, alias)
            read = name in reads and any(name == its and alike(chain, dotted(own)) for its, chain in chains)
            targets = set(modules).intersection(names_of(statement, alias, package))
            if read or name in offered or alias.asname == alias.name or name == "*":
                used.update(targets)
            found += sorted(targets)
    return [one for one in dict.fromkeys(found) if one not in used]


def bound_names(tree: ast.Module) -> set[str]:
    """Names that a module's own import statements bind."""
    return {bound_by(one, alias) for one in tree.body if isinstance(one, IMPORTS) for alias in one.names}


def listed(tree: ast.Module) -> Iterator[str]:
    """Every text in a statement of the module that binds ``__all__``, or adds to it."""
    for statement in tree.body:
        if lists(statement):
            texts = (node.value for node in ast.walk(statement) if isinstance(node, ast.Constant))
            yield from (text for text in texts if isinstance(text, str))
