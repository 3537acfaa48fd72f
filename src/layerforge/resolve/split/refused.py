"""What to say of functions that no layers can be planned for."""

from __future__ import annotations

from collections.abc import Sequence

from layerforge.core.errors import LayerforgeError
from layerforge.core.limits import LAMBDA_UNZIPPED_LIMIT
from layerforge.core.text import counted, megabytes
from layerforge.resolve.errors import RecipeError
from layerforge.resolve.split.asked import MOST_LAYERS, Function, Question
from layerforge.resolve.split.groups import closure, tied

MOST_NAMED = 5


def refuse_too_large(question: Question) -> None:
    """Raises ``RecipeError`` for a function that could not have its packages even if no other function were there."""
    by_name = {one.name: one for one in question.packages}
    atoms = {name: atom for atom in tied(list(by_name), question.ties) for name in atom}
    for function in sorted(question.functions, key=lambda one: one.name):
        needed = {name for root in closure(function.roots, by_name) for name in atoms[root]}
        sizes = {name: by_name[name].bytes for name in needed}
        if needed and not function.most_layers:
            raise RecipeError(
                f"the function {function.name} has {MOST_LAYERS} layers of its own, so none is left for its packages",
                hint=f"say fewer in its own-layers: a function takes {MOST_LAYERS}",
            )
        if sum(sizes.values()) > function.most_bytes:
            raise _too_large(function, sizes)


def _too_large(function: Function, sizes: dict[str, int]) -> LayerforgeError:
    whole = sum(sizes.values())
    room = f", and {megabytes(function.room)} are kept for its own code" if function.room else ""
    largest = sorted(sizes.items(), key=lambda one: (-one[1], one[0]))
    return RecipeError(
        f"the function {function.name} needs packages of {megabytes(whole)} unzipped, which is "
        f"{megabytes(whole - function.most_bytes)} too many: Lambda takes {megabytes(LAMBDA_UNZIPPED_LIMIT)}{room}",
        hint="take packages out of its requires or name them in leave-out; or let another function do that part",
        details=tuple(f"{megabytes(size):>10}  {name}" for name, size in largest[:MOST_NAMED]),
    )


def unsplittable(functions: Sequence[Function], sizes: dict[str, int]) -> LayerforgeError:
    """The error for functions of which each fits, but that cannot share layers."""
    largest = sorted(sizes.items(), key=lambda one: (-one[1], one[0]))
    return RecipeError(
        f"no layers were found that {counted(len(functions), 'function')} can share within their limits: "
        f"{', '.join(one.name for one in functions)}",
        hint="a package lies in one layer alone: keep one of the functions in a project of its own, "
        "or give it less room or fewer own-layers",
        details=tuple(f"{megabytes(size):>10}  {name}" for name, size in largest[:MOST_NAMED]),
    )
