"""Locks: exact versions with hashes, in the format that pip and uv share."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from packaging.markers import InvalidMarker, Marker
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from layerforge.errors import LockError
from layerforge.model import Arch, Lock, Pin, Target

_OLDEST = re.compile(r"^# Locked by layerforge for Python (\d+\.\d+) and newer", re.MULTILINE)
_HASH = re.compile(r"--hash[= ](sha256:[0-9a-f]{64})(?=\s|$)")


def header(oldest_python: str, renew: str) -> str:
    """First line of a lock that layerforge writes."""
    return f"# Locked by layerforge for Python {oldest_python} and newer. Renew with: {renew}\n"


def parse(text: str, name: str) -> Lock:
    """Reads a lock. ``name`` is what errors call it. Raises ``LockError`` with every bad line."""
    pins: list[Pin] = []
    problems: list[str] = []
    for number, line in _logical_lines(text):
        try:
            pins.append(_pin(line))
        except ValueError as error:
            problems.append(f"{name}:{number}: {error}")
    if problems:
        raise LockError(
            f"{name} is not a lock that holds",
            hint="write it anew with `layerforge lock`, or with `uv pip compile --generate-hashes`",
            details=tuple(problems),
        )
    oldest = _OLDEST.search(text)
    return Lock(pins=tuple(sorted(pins, key=_order)), oldest_python=oldest[1] if oldest else "")


def _order(pin: Pin) -> tuple[str, str, str]:
    return pin.name, pin.version, pin.marker


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines without comments, joined where they end in a backslash, with the number of their first one."""
    start, held = 0, ""
    for number, raw in enumerate(text.splitlines(), 1):
        line = re.sub(r"(^|\s)#.*$", "", raw).rstrip()
        start = start or number
        held += line.removesuffix("\\") + " "
        if not line.endswith("\\"):
            if held.strip():
                yield start, held.strip()
            start, held = 0, ""
    if held.strip():
        yield start, held.strip()


def _pin(line: str) -> Pin:
    if line.startswith("-"):
        raise ValueError(f"a lock names no index and no option: {line.split()[0]}")
    head = line.partition("--hash")[0].strip()
    try:
        requirement = Requirement(head)
    except (InvalidRequirement, InvalidMarker) as error:
        raise ValueError(f"{head!r} is no requirement: {str(error).splitlines()[0]}") from error
    version = _exact(requirement)
    hashes = tuple(sorted(set(_HASH.findall(line))))
    if not hashes:
        raise ValueError(f"{requirement.name} has no --hash=sha256:…")
    return Pin(
        name=canonicalize_name(requirement.name),
        version=version,
        hashes=hashes,
        marker=str(requirement.marker or ""),
        address=requirement.url or "",
    )


def _exact(requirement: Requirement) -> str:
    if requirement.url:
        return ""
    specifiers = list(requirement.specifier)
    if len(specifiers) != 1 or specifiers[0].operator not in {"==", "==="} or "*" in specifiers[0].version:
        raise ValueError(f"{requirement.name} is not pinned with ==")
    return specifiers[0].version


def render(pins: Iterable[Pin]) -> str:
    """The text of ``pins`` as pip and uv read them: sorted, without comments."""
    lines: list[str] = []
    for pin in sorted(pins, key=_order):
        what = f"{pin.name} @ {pin.address}" if pin.address else f"{pin.name}=={pin.version}"
        head = f"{what} ; {pin.marker}" if pin.marker else what
        lines.append(" \\\n    ".join([head, *(f"--hash={digest}" for digest in pin.hashes)]))
    return "\n".join(lines) + "\n"


def local_pin(name: str, wheel: Path) -> Pin:
    """The pin to a wheel on this machine's disk."""
    with wheel.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Pin(name=name, version="", hashes=(f"sha256:{digest}",), address=wheel.resolve().as_uri())


def environment(target: Target) -> dict[str, str]:
    """The values of PEP 508's markers on ``target``."""
    return {
        "implementation_name": "cpython",
        "implementation_version": f"{target.python}.0",
        "os_name": "posix",
        "platform_machine": {Arch.X86_64: "x86_64", Arch.ARM64: "aarch64"}[target.arch],
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": "Linux",
        "platform_version": "",
        "python_full_version": f"{target.python}.0",
        "python_version": target.python,
        "sys_platform": "linux",
    }


def applicable(lock: Lock, target: Target) -> tuple[Pin, ...]:
    """The pins of ``lock`` that count on ``target``, each name once. Raises ``LockError`` where two of a name do."""
    chosen: dict[str, Pin] = {}
    for pin in lock.pins:
        if not _applies(pin, environment(target)):
            continue
        if pin.name in chosen:
            raise LockError(
                f"the lock holds {pin.name} twice for Python {target.python} on {target.arch}",
                hint="write it anew with `layerforge lock`",
                details=(f"{chosen[pin.name].version} and {pin.version}",),
            )
        chosen[pin.name] = pin
    return tuple(chosen.values())


def _applies(pin: Pin, env: Mapping[str, str]) -> bool:
    return not pin.marker or Marker(pin.marker).evaluate(dict(env))


def check_fresh(requires: Iterable[str], pins: Iterable[Pin], target: Target, renew: str) -> None:
    """Raises ``LockError`` where the pins do not satisfy ``requires``: the lock is older than what it locks."""
    by_name = {pin.name: pin for pin in pins}
    stale: list[str] = []
    for requirement in map(Requirement, requires):
        if requirement.marker and not requirement.marker.evaluate(environment(target)):
            continue
        pin = by_name.get(canonicalize_name(requirement.name))
        if pin is None:
            stale.append(f"{requirement} is required but not locked")
        elif pin.version and not requirement.specifier.contains(pin.version, prereleases=True):
            stale.append(f"{requirement} is required but {pin.version} is locked")
    if stale:
        raise LockError("the lock is stale", hint=f"renew it with `{renew}`", details=tuple(stale))


def check_python(lock: Lock, target: Target, renew: str) -> None:
    """Raises ``LockError`` where the lock was made for newer Pythons than the target's."""
    oldest = lock.oldest_python
    if oldest and _minor(target.python) < _minor(oldest):
        raise LockError(
            f"the lock is for Python {oldest} and newer, the target is {target.python}",
            hint=f"renew it with `{renew} --python {target.python}`, or name requirements instead of the recipe",
        )


def _minor(python: str) -> tuple[int, ...]:
    return tuple(int(part) for part in python.split("."))
