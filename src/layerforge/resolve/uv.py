"""uv: resolves, locks, downloads and installs wheels for a target that may not be this machine.

uv runs with the user's own configuration (indexes, credentials, certificates, proxies, offline mode). What it says
when it fails becomes an error with a hint.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from layerforge.core import process, runtimes
from layerforge.core.errors import LayerforgeError, StepError
from layerforge.core.runtimes import Arch, Target
from layerforge.core.uv_program import uv_program
from layerforge.resolve.errors import LockError
from layerforge.resolve.lock import Pin
from layerforge.resolve.recipe import Source
from layerforge.resolve.uv_environment import environment, refuse_builds, with_keyring
from layerforge.resolve.uv_failures import (
    ANSI,
    FAILURES,
    NO_SOURCE,
    NO_WHEEL,
    NO_WHEEL_HINT,
    SECRET,
    SOURCE_REFUSED,
    own_words,
)
from layerforge.resolve.wanted import NOTHING, Wanted

OWN_PYTHON = ("--python", sys.executable)
"""Any interpreter will do. Without one uv looks for the target's, and downloads it."""

_UNSAFE = re.compile(r"Skipping unsafe file name: (.*)")
_UNPACKED = re.compile(r"Identified uncached distribution: ([\w.-]+?)(?:==| @ )")
_PINNED = re.compile(r"^([\w.-]+)(?:\[.*?\])?(?:==| @ )", re.MULTILINE)
PLAIN = ("--no-annotate", "--no-header", "--no-emit-index-url")
"""Has uv write locks that hold pins and nothing else."""

WHEELS = ("--only-binary", ":all:")

PRERELEASES = ("allow", "disallow", "if-necessary", "explicit", "if-necessary-or-explicit")
"""uv's words for which prereleases are taken."""
_WARNING = re.compile(r"^warning: (.*)", re.MULTILINE)
_EXACT = re.compile(r"^([\w.-]+)(?:\[.*?\])?==(\S+)", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is to be resolved."""

    source: str
    """The text of requirements."""
    projects: tuple[Path, ...] = ()
    """``pyproject.toml`` files, which uv reads itself."""
    wanted: Wanted = NOTHING
    """Extras and groups of a single one of these."""
    constraints: str = ""
    """Requirements that hold for whatever comes in."""
    overrides: str = ""
    """Requirements that stand in for whatever others of their names are required, at an address perhaps."""
    excludes: tuple[str, ...] = ()
    """Packages that do not come in, whoever requires them."""
    preferred: str = ""
    """Pins of a lock whose versions are taken again where nothing speaks against them."""
    indexes: tuple[str, ...] = ()
    """Options of a requirements file that say where to look besides uv's own configuration, a line each."""
    prerelease: str = ""
    """Which prereleases are taken, in uv's own words; empty where its configuration says it."""
    on_warning: Callable[[str], None] | None = None
    """Gets what uv warns of, such as a release that was yanked."""

    def instead(self, requirements: str) -> Asked:
        """The same for other requirements alone."""
        return replace(self, source=requirements, projects=(), wanted=NOTHING, preferred="")


@dataclass(frozen=True, kw_only=True)
class Release:
    """A source distribution of an index."""

    name: str
    version: str
    source: Source


def compile_lock(asked: Asked, where: Target | str) -> str:
    """Resolves requirements to a lock's text, hashed, without addresses of an index.

    For a target, or from the Python ``where`` on for every platform. From wheels alone: nothing is ever built, since
    that would run the package's code here. Raises ``LayerforgeError``.
    """
    done = run_compile(asked, where, [*PLAIN, "--generate-hashes", "--no-emit-find-links", *WHEELS])
    if done.status:
        # What is for every platform has to be there for one of them.
        raise failure(done.stderr, one_of(where), done.status, asked.indexes)
    if asked.on_warning is not None:
        for warning in _WARNING.findall(ANSI.sub("", done.stderr)):
            asked.on_warning(SECRET.sub("//…@", warning))
    return done.stdout.decode()


def one_of(where: Target | str) -> Target:
    """A target itself, or one of those that a lock is for that begins with a Python."""
    return where if isinstance(where, Target) else runtimes.target(where, Arch.X86_64)


def run_compile(asked: Asked, where: Target | str, options: Sequence[str]) -> process.Completed:
    """Runs ``uv pip compile`` for a target, or for every platform from a Python on."""
    platform = target_options(where) if isinstance(where, Target) else ["--universal", "--python-version", where]
    texts = ["-"] if asked.source.strip() or not asked.projects else []
    with tempfile.TemporaryDirectory() as folder:
        limits = [*limit("constraints", asked.constraints, folder), *limit("overrides", asked.overrides, folder)]
        limits += excluding(asked.excludes, folder)
        # uv takes the versions of a file that it would write over, where they will do.
        limits += limit("output-file", asked.preferred, folder)
        if not texts:
            # Those of a requirements file may hold passwords, and go in with its text instead.
            limits += [word for line in asked.indexes for word in line.split(" ", 1)]
        limits += ["--prerelease", asked.prerelease] if asked.prerelease else []
        projects = [*_wanted(asked), *map(str, asked.projects)]
        argv = ["pip", "compile", *OWN_PYTHON, *limits, *platform, *options, *texts, *projects]
        return run_uv(argv, stdin="\n".join([*asked.indexes, asked.source]))


def _wanted(asked: Asked) -> list[str]:
    """Options that ask for extras and groups of the project; those of several are requirements in the text."""
    if len(asked.projects) != 1:
        return []
    groups = [f"{asked.projects[0]}:{name}" for name in asked.wanted.groups]
    return list(Wanted(extras=asked.wanted.extras, groups=tuple(groups)).options)


def limit(option: str, text: str, folder: str) -> list[str]:
    """An option with the file that it takes, which is written into ``folder``; nothing where the text is empty."""
    if not text.strip():
        return []
    file = Path(folder) / f"{option}.txt"
    file.write_text(text, "utf-8")
    return [f"--{option}", str(file)]


def excluding(names: Iterable[str], folder: str) -> list[str]:
    """Options that keep packages out, whoever requires them."""
    return limit("excludes", "\n".join(names), folder)


def wheel_sizes(asked: Asked, target: Target) -> dict[str, int]:
    """Bytes of the wheel of each requirement by itself, by name; of those whose index says them.

    Raises ``LayerforgeError`` where uv fails.
    """
    return sizes_in(wheels(asked, target))


def sizes_in(rows: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Bytes of the largest wheel of each package of a lock in the format of PEP 751, by name, where it says any."""
    sizes = {row["name"]: [one.get("size", 0) for one in row.get("wheels", ())] for row in rows}
    return {canonicalize_name(name): max(found) for name, found in sizes.items() if any(found)}


def wheels(asked: Asked, target: Target) -> list[dict[str, Any]]:
    """What indexes have for a target of each requirement by itself: a row of PEP 751 with its ``wheels``.

    Raises ``LayerforgeError`` where uv fails.
    """
    done = run_compile(asked, target, ["--quiet", "--no-deps", "--format", "pylock.toml", "--no-header", *WHEELS])
    if done.status:
        raise failure(done.stderr, None, done.status)
    return rows(done.stdout)


def newest(asked: Asked, where: Target | str, *, wheels: bool) -> dict[str, str]:
    """Newest version of each requirement by itself, by name; of those with a wheel alone where ``wheels`` is set.

    Empty where there is none. Without dependencies uv asks no source distribution for its metadata, so none is built.
    """
    done = run_compile(asked, where, ["--quiet", "--no-deps", *PLAIN, *(WHEELS if wheels else ())])
    rows = _EXACT.findall(done.stdout.decode()) if not done.status else []
    return {canonicalize_name(name): version for name, version in rows}


def newest_with_wheel(package: str, target: Target, indexes: tuple[str, ...] = ()) -> str:
    """Newest version of ``package`` that has a wheel for ``target``; empty where none does."""
    found = newest(Asked(source=package, indexes=indexes), target, wheels=True)
    return next(iter(found.values()), "")


def newest_sdist(requirement: str, where: Target | str, asked: Asked) -> Release | None:
    """The newest release of what is required that has a source distribution. Nothing of it is run.

    Constraints and places to look are those of ``asked``. Raises ``LayerforgeError`` where uv fails.
    """
    name = canonicalize_name(Requirement(requirement).name)
    options = ["--quiet", "--no-deps", "--format", "pylock.toml", "--no-header", *WHEELS, "--no-binary", name]
    done = run_compile(asked.instead(requirement), where, options)
    if done.status and NO_SOURCE.search(ANSI.sub("", done.stderr)):
        return None
    if done.status:
        raise failure(done.stderr, None, done.status)
    for row in rows(done.stdout):
        if "sdist" in row:
            sdist = row["sdist"]
            address = sdist.get("url") or Path(sdist["path"]).resolve().as_uri()
            return Release(
                name=name, version=row["version"], source=Source(url=address, sha256=sdist["hashes"]["sha256"])
            )
    return None


def rows(pylock: bytes) -> list[dict[str, Any]]:
    """The packages of a lock in the format of PEP 751."""
    found: list[dict[str, Any]] = tomllib.loads(pylock.decode()).get("packages", [])
    return found


def find_sdist(pin: Pin, target: Target, indexes: tuple[str, ...] = ()) -> Source:
    """Where the source distribution of a pin lies. Raises ``LockError`` where there is none that the lock knows."""
    if not pin.version:
        raise LockError(
            f"{pin.name} is pinned to an address, and only releases of an index can be compiled",
            hint="require it by name and version",
        )
    found = newest_sdist(f"{pin.name}=={pin.version}", target, Asked(source="", indexes=indexes))
    if found is None or f"sha256:{found.source.sha256}" not in pin.hashes:
        raise LockError(
            f"the lock knows no source distribution of {pin.name} {pin.version}",
            hint="renew the lock; a package that publishes wheels only cannot be compiled",
        )
    return found.source


def refuse_unsafe(names: Iterable[str]) -> LockError:
    """The error for a wheel whose files would lie outside the layer."""
    return LockError(
        "a wheel holds files that would lie outside the layer",
        hint="do not use that wheel: no sound package does this",
        details=tuple(names),
    )


def target_options(target: Target) -> list[str]:
    """Options that make uv choose for a target."""
    platform = f"{target.arch.machine}-{target.runtime.manylinux}"
    return ["--python-version", target.python, "--python-platform", platform]


def run_uv(argv: Sequence[str], *, stdin: str, on_line: Callable[[str], None] | None = None) -> process.Completed:
    """Runs uv. Raises ``LockError`` where it meets a wheel with unsafe names, on whatever occasion it unpacks it."""
    refuse_builds()
    env = {**environment(os.environ), "RUST_LOG": "uv_extract=warn,uv_installer=debug"}
    with tempfile.TemporaryDirectory(prefix="layerforge-") as folder:
        own = with_keyring(env, Path(folder))
        done = process.run([uv_program(), *argv], stdin=stdin.encode(), env=own, on_line=on_line)
    if unsafe := _UNSAFE.findall(ANSI.sub("", done.stderr)):
        # uv tells of them while it unpacks, and never again of what its cache holds unpacked.
        if names := set(_UNPACKED.findall(done.stderr) or _PINNED.findall(f"{stdin}\n{done.stdout.decode()}")):
            process.run([uv_program(), "cache", "clean", "--quiet", *sorted(names)], env=env)
        raise refuse_unsafe(unsafe)
    return done


def failure(stderr: str, target: Target | None, status: int = 1, indexes: tuple[str, ...] = ()) -> LayerforgeError:
    """The error that uv's last words and its exit status amount to. ``indexes`` are where it was to look, too."""
    text = ANSI.sub("", stderr)
    details = own_words(text)
    if signal := process.signal_name(status):
        hint = "try again; where it is SIGKILL, the machine may have run out of memory"
        return StepError(f"uv was ended by {signal}", hint=hint, details=details)
    no_wheel = NO_WHEEL_HINT.search(text) or NO_WHEEL.search(text)
    if no_wheel and target is not None:
        source = bool(SOURCE_REFUSED.search(text))
        return _without_wheel(no_wheel["package"], target, details, indexes, source=source)
    for known in FAILURES:
        if match := known.pattern.search(text):
            facts: Mapping[str, str] = match.groupdict()
            return known.error(known.message.format(**facts), hint=known.hint, details=details)
    said = "its own words are above" if details else "it said nothing; `layerforge doctor` says whether it runs at all"
    return LockError(f"uv failed with status {status}", hint=said, details=details)


def _without_wheel(
    package: str, target: Target, details: tuple[str, ...], indexes: tuple[str, ...], *, source: bool
) -> LockError:
    """A package without a fitting wheel, with ways that uv was asked about. ``source``: whether it has an sdist."""
    glibc = ".".join(map(str, target.runtime.glibc))
    ways: list[str] = []
    if newest := newest_with_wheel(package, target, indexes):
        ways.append(f"take {package}=={newest}, the newest version that has one")
    elif found := _other_python(package, target, indexes):
        ways.append(f"take --python {found[0]}, for which {package} {found[1]} has one")
    if source:
        ways.append(f"compile it: `--from-source {package}` and a container engine")
    return LockError(
        f"{package} has no wheel for Python {target.python} on {target.arch} with glibc {glibc}",
        hint=", or ".join(ways) or f"leave {package} out: it has no wheel for any Python of Lambda's, and no source",
        details=details,
    )


def _other_python(package: str, target: Target, indexes: tuple[str, ...]) -> tuple[str, str] | None:
    """The nearest other Python of Lambda's for which a package has a wheel, older ones first, and its version."""
    known = runtimes.runtimes()
    pythons = list(known)
    place = pythons.index(target.python)
    for python in [*reversed(pythons[:place]), *pythons[place + 1 :]]:
        if newest := newest_with_wheel(package, replace(target, runtime=known[python]), indexes):
            return python, newest
    return None
