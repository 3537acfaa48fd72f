"""Locked wheels installed by uv, every hash enforced."""

from __future__ import annotations

import re
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from urllib.parse import unquote, urlsplit

from layerforge.core import shebang
from layerforge.core.runtimes import Target
from layerforge.resolve.errors import LockError
from layerforge.resolve.uv import (
    OWN_PYTHON,
    PLAIN,
    WHEELS,
    Asked,
    excluding,
    failure,
    limit,
    refuse_unsafe,
    run_compile,
    run_uv,
    target_options,
)
from layerforge.resolve.uv_failures import ANSI
from layerforge.resolve.wheels import EMPTY, Shelf

_LOCAL_WHEEL = re.compile(r"^\S+ @ (file:\S+)", re.MULTILINE)
_LOCAL_PINS = re.compile(r"^\S+ @ file:\S+(?: [^\n]*\n)(?:    --hash=\S+(?: \\\n|\n|$))+", re.MULTILINE)
_OUTSIDE = re.compile(r"[/\\]|[A-Za-z]:|(?:.*[/\\])?\.\.(?:[/\\]|$)")
"""Names in a wheel that are absolute, start with a drive or climb."""

_HASHES = re.compile(r"sha256:[0-9a-f]{64}")

_MISMATCH = re.compile(
    r"Hash mismatch for `(?P<package>[^`]+)`\s*Expected:(?P<expected>.*?)Computed:\s*(?P<computed>sha256:[0-9a-f]{64})",
    re.DOTALL,
)


def install(
    lock: str,
    target: Target,
    into: Path,
    on_line: Callable[[str], None],
    *,
    indexes: tuple[str, ...] = (),
    with_dependencies: bool = True,
    excludes: Iterable[str] = (),
    shelf: Shelf = EMPTY,
) -> None:
    """Installs the wheels of a lock's text into the folder ``into``, every hash enforced; from a shelf what lies there.

    The dependencies are resolved again from the pins alone, so a lock that lacks one is found out; but where the lock
    is not meant to hold them, they are left out. So is what ``excludes`` names, whoever requires it.
    """
    if outside := [name for address in _LOCAL_WHEEL.findall(lock) for name in _outside(address)]:
        # Where the wheel is in uv's cache already, uv has nothing to say of it.
        raise refuse_unsafe(outside)
    argv = ["pip", "install", *OWN_PYTHON, "--require-hashes", "--no-compile-bytecode", "--target", str(into)]
    argv += [*WHEELS, *target_options(target), *([] if with_dependencies else ["--no-deps"])]
    # A package may lie on several indexes, in other versions on the first; with its hash it is the same everywhere.
    argv += ["--index-strategy", "unsafe-best-match"] if indexes else []
    with tempfile.TemporaryDirectory(prefix="layerforge-") as folder:
        # What a wheel's metadata names at an address was made a wheel of, perhaps, and is that.
        own = "\n".join(_LOCAL_PINS.findall(lock))
        argv += [*excluding(excludes, folder), *limit("overrides", own, folder), "-r", "-"]
        if shelf.wheels:
            places = () if shelf.complete else indexes
            done = run_uv([*argv, *shelf.options], stdin="\n".join([*places, lock]), on_line=on_line)
            if not done.status:
                _without_notes(into)
                return
            # Whatever is wrong, the lock perhaps: it is the index that says so in words which are understood.
        done = run_uv(argv, stdin="\n".join([*indexes, lock]), on_line=on_line)
    if done.status:
        raise _lacking(done.stderr, target, indexes) or failure(done.stderr, target, done.status, indexes)
    _without_notes(into)


_NOTES = ("direct_url.json", "uv_build.json", "uv_cache.json")
"""What an installer notes of a wheel that came as a file, and no wheel brings: folders and times of this machine."""


def _without_notes(into: Path) -> None:
    """Takes away what uv notes of where wheels came from, so that they lie there as if an index had given them."""
    for note in [path for name in _NOTES for path in sorted(into.glob(f"*.dist-info/{name}"))]:
        note.unlink()
        record = note.with_name("RECORD")
        own = f"{note.parent.name}/{note.name},".encode()
        lines = [line for line in record.read_bytes().splitlines(keepends=True) if not line.startswith(own)]
        record.unlink()  # it may be a hard link into uv's cache
        record.write_bytes(b"".join(lines))


def _lacking(stderr: str, target: Target, indexes: tuple[str, ...]) -> LockError | None:
    """The error for a lock that was made without this target's wheel; ``None`` where another thing is wrong.

    The index then serves the locked files as before, and the target's, whose hash the lock does not have.
    """
    mismatch = _MISMATCH.search(ANSI.sub("", stderr))
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
    done = run_compile(asked, target, ["--quiet", "--no-deps", *PLAIN, "--generate-hashes", *WHEELS])
    return frozenset(_HASHES.findall(done.stdout.decode()))


def install_for_image(
    text: str, target: Target, into: Path, indexes: tuple[str, ...] = (), shelf: Shelf = EMPTY
) -> None:
    """Installs what a lock holds, with scripts that start the image's interpreter instead of this machine's.

    Raises what ``install`` raises.
    """
    install(text, target, into, lambda _line: None, indexes=indexes, shelf=shelf)
    for script in (into / "bin").glob("*"):
        started = shebang.start(script.read_bytes()) if script.is_file() else None
        if started and shebang.is_python(started.program):
            script.unlink()  # it may be a hard link into uv's cache
            script.write_bytes(f"#!{target.program}\n".encode() + started.body)
            script.chmod(0o755)


def _outside(address: str) -> list[str]:
    """Names in a wheel on disk that lie outside of it; none where uv has to say what is wrong with the file."""
    try:
        with zipfile.ZipFile(unquote(urlsplit(address).path)) as wheel:
            return [name for name in wheel.namelist() if _OUTSIDE.match(name)]
    except (OSError, zipfile.BadZipFile):
        return []
