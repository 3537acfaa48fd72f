"""Stands in the place of modules that a layer was built without, and says so to whoever uses them.

Standard library only, Python 3.10 to 3.15. It runs in the function, where a stub imports it.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from typing import Any, NoReturn


def stand_in(module: MutableMapping[str, Any], names: tuple[str, ...], why: str) -> None:
    """Has a module, of which ``module`` are the globals, say ``why`` nothing is in it.

    ``names`` are what other modules of the layer import from it while they load: each can be imported, and not be used.
    """
    path = module["__name__"]

    def missing(name: str) -> NoReturn:
        # No ImportError, which pickle would not expect when it looks through all modules for a function.
        raise AttributeError(f"{path}.{name} is left out of this layer: {why}")

    module["__getattr__"] = missing
    module["__path__"] = _Nowhere(path, why)
    module.update((name, _LeftOut(f"{path}.{name}", why)) for name in names)


class _Nowhere:
    """Where the submodules of a module lie: looks empty, and is an error to who searches it for one, as an import does,
    or an import of a name that the module does not have.
    """

    def __init__(self, path: str, why: str) -> None:
        self._text = f"{path} is left out of this layer, and all that lies in it: {why}"

    def __len__(self) -> int:
        return 0

    def __iter__(self) -> Iterator[str]:
        raise ImportError(self._text)


class _LeftOut:
    """A function or class that is not there. It has a name and nothing else."""

    __slots__ = ("_name", "_why")

    def __init__(self, name: str, why: str) -> None:
        object.__setattr__(self, "_name", name)
        object.__setattr__(self, "_why", why)

    def __repr__(self) -> str:
        return f"<{self._name}, which is left out of this layer>"

    def __getattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{self._name}.{name} is left out of this layer: {self._why}")

    def refuse(self, *_args: object, **_keywords: object) -> NoReturn:
        """What comes of all that people may do with a function, class or constant."""
        raise ImportError(f"{self._name} is left out of this layer: {self._why}", name=self._name)

    __hash__ = object.__hash__


_USES = (
    "call getitem setitem delitem iter next contains len bool int float index complex enter exit await "
    "setattr delattr instancecheck subclasscheck mro_entries reduce_ex copy deepcopy array "
    "eq ne lt le gt ge or ror and rand xor rxor add radd sub rsub mul rmul matmul rmatmul truediv rtruediv "
    "floordiv rfloordiv mod rmod pow rpow neg pos abs invert"
)

for _use in _USES.split():
    setattr(_LeftOut, f"__{_use}__", _LeftOut.refuse)
