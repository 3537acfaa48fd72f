"""Locks: exact versions with hashes, in the format that pip and uv share."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import unquote

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from layerforge.core import digest, guarded
from layerforge.core.runtimes import Target, version
from layerforge.resolve import left_out
from layerforge.resolve.errors import LockError
from layerforge.resolve.left_out import LeftOut
from layerforge.resolve.markers import both_markers, environment, required


@dataclass(frozen=True, kw_only=True)
class Pin:
    """One line of a lock: an exact version, the hashes it may have, and when it applies."""

    name: str
    """Normalised name."""
    version: str
    """Exact version; empty for a pin to an address."""
    hashes: tuple[str, ...]
    """``sha256:…``, sorted."""
    marker: str = ""
    address: str = ""
    """Where a direct reference points to; empty for a package of an index."""
    extras: tuple[str, ...] = ()
    """Extras that are asked for, sorted, so that a lock without what they need is found out."""


@dataclass(frozen=True, kw_only=True)
class Lock:
    """Exact versions with hashes, in pip's own format."""

    pins: tuple[Pin, ...]
    oldest_python: str = ""
    """Minor version that the lock was resolved for; empty where it does not say."""
    compiles: frozenset[tuple[str, str]] = frozenset()
    """Names and versions of the packages whose build environments it locks; empty where it does not say."""
    left_out: tuple[LeftOut, ...] = ()
    """What it is without on purpose."""
    leave_out: tuple[str, ...] = ()
    """The words that it was written with, as ``--leave-out`` takes them."""

    def serves(self, pin: Pin) -> bool:
        """Whether a package is compiled with what it holds, in its very version."""
        return not self.compiles or (pin.name, pin.version) in self.compiles


_OLDEST = re.compile(r"^# Locked by layerforge for Python (\d+\.\d+) and newer", re.MULTILINE)
_COMPILES = re.compile(r"^# For compiling (.+)$", re.MULTILINE)
_RENEW = re.compile(r"^# Locked by layerforge .* Renew with: .*$", re.MULTILINE)
_LEAVE_OUT = re.compile(r"--leave-out ([a-z0-9-]+)")
_HASH = re.compile(r"--hash[= ](sha256:[0-9a-f]{64})(?=\s|$)")
_OPTION = re.compile(r"--[a-z][a-z-]*|-[a-z]")
_EDITABLE = re.compile(r"(?:-e\s*|--editable[\s=]+)(.*)")
_PATH = re.compile(r"[./~]|[A-Za-z]:[\\/]|file:")
_USER = re.compile(r"https?://[^/?#]*@")
_PASSWORD = re.compile(r"//[^/?#@]*:[^/?#]*@")
LOCAL_PROJECT = "editable and local projects cannot be locked: build a wheel of them"
CREDENTIALS_HINT = "give the credentials to uv in a netrc file or a keyring instead"


def header(oldest_python: str, renew: str) -> str:
    """First line of a lock that layerforge writes."""
    return f"# Locked by layerforge for Python {oldest_python} and newer. Renew with: {renew}\n"


def purpose(pins: Iterable[Pin]) -> str:
    """A line of a lock of build environments that says what they are for."""
    named = sorted({f"{pin.name} {pin.version}" for pin in pins if pin.version})
    return f"# For compiling {', '.join(named)}\n" if named else ""


def _compiles(text: str) -> frozenset[tuple[str, str]]:
    """What a line of ``purpose`` says."""
    words = (word.split() for found in _COMPILES.findall(text) for word in found.split(","))
    return frozenset((pair[0], pair[1]) for pair in words if len(pair) == 2)


def parse(text: str, name: str) -> Lock:
    """Reads a lock. ``name`` is what errors call it. Raises ``LockError`` with every bad line."""
    pins: list[Pin] = []
    problems: list[str] = []
    for number, line in logical_lines(text):
        try:
            pins.append(_pin(line))
        except ValueError as error:
            problems.append(f"{name}:{number}: {error}")
    if problems:
        raise LockError(
            f"{name} is not a lock that holds",
            hint="write it anew with `layerforge lock TARGET`, or with `uv pip compile --generate-hashes`",
            details=tuple(problems),
        )
    oldest = _OLDEST.search(text)
    ordered = tuple(sorted(pins, key=_order))
    return Lock(
        pins=ordered,
        oldest_python=oldest[1] if oldest else "",
        compiles=_compiles(text),
        left_out=left_out.read(text),
        leave_out=tuple(_LEAVE_OUT.findall(first[0])) if (first := _RENEW.search(text)) else (),
    )


def _order(pin: Pin) -> tuple[str, str, str]:
    return pin.name, pin.version, pin.marker


def logical_lines(text: str) -> Iterator[tuple[int, str]]:
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
    if editable := _EDITABLE.match(line):
        raise ValueError(f"{redacted(editable[1])}: {LOCAL_PROJECT}")
    if line.startswith("-"):
        # Of an option only its name: its value may hold a password.
        option = _OPTION.match(line)
        raise ValueError(f"a lock names no index and no option: delete that line, {option[0] if option else '-'}")
    head = line.partition("--hash")[0].strip()
    if _PATH.match(head):
        wheel = "name the wheel itself as a target, beside the other requirements"
        raise ValueError(f"{redacted(head)}: {wheel if head.endswith('.whl') else LOCAL_PROJECT}")
    requirement = _requirement(head)
    if holds_credentials(requirement.url or ""):
        raise ValueError(f"the address of {requirement.name} holds credentials: {CREDENTIALS_HINT}")
    version = _exact(requirement)
    hashes = tuple(sorted(set(_HASH.findall(line))))
    if not hashes:
        local = (requirement.url or "").startswith("file:")
        raise ValueError(
            f"{requirement.name}: {LOCAL_PROJECT}" if local else f"{requirement.name} has no --hash=sha256:…"
        )
    return Pin(
        name=canonicalize_name(requirement.name),
        version=version,
        hashes=hashes,
        marker=str(requirement.marker or ""),
        address=requirement.url or "",
        extras=tuple(sorted(requirement.extras)),
    )


def _requirement(text: str) -> Requirement:
    try:
        return guarded.requirement(text)
    except guarded.Unreadable as error:
        why = redacted(str(error))
        raise ValueError(f"{redacted(text)!r} is no requirement: {why}") from error


def holds_credentials(address: str) -> bool:
    """Whether an address names a user of a web server, or anyone's password."""
    return bool(_USER.search(address) or _PASSWORD.search(address))


def redacted(text: str) -> str:
    """``text`` without what stands before the ``@`` of an address."""
    return re.sub(r"//\S*@", "//…@", text)


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
        name = f"{pin.name}[{','.join(pin.extras)}]" if pin.extras else pin.name
        what = f"{name} @ {pin.address}" if pin.address else f"{name}=={pin.version}"
        head = f"{what} ; {pin.marker}" if pin.marker else what
        lines.append(" \\\n    ".join([head, *(f"--hash={one}" for one in pin.hashes)]))
    return "\n".join(lines) + "\n"


def render_portable(pins: Iterable[Pin]) -> str:
    """The text of ``pins`` for a file that others get: a wheel on this machine's disk is its version and hash."""
    return render(_portable(pin) for pin in pins)


def _portable(pin: Pin) -> Pin:
    version = wheel_version(pin.address)
    return replace(pin, version=version, address="") if version else pin


def wheel_version(address: str) -> str:
    """Version of the wheel on disk that an address points to; empty where it points to anything else."""
    if not address.startswith("file:"):
        return ""
    try:
        return str(parse_wheel_filename(unquote(address.partition("#")[0].rpartition("/")[2]))[1])
    except InvalidWheelFilename:
        return ""


def portable(requirement: Requirement) -> str:
    """A requirement as text, without the path of a wheel on this machine's disk."""
    version = wheel_version(requirement.url or "")
    if not version:
        return str(requirement)
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    marker = f" ; {requirement.marker}" if requirement.marker else ""
    return str(Requirement(f"{requirement.name}{extras}=={version}{marker}"))


def with_extras(pins: Iterable[Pin], requires: Iterable[str], target: Target) -> tuple[Pin, ...]:
    """The pins with the extras that ``requires`` ask for on ``target``."""
    wanted: dict[str, set[str]] = {}
    for requirement in required(requires, target):
        wanted.setdefault(canonicalize_name(requirement.name), set()).update(requirement.extras)
    return tuple(replace(pin, extras=tuple(sorted({*pin.extras, *wanted.get(pin.name, ())}))) for pin in pins)


def local_pin(name: str, wheel: Path) -> Pin:
    """The pin to a wheel on this machine's disk."""
    return Pin(name=name, version="", hashes=(f"sha256:{digest.of_file(wheel)}",), address=wheel.resolve().as_uri())


def applicable(lock: Lock, target: Target, package: str = "") -> tuple[Pin, ...]:
    """The pins of ``lock`` that count on ``target``, each name once. Raises ``LockError`` where two of a name do.

    ``package`` is the one to be compiled, where the lock is of build environments.
    """
    chosen: dict[str, Pin] = {}
    for pin in lock.pins:
        if not applies(pin, target, package):
            continue
        if pin.name in chosen:
            raise LockError(
                f"the lock holds {pin.name} twice for Python {target.python} on {target.arch}",
                hint="write it anew with `layerforge lock TARGET`",
                details=(f"{chosen[pin.name].version} and {pin.version}",),
            )
        chosen[pin.name] = pin
    return tuple(chosen.values())


def applies(pin: Pin, target: Target, package: str = "") -> bool:
    """Whether a pin counts on ``target``, for the extra ``package`` where that is named."""
    return not pin.marker or Marker(pin.marker).evaluate({**environment(target), "extra": package})


def merge_environments(environments: Mapping[str, Iterable[Pin]]) -> tuple[Pin, ...]:
    """The build environments of several packages as one lock: a pin that is not for all of them names its packages."""
    users: dict[Pin, list[str]] = {}
    for package, pins in environments.items():
        for pin in pins:
            users.setdefault(pin, []).append(package)
    return tuple(
        pin if len(names) == len(environments) else replace(pin, marker=both_markers(pin.marker, _extras(names)))
        for pin, names in users.items()
    )


def _extras(names: Iterable[str]) -> str:
    return " or ".join(f'extra == "{name}"' for name in sorted(names))


def check_fresh(
    requires: Iterable[str], pins: Iterable[Pin], target: Target, hint: str, message: str = "the lock is stale"
) -> None:
    """Raises ``LockError`` where the pins do not satisfy ``requires``: the lock is older than what it locks."""
    by_name = {pin.name: pin for pin in pins}
    stale: list[str] = []
    for requirement in required(requires, target):
        pin = by_name.get(canonicalize_name(requirement.name))
        if pin is None:
            stale.append(f"{requirement} is required but not locked")
        elif pin.version and not requirement.specifier.contains(pin.version, prereleases=True):
            stale.append(f"{requirement} is required but {pin.version} is locked")
        elif requirement.url and not requirement.url.startswith("file:") and not _same(requirement.url, pin.address):
            stale.append(f"{requirement} is required but {pin.address or pin.version} is locked")
    if stale:
        raise LockError(message, hint=hint, details=tuple(stale))


def _same(one: str, other: str) -> bool:
    return one.partition("#")[0] == other.partition("#")[0]


def check_python(lock: Lock, target: Target, hint: str) -> None:
    """Raises ``LockError`` where the lock was made for newer Pythons than the target's."""
    oldest = lock.oldest_python
    if oldest and older(target.python, oldest):
        raise LockError(
            f"the lock is for Python {oldest} and newer, the target is {target.python}",
            hint=hint,
        )


def older(python: str, other: str) -> bool:
    """Whether a Python's minor version comes before another."""
    return version(python) < version(other)
