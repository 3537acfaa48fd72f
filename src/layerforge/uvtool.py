"""uv: resolves, locks, downloads and installs wheels for a target that may not be this machine.

uv runs with the user's own configuration (indexes, credentials, certificates, proxies, offline mode). What it says
when it fails becomes an error with a hint.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import uv
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from layerforge import guarded, process, runtimes
from layerforge.errors import LayerforgeError, LockError, StepError, UsageError
from layerforge.model import Arch, Pin, Source, Target

_PLATFORM = {Arch.X86_64: "x86_64", Arch.ARM64: "aarch64"}
_OWN_PYTHON = ("--python", sys.executable)
"""Any interpreter will do. Without one uv looks for the target's, and downloads it."""
_UNSAFE = re.compile(r"Skipping unsafe file name: (.*)")
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_UNPACKED = re.compile(r"Identified uncached distribution: ([\w.-]+?)(?:==| @ )")
_PINNED = re.compile(r"^([\w.-]+)(?:\[.*?\])?(?:==| @ )", re.MULTILINE)
_LOCAL_WHEEL = re.compile(r"^\S+ @ (file:\S+)", re.MULTILINE)
_OUTSIDE = re.compile(r"[/\\]|[A-Za-z]:|(?:.*[/\\])?\.\.(?:[/\\]|$)")
"""Names in a wheel that are absolute, start with a drive or climb."""
_SECRET = re.compile(r"//\S*@")
_PLAIN = ("--no-annotate", "--no-header", "--no-emit-index-url")
"""Has uv write locks that hold pins and nothing else."""
_WHEELS = ("--only-binary", ":all:")
_WARNING = re.compile(r"^warning: (.*)", re.MULTILINE)
_HASHES = re.compile(r"sha256:[0-9a-f]{64}")
_MISMATCH = re.compile(
    r"Hash mismatch for `(?P<package>[^`]+)`\s*Expected:(?P<expected>.*?)Computed:\s*(?P<computed>sha256:[0-9a-f]{64})",
    re.DOTALL,
)
_EXACT = re.compile(r"^([\w.-]+)(?:\[.*?\])?==(\S+)", re.MULTILINE)
_PASSED = re.compile(
    r"UV_.*|XDG_.*|LC_.*|SSL_CERT_(FILE|DIR)|(?i:(https?|all|no)_proxy)|PATH|HOME|USER|LOGNAME|LANG|TMPDIR|NETRC|TZ"
    r"|SYSTEMROOT|DBUS_SESSION_BUS_ADDRESS"
)
"""Variables that uv gets. The others are none of its business, and some hold what must not get about."""
_NOWHERE = "/nonexistent/no-code-of-packages-runs-here"
_ELSEWHERE = re.compile(r"UV_WORKING_DIR(ECTORY)?|UV_PROJECT")
"""Variables that have uv look for its configuration in another folder than this one."""
_BUILDING = frozenset({"no-binary", "no-binary-package", "extra-build-variables", "extra-build-dependencies"})
"""Keys of uv's configuration that have packages built, or say with what."""
_KEYRING = "UV_KEYRING_PROVIDER"
"""Where the user has uv ask a program for passwords, that program may need whatever the user has."""
_CHATTER = ("Using CPython", "DEBUG ", "WARN ")
_WORDS = 10
"""Most lines of uv's own words that an error repeats."""


@dataclass(frozen=True, kw_only=True)
class Failure:
    """One way in which uv fails: how its message looks, and what to tell the user."""

    pattern: re.Pattern[str]
    message: str
    hint: str
    error: type[LayerforgeError] = LockError


FAILURES = (
    Failure(
        pattern=re.compile(r"No space left on device|os error 28|Disk quota exceeded|os error 122"),
        message="no space is left for the wheels",
        hint="free some space, or set UV_CACHE_DIR and LAYERFORGE_CACHE to a larger disk",
        error=StepError,
    ),
    Failure(
        pattern=re.compile(r"[Ff]ailed to (?:initialize|open) cache|[Ff]ailed to create directory"),
        message="uv's cache cannot be written",
        hint="set UV_CACHE_DIR to a folder that you may write to",
        error=UsageError,
    ),
    Failure(
        pattern=re.compile(r"Failed to (?:download and )?build `(?P<package>[^`]+)`"),
        message="{package} would have to be built, which would run its code on this machine",
        hint="name a wheel of it; a release of an index is compiled in a container with --from-source NAME",
    ),
    Failure(
        pattern=re.compile(r"Hash mismatch for `(?P<package>[^`]+)`"),
        message="the wheel of {package} does not have the hash that the lock asks for",
        hint="the index serves other bytes than those that were locked: find out why before you renew the lock",
    ),
    Failure(
        pattern=re.compile(r"Hash-checking is required|must have their versions pinned|`--require-hashes` mode"),
        message="the lock is incomplete",
        hint="renew it with `layerforge lock TARGET`",
    ),
    # uv calls a package not found, too, where it could not ask the index.
    Failure(
        pattern=re.compile(r"401 Unauthorized|HTTP status client error \(40[13]"),
        message="the index refuses the credentials",
        hint="give them as uv takes them: UV_INDEX_<NAME>_USERNAME and _PASSWORD, a keyring or a netrc file",
    ),
    Failure(
        pattern=re.compile(r"Because (?P<package>\S+) was not found in the.*403 Forbidden", re.DOTALL),
        message="the index does not give {package} to you, or does not have it",
        hint="check the spelling, and the credentials that uv has for it, in a netrc file or a keyring",
    ),
    Failure(
        pattern=re.compile(r"Network connectivity is disabled|in the cache|because the network was disabled", re.I),
        message="uv is offline and its cache does not hold all that is needed",
        hint="unset UV_OFFLINE, or fill uv's cache once while online",
    ),
    Failure(
        pattern=re.compile(r"Because (?P<package>\S+) was not found in the"),
        message="there is no package {package}",
        hint="check the spelling, and UV_INDEX or UV_DEFAULT_INDEX if it lies in an index of your own",
    ),
    Failure(
        pattern=re.compile(r"invalid peer certificate|UnknownIssuer|certificate verify failed"),
        message="the index's certificate is not trusted",
        hint="set SSL_CERT_FILE to your proxy's certificates, or UV_SYSTEM_CERTS=1 to use the system's",
    ),
    Failure(
        pattern=re.compile(r"error sending request|dns error|[Cc]onnection refused|timed out|Failed to fetch"),
        message="the package index cannot be reached",
        hint="check the network, HTTPS_PROXY and SSL_CERT_FILE; with everything in uv's cache, UV_OFFLINE=1 works",
    ),
    Failure(
        pattern=re.compile(r"conflict|[Yy]our requirements are unsatisfiable|No solution found"),
        message="the requirements cannot be satisfied together",
        hint="loosen the one that uv names below",
    ),
    Failure(
        pattern=re.compile(r"Couldn't parse requirement|Failed to parse|[Ii]nvalid requirement"),
        message="uv cannot read the requirements",
        hint="write one requirement a line, such as `pandas>=3`",
    ),
)

_NO_WHEEL = re.compile(
    r"[Bb]ecause (?:only |all versions of )?(?P<package>[\w.-]+)[^\s,]*(?: [^,]*?)? ha(?:s|ve) no (?:usable )?wheels"
)
_SOURCE_REFUSED = re.compile(r"building from source is disabled|no usable wheels")
"""What uv says where there is a source, and never where a package has none."""
_NO_WHEEL_HINT = re.compile(r"Wheels are (?:required|available) for `(?P<package>[\w.-]+)`")


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is to be resolved."""

    source: str | Path
    """The text of requirements, or a ``pyproject.toml`` that uv reads itself."""
    constraints: str = ""
    """Requirements that hold for whatever comes in."""
    indexes: tuple[str, ...] = ()
    """Options of a requirements file that say where to look besides uv's own configuration, a line each."""
    on_warning: Callable[[str], None] | None = None
    """Gets what uv warns of, such as a release that was yanked."""


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
    done = _compile(asked, where, [*_PLAIN, "--generate-hashes", "--no-emit-find-links", *_WHEELS])
    if done.status:
        # What is for every platform has to be there for one of them.
        one = where if isinstance(where, Target) else runtimes.target(where, Arch.X86_64)
        raise failure(done.stderr, one, done.status)
    if asked.on_warning is not None:
        for warning in _WARNING.findall(_ANSI.sub("", done.stderr)):
            asked.on_warning(_SECRET.sub("//…@", warning))
    return done.stdout.decode()


def _compile(asked: Asked, where: Target | str, options: Sequence[str]) -> process.Completed:
    platform = _target(where) if isinstance(where, Target) else ["--universal", "--python-version", where]
    given, text = (str(asked.source), "") if isinstance(asked.source, Path) else ("-", asked.source)
    with tempfile.TemporaryDirectory() as folder:
        constrained = Path(folder) / "constraints.txt"
        constrained.write_text(asked.constraints, "utf-8")
        limits = ["--constraints", str(constrained)] if asked.constraints.strip() else []
        if isinstance(asked.source, Path):
            # Those of a requirements file may hold passwords, and go in with its text instead.
            limits += [word for line in asked.indexes for word in line.split(" ", 1)]
        argv = ["pip", "compile", *_OWN_PYTHON, *limits, *platform, *options, given]
        return _run(argv, stdin="\n".join([*asked.indexes, text]))


def newest(asked: Asked, where: Target | str, *, wheels: bool) -> dict[str, str]:
    """Newest version of each requirement by itself, by name; of those with a wheel alone where ``wheels`` is set.

    Empty where there is none. Without dependencies uv asks no source distribution for its metadata, so none is built.
    """
    done = _compile(asked, where, ["--quiet", "--no-deps", *_PLAIN, *(_WHEELS if wheels else ())])
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
    options = ["--quiet", "--no-deps", "--format", "pylock.toml", "--no-header", *_WHEELS, "--no-binary", name]
    done = _compile(replace(asked, source=requirement), where, options)
    if done.status:
        raise failure(done.stderr, None, done.status)
    for row in _rows(done.stdout):
        if "sdist" in row:
            sdist = row["sdist"]
            address = sdist.get("url") or Path(sdist["path"]).resolve().as_uri()
            return Release(
                name=name, version=row["version"], source=Source(url=address, sha256=sdist["hashes"]["sha256"])
            )
    return None


def _rows(pylock: bytes) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = tomllib.loads(pylock.decode()).get("packages", [])
    return rows


def refuse_builds() -> None:
    """Raises ``LockError`` where uv's configuration has it build packages, or changes with what they are built.

    The environment keeps a build from running any code, but a configuration can take that back, and that of a folder
    may be anybody's.
    """
    for file in _configurations():
        try:
            table: Any = guarded.toml(guarded.text(file))
        except guarded.Unreadable:
            continue  # uv says what is wrong with it
        for key in ("tool", "uv") if file.name == "pyproject.toml" else ():
            table = table.get(key) if isinstance(table, dict) else None
        tables = [table, table.get("pip")] if isinstance(table, dict) else []
        found = sorted({key for one in tables if isinstance(one, dict) for key in one if key in _BUILDING and one[key]})
        if found:
            raise LockError(
                f"{file} has uv build packages, which would run their code on this machine: {', '.join(found)}",
                hint="leave that out there, and compile a package in a container with --from-source NAME",
            )


def _configurations() -> Iterator[Path]:
    """Files in which uv looks for its configuration."""
    if named := os.environ.get("UV_CONFIG_FILE"):
        yield Path(named)
        return
    home = Path(os.environ.get("XDG_CONFIG_HOME") or Path("~/.config").expanduser())
    yield from (home / "uv" / "uv.toml", Path("/etc/uv/uv.toml"))
    here = Path.cwd()
    for above in (here, *here.parents):
        yield from (path for path in (above / "uv.toml", above / "pyproject.toml") if path.is_file())


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


def install(
    lock: str,
    target: Target,
    into: Path,
    on_line: Callable[[str], None],
    *,
    indexes: tuple[str, ...] = (),
    with_dependencies: bool = True,
) -> None:
    """Installs the wheels of a lock's text into the folder ``into``, every hash enforced.

    The dependencies are resolved again from the pins alone, so a lock that lacks one is found out; but where the lock
    is not meant to hold them, they are left out.
    """
    if outside := [name for address in _LOCAL_WHEEL.findall(lock) for name in _outside(address)]:
        # Where the wheel is in uv's cache already, uv has nothing to say of it.
        raise _unsafe(outside)
    argv = ["pip", "install", *_OWN_PYTHON, "--require-hashes", "--no-compile-bytecode", "--target", str(into)]
    argv += [*_WHEELS, *_target(target), *([] if with_dependencies else ["--no-deps"]), "-r", "-"]
    done = _run(argv, stdin="\n".join([*indexes, lock]), on_line=on_line)
    if done.status:
        raise _lacking(done.stderr, target, indexes) or failure(done.stderr, target, done.status)


def _lacking(stderr: str, target: Target, indexes: tuple[str, ...]) -> LockError | None:
    """The error for a lock that was made without this target's wheel; ``None`` where another thing is wrong.

    The index then serves the locked files as before, and the target's, whose hash the lock does not have.
    """
    mismatch = _MISMATCH.search(_ANSI.sub("", stderr))
    served = _served(mismatch["package"], target, indexes) if mismatch else frozenset[str]()
    if mismatch is None or not served >= set(_HASHES.findall(mismatch["expected"])) | {mismatch["computed"]}:
        return None
    package = mismatch["package"]
    return LockError(
        f"the lock does not have the wheel of {package} for Python {target.python} on {target.arch}",
        hint=f"renew it for this Python: `layerforge lock TARGET --python {target.python}`",
        details=(f"the lock has {mismatch['expected'].strip()}", f"the wheel is {mismatch['computed']}"),
    )


def _served(package: str, target: Target, indexes: tuple[str, ...]) -> frozenset[str]:
    """Hashes of all that the index has of ``name==version``."""
    asked = Asked(source=package, indexes=indexes)
    done = _compile(asked, target, ["--quiet", "--no-deps", *_PLAIN, "--generate-hashes", *_WHEELS])
    return frozenset(_HASHES.findall(done.stdout.decode()))


def install_for_image(text: str, target: Target, into: Path, indexes: tuple[str, ...] = ()) -> None:
    """Installs what a lock holds, with scripts that start the image's interpreter instead of this machine's.

    Raises what ``install`` raises.
    """
    install(text, target, into, lambda _line: None, indexes=indexes)
    for script in (into / "bin").glob("*"):
        data = script.read_bytes() if script.is_file() else b""
        if data.startswith(b"#!") and b"python" in data.partition(b"\n")[0]:
            script.unlink()  # it may be a hard link into uv's cache
            script.write_bytes(f"#!/var/lang/bin/python{target.python}\n".encode() + data.partition(b"\n")[2])
            script.chmod(0o755)


def _outside(address: str) -> list[str]:
    """Names in a wheel on disk that lie outside of it; none where uv has to say what is wrong with the file."""
    try:
        with zipfile.ZipFile(unquote(urlsplit(address).path)) as wheel:
            return [name for name in wheel.namelist() if _OUTSIDE.match(name)]
    except (OSError, zipfile.BadZipFile):
        return []


def _unsafe(names: Iterable[str]) -> LockError:
    return LockError(
        "a wheel holds files that would lie outside the layer",
        hint="do not use that wheel: no sound package does this",
        details=tuple(names),
    )


def _target(target: Target) -> list[str]:
    platform = f"{_PLATFORM[target.arch]}-{target.runtime.manylinux}"
    return ["--python-version", target.python, "--python-platform", platform]


def _run(argv: Sequence[str], *, stdin: str, on_line: Callable[[str], None] | None = None) -> process.Completed:
    """Runs uv. Raises ``LockError`` where it meets a wheel with unsafe names, on whatever occasion it unpacks it."""
    refuse_builds()
    env = {**environment(os.environ), "RUST_LOG": "uv_extract=warn,uv_installer=debug"}
    with tempfile.TemporaryDirectory(prefix="layerforge-") as folder:
        own = _with_keyring(env, Path(folder))
        done = process.run([uv.find_uv_bin(), *argv], stdin=stdin.encode(), env=own, on_line=on_line)
    if unsafe := _UNSAFE.findall(_ANSI.sub("", done.stderr)):
        # uv tells of them while it unpacks, and never again of what its cache holds unpacked.
        if names := set(_UNPACKED.findall(done.stderr) or _PINNED.findall(f"{stdin}\n{done.stdout.decode()}")):
            process.run([uv.find_uv_bin(), "cache", "clean", "--quiet", *sorted(names)], env=env)
        raise _unsafe(unsafe)
    return done


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    """What of a process's variables uv gets.

    It looks at interpreters in isolated mode and builds packages without that. So with a PYTHONHOME that is not there
    it works as ever, and whatever a file, a configuration or an option has it build ends before any code of a package.
    """
    every = variables.get(_KEYRING, "disabled") != "disabled"
    named = {key: value for key, value in variables.items() if every or _PASSED.fullmatch(key)}
    kept = {key: value for key, value in named.items() if not _ELSEWHERE.fullmatch(key)}
    return {**kept, "PYTHONHOME": _NOWHERE}


def _with_keyring(env: Mapping[str, str], folder: Path) -> dict[str, str]:
    """The variables with which uv finds a keyring that runs: it is a program in Python, and of the user's choice."""
    found = shutil.which("keyring", path=env.get("PATH"))
    if found is None or env.get(_KEYRING, "disabled") == "disabled":
        return dict(env)
    script = folder / "keyring"
    script.write_text(f'#!/bin/sh\nunset PYTHONHOME\nexec {shlex.quote(found)} "$@"\n', "utf-8")
    script.chmod(0o755)
    return {**env, "PATH": f"{folder}{os.pathsep}{env.get('PATH', '')}"}


def failure(stderr: str, target: Target | None, status: int = 1) -> LayerforgeError:
    """The error that uv's last words and its exit status amount to."""
    text = _ANSI.sub("", stderr)
    details = _own_words(text)
    if signal := process.signal_name(status):
        hint = "try again; where it is SIGKILL, the machine may have run out of memory"
        return StepError(f"uv was ended by {signal}", hint=hint, details=details)
    no_wheel = _NO_WHEEL_HINT.search(text) or _NO_WHEEL.search(text)
    if no_wheel and target is not None:
        source = bool(_SOURCE_REFUSED.search(text))
        return _without_wheel(no_wheel["package"], target, details, source=source)
    for known in FAILURES:
        if match := known.pattern.search(text):
            facts: Mapping[str, str] = match.groupdict()
            return known.error(known.message.format(**facts), hint=known.hint, details=details)
    said = "its own words are above" if details else "it said nothing; `layerforge doctor` says whether it runs at all"
    return LockError(f"uv failed with status {status}", hint=said, details=details)


def _own_words(text: str) -> tuple[str, ...]:
    """What uv says of its failure, without its progress before that, without passwords, and not at any length."""
    lines = [_SECRET.sub("//…@", line) for line in text.splitlines() if line.strip()]
    first = next((number for number, line in enumerate(lines) if line.startswith("error")), 0)
    words = [line for line in lines[first:] if not line.startswith(_CHATTER)]
    more = len(words) - _WORDS + 1
    return tuple(words) if more < 2 else (*words[: _WORDS - 1], f"… and {more} lines more")


def _without_wheel(package: str, target: Target, details: tuple[str, ...], *, source: bool) -> LockError:
    """A package without a fitting wheel, with ways that uv was asked about. ``source``: whether it has an sdist."""
    glibc = ".".join(map(str, target.runtime.glibc))
    ways: list[str] = []
    if newest := newest_with_wheel(package, target):
        ways.append(f"take {package}=={newest}, the newest version that has one")
    elif found := _other_python(package, target):
        ways.append(f"take --python {found[0]}, for which {package} {found[1]} has one")
    if source:
        ways.append(f"compile it: `--from-source {package}` and a container engine")
    return LockError(
        f"{package} has no wheel for Python {target.python} on {target.arch} with glibc {glibc}",
        hint=", or ".join(ways) or f"leave {package} out: it has no wheel for any Python of Lambda's, and no source",
        details=details,
    )


def _other_python(package: str, target: Target) -> tuple[str, str] | None:
    """The nearest other Python of Lambda's for which a package has a wheel, older ones first, and its version."""
    known = runtimes.runtimes()
    pythons = list(known)
    place = pythons.index(target.python)
    for python in [*reversed(pythons[:place]), *pythons[place + 1 :]]:
        if newest := newest_with_wheel(package, replace(target, runtime=known[python])):
            return python, newest
    return None
