"""What a publication left behind, and which of its versions a snippet is for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from layerforge.core.errors import UsageError
from layerforge.core.limits import DIRECT_UPLOAD_LIMIT, LONGEST_LAYER_NAME
from layerforge.publish.results import PublishedRow, read_published
from layerforge.resolve import function_variables, recipe_values
from layerforge.resolve.function_variables import Disagreement

MOST_LAYERS = 5
"""Layers that a function may have."""

_ARN = re.compile(
    r"arn:aws(?:-[a-z]+)*:lambda:(?P<region>[a-z]+(?:-[a-z]+)+-\d+):\d{12}"
    rf":layer:(?P<name>[a-zA-Z0-9_-]{{1,{LONGEST_LAYER_NAME}}}):(?P<number>[1-9]\d*)"
)


@dataclass(frozen=True, kw_only=True)
class PublishedVersion:
    """A published version of a layer in one Region."""

    region: str
    name: str
    """Of the layer."""
    number: int
    arn: str
    """Of the version, in whichever partition: ``arn:aws-cn:lambda:…:7``."""
    runtimes: tuple[str, ...] = ()
    """Those that it is for, ``python3.13``; none where the result does not say, as those of old do not."""
    architectures: tuple[str, ...] = ()
    """Processors that it is for; none where the result does not say."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Variables that a function with it has to have."""


@dataclass(frozen=True, kw_only=True)
class RegionFailure:
    """What went wrong in a Region."""

    region: str
    error: str

    def __str__(self) -> str:
        return f"{self.region}: {self.error}"


@dataclass(frozen=True, kw_only=True)
class Results:
    """What a publication came to."""

    versions: tuple[PublishedVersion, ...]
    failures: tuple[RegionFailure, ...]


@dataclass(frozen=True, kw_only=True)
class LocalLayer:
    """A layer that is a zip on this disk and not published yet."""

    name: str
    path: str
    """As the user gave it."""
    runtime: str
    """``python3.13``"""
    arch: str
    zipped: int
    """Bytes."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Variables that a function with it has to have."""
    primed: bool = False
    """Whether it has something to load before a snapshot."""

    @property
    def direct(self) -> bool:
        """Whether Lambda takes the zip without a bucket."""
        return self.zipped <= DIRECT_UPLOAD_LIMIT


def results(text: str, name: str) -> Results:
    """Reads what ``layerforge publish`` wrote as JSON; keys that are not needed do not matter.

    ``name`` is what errors call the text. Raises ``UsageError`` where it is nothing of that kind.
    """
    try:
        rows = read_published(text)
        found = [_version(row) for row in rows if row.version_arn]
    except ValueError as error:
        raise UsageError(
            f"{name} is neither a layer's zip nor a result of `layerforge publish`",
            hint="name the zip, or what `layerforge publish --json` or `--write arns.json` wrote",
            details=(str(error),),
        ) from error
    failures = tuple(_failure(row) for row in rows if row.error or not row.version_arn)
    newest = {_layer(one): one for one in sorted(found, key=lambda one: one.number)}
    return Results(versions=tuple(newest[key] for key in sorted(newest)), failures=failures)


def _layer(one: PublishedVersion) -> tuple[str, str, tuple[str, ...], tuple[str, ...]]:
    """What two versions have in common of which the newer takes the older's place."""
    return one.region, one.name, one.runtimes, one.architectures


def _version(row: PublishedRow) -> PublishedVersion:
    match = _ARN.fullmatch(row.version_arn or "")
    if match is None:
        raise ValueError(f"{row.version_arn!r} is no ARN of a layer's version")
    if wrong := recipe_values.function_variables(row.env):
        raise ValueError(f"env {wrong}")
    return PublishedVersion(
        region=match["region"],
        name=match["name"],
        number=int(match["number"]),
        arn=match[0],
        runtimes=tuple(sorted(row.runtimes)),
        architectures=tuple(sorted(row.architectures)),
        env=row.env,
    )


def _failure(row: PublishedRow) -> RegionFailure:
    return RegionFailure(region=row.region or "a Region", error=row.error or "no version was published")


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which versions of a result are meant; all of a kind where none of it is named."""

    regions: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    runtime: str = ""
    """``python3.13``"""
    arch: str = ""


def chosen(found: Results, wanted: Wanted, where: str) -> tuple[PublishedVersion, ...]:
    """The versions that are wanted, all of them fit for one function.

    Raises ``UsageError`` where something is named that the results do not have, where nothing is left, and where what
    is left is for different Pythons or processors.
    """
    kept = _only(found.versions, "Region", wanted.regions, lambda one: (one.region,), where)
    kept = _only(kept, "layer", wanted.names, lambda one: (one.name,), where)
    kept = _only(kept, "Python", _word(wanted.runtime), lambda one: one.runtimes or _word(wanted.runtime), where)
    kept = _only(kept, "processor", _word(wanted.arch), lambda one: one.architectures or _word(wanted.arch), where)
    if not kept:
        raise UsageError(
            f"{where} holds no published version",
            hint="run `layerforge publish` again: it does what is missing",
            details=tuple(map(str, found.failures)),
        )
    _refuse_mixed(kept, lambda one: one.runtimes, "Pythons", "--python", where)
    _refuse_mixed(kept, lambda one: one.architectures, "processors", "--arch", where)
    return kept


def variables(versions: Iterable[PublishedVersion]) -> dict[str, str]:
    """The variables of a function that has all these layers, by name.

    Raises ``UsageError`` where two of them want different values.
    """
    try:
        return function_variables.together((one.name, one.env) for one in versions)
    except Disagreement as error:
        raise UsageError(
            f"{error.owners} want different values of {error.name}, and a function has one",
            hint="choose with --layer, and ask once for each function",
            details=error.details,
        ) from error


def _word(text: str) -> tuple[str, ...]:
    return (text,) if text else ()


def _refuse_mixed(
    versions: Iterable[PublishedVersion],
    of: Callable[[PublishedVersion], tuple[str, ...]],
    what: str,
    option: str,
    where: str,
) -> None:
    """Raises ``UsageError`` where no function could use all the versions: a function has one Python, one processor."""
    said = {of(one) for one in versions if of(one)}
    if len(said) < 2 or frozenset.intersection(*map(frozenset, said)):
        return
    words = sorted({word for one in said for word in one})
    raise UsageError(
        f"{where} holds layers for different {what}, and a function has one: {', '.join(words)}",
        hint=f"choose with {option} {words[0].removeprefix('python')}, and ask once for each",
    )


def _only(
    versions: tuple[PublishedVersion, ...],
    what: str,
    wanted: tuple[str, ...],
    of: Callable[[PublishedVersion], tuple[str, ...]],
    where: str,
) -> tuple[PublishedVersion, ...]:
    if not wanted:
        return versions
    known = {word for one in versions for word in of(one)}
    for word in wanted:
        if word not in known:
            raise UsageError(
                f"{where} has no version for the {what} {word}",
                hint=f"it has {', '.join(sorted(known)) or 'none at all'}",
            )
    return tuple(one for one in versions if not set(of(one)).isdisjoint(wanted))
