"""Extras and groups: what of a project comes into a layer beside what it always depends on."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from packaging.utils import canonicalize_name

from layerforge.core.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Extras and dependency groups by their normalised names: those that are asked for, or those that there are."""

    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.extras or self.groups)

    def __or__(self, other: Wanted) -> Wanted:
        return wanted((*self.extras, *other.extras), (*self.groups, *other.groups))

    def within(self, offered: Wanted) -> Wanted:
        """Those that a project has."""
        return Wanted(
            extras=tuple(name for name in self.extras if name in offered.extras),
            groups=tuple(name for name in self.groups if name in offered.groups),
        )

    def without(self, other: Wanted) -> Wanted:
        """Those that ``other`` does not have."""
        return Wanted(
            extras=tuple(name for name in self.extras if name not in other.extras),
            groups=tuple(name for name in self.groups if name not in other.groups),
        )

    @property
    def options(self) -> tuple[str, ...]:
        """The words of a command line that ask for them."""
        named = [("--extra", name) for name in self.extras] + [("--group", name) for name in self.groups]
        return tuple(word for pair in named for word in pair)

    @property
    def told(self) -> str:
        """``the extra ml, the group lambda``."""
        kinds = (("extra", self.extras), ("group", self.groups))
        return ", ".join(
            f"the {kind} {names[0]}" if len(names) == 1 else f"the {kind}s {', '.join(names)}"
            for kind, names in kinds
            if names
        )


NOTHING = Wanted()


def wanted(extras: Iterable[str], groups: Iterable[str] = ()) -> Wanted:
    """What is asked for by names as people write them."""
    return Wanted(
        extras=tuple(dict.fromkeys(canonicalize_name(one.strip()) for one in extras)),
        groups=tuple(dict.fromkeys(canonicalize_name(one.strip()) for one in groups)),
    )


def refuse_unknown(asked: Wanted, offered: Wanted, where: str) -> None:
    """Raises ``UsageError`` for extras and groups that are asked for and that nothing has; ``where`` was looked."""
    unknown = asked.without(offered)
    if unknown:
        kind, name = ("extra", unknown.extras[0]) if unknown.extras else ("group", unknown.groups[0])
        raise UsageError(f"{where} has no {kind} {name}", hint=_nearest(kind, name, offered))


def _nearest(kind: str, name: str, offered: Wanted) -> str:
    known, other = (offered.extras, offered.groups) if kind == "extra" else (offered.groups, offered.extras)
    if name in other:
        return f"it is {'a group: --group' if kind == 'extra' else 'an extra: --extra'} {name}"
    if near := difflib.get_close_matches(name, known, 1):
        return f"perhaps you meant {near[0]}"
    return f"it has {', '.join(known)}" if known else f"it has no {kind}s at all: leave that out"
