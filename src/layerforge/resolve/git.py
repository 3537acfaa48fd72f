"""git, which is only ever asked for files: no hook, filter or program that a repository names is run."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from layerforge.core import process
from layerforge.core.errors import StepError
from layerforge.resolve import lock
from layerforge.resolve.errors import LockError
from layerforge.resolve.wheel_source import WheelSource

TIMEOUT = 900.0
"""Seconds that fetching a commit may take."""

_HARMLESS = (
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "core.fsmonitor=false"),
    *("-c", "core.untrackedCache=false"),
    *("-c", "protocol.ext.allow=never"),
    *("-c", "submodule.recurse=false"),
    *("-c", "tar.umask=0022"),
    *("-c", "filter.lfs.smudge="),
    *("-c", "filter.lfs.process="),
    *("-c", "filter.lfs.required=false"),
    *("-c", "maintenance.auto=false"),
    *("-c", "gc.auto=0"),
)
_PROTOCOLS = "file:git:http:https:ssh"
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_PART_OF_COMMIT = re.compile(r"[0-9a-f]{7,63}")
_WORDS = 8
"""Most lines of git's own words that an error repeats."""


@dataclass(frozen=True, kw_only=True)
class Files:
    """Paths below a folder, sorted."""

    root: Path
    """Of the repository that the folder is in."""
    tracked: tuple[str, ...]
    new: tuple[str, ...]
    """That git neither tracks nor ignores."""


def files(folder: Path) -> Files | None:
    """What git says of the files of a folder; ``None`` where it is in no repository, or one that ignores it."""
    found: list[tuple[str, ...]] = []
    for which in (("--cached", "--deduplicate"), ("--others", "--exclude-standard")):
        try:
            done = _git(folder, "ls-files", "-z", *which)
        except OSError:
            return None  # there is no git
        if done.status:
            return None
        found.append(tuple(sorted(os.fsdecode(name) for name in done.stdout.split(b"\0") if name)))
    top = _git(folder, "rev-parse", "--show-toplevel")
    root = Path(os.fsdecode(top.stdout.rstrip(b"\n"))) if not top.status else folder
    return Files(root=root.resolve(), tracked=found[0], new=found[1]) if any(found) else None


def described(folder: Path) -> str:
    """What git calls the commit of a folder: ``v1.2-3-gabc1234``; empty where it has no tag.

    It does not say whether files were changed since: to find out, git may run filters that the repository names.
    """
    try:
        done = _git(folder, "describe", "--tags", "--long", "--match", "*[0-9]*")
    except OSError:
        return ""
    return "" if done.status else done.stdout.decode("utf-8", "replace").strip()


def is_commit(ref: str) -> bool:
    """Whether a name is a commit's own, which never comes to mean another."""
    return _COMMIT.fullmatch(ref) is not None


def commit_of(source: WheelSource) -> str:
    """The commit that a repository's branch or tag points to now; the one that is named, without asking anybody.

    Empty where only fetching tells. Raises ``LockError`` where the repository cannot be asked.
    """
    if is_commit(source.ref):
        return source.ref
    wanted = source.ref or "HEAD"
    done = _asked(source, None, "ls-remote", "--", source.place, wanted, f"{wanted}^{{}}")
    rows = [line.partition("\t") for line in done.stdout.decode("utf-8", "replace").splitlines()]
    found = {name: commit for commit, _, name in rows}
    for name in (f"refs/tags/{wanted}^{{}}", f"refs/tags/{wanted}", f"refs/heads/{wanted}", wanted):
        if is_commit(found.get(name, "")):
            return found[name]
    return ""


def fetched(source: WheelSource, commit: str) -> tuple[str, bytes]:
    """The commit of a repository, and its files as git packs them into a tar.

    ``commit`` is what ``commit_of`` gave. Raises ``LockError`` where there is no such commit.
    """
    with tempfile.TemporaryDirectory(prefix="layerforge-") as name:
        folder = Path(name)
        _asked(source, folder, "init", "--quiet", "--bare", "--template=", ".")
        if commit and not _tried(folder, "fetch", "--quiet", "--depth", "1", "--no-tags", "--", source.place, commit):
            found = commit
        else:
            # A server need not give a commit by its name alone.
            refs = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
            _asked(source, folder, "fetch", "--quiet", "--", source.place, *refs)
            found = _resolved(source, folder)
        if _git(folder, "cat-file", "-e", f"{found}:.gitmodules").status == 0:
            raise LockError(
                f"{lock.redacted(source.place)} has submodules, which are not fetched",
                hint="make a wheel of it where they are there, and name that",
            )
        return found, _asked(source, folder, "archive", "--format=tar", found).stdout


def _resolved(source: WheelSource, folder: Path) -> str:
    known = _PART_OF_COMMIT.fullmatch(source.ref) or is_commit(source.ref)
    done = _git(folder, "rev-parse", "--verify", "--quiet", f"{source.ref}^{{commit}}") if known else None
    found = done.stdout.decode().strip() if done else ""
    if not is_commit(found):
        raise LockError(
            f"{lock.redacted(source.place)} has no branch, tag or commit {source.ref or 'HEAD'}",
            hint="`git ls-remote` with that address lists what it has",
        )
    return found


def _tried(folder: Path, *words: str) -> int:
    return _git(folder, *words).status


def _asked(source: WheelSource, folder: Path | None, *words: str) -> process.Completed:
    """What git did. Raises ``LockError`` with its own words where it failed, ``StepError`` where there is none."""
    try:
        done = _git(folder, *words)
    except OSError as error:
        raise StepError(
            f"{lock.redacted(source.place)} is a git repository, and there is no git on this machine",
            hint="install git, or name a wheel of it",
        ) from error
    if done.status or done.timed_out:
        said = [lock.redacted(line) for line in done.stderr.splitlines() if line.strip()]
        raise LockError(
            f"{lock.redacted(source.place)} cannot be fetched",
            hint="try `git ls-remote` with that address: credentials are git's own, and none are asked for here",
            details=tuple(said[-_WORDS:]) or (("it took too long",) if done.timed_out else ()),
        )
    return done


def _git(folder: Path | None, *words: str) -> process.Completed:
    argv: Sequence[str] = ("git", *_HARMLESS, *words)
    kept = {key: value for key, value in os.environ.items() if not key.startswith("GIT_") or key in _KEPT}
    env = kept | {
        "GIT_ALLOW_PROTOCOL": _PROTOCOLS,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_LFS_SKIP_SMUDGE": "1",
        "LC_ALL": "C",
    }
    return process.run(argv, env=env, cwd=folder, timeout=TIMEOUT)


_KEPT = frozenset(
    {"GIT_SSH", "GIT_SSH_COMMAND", "GIT_ASKPASS", "GIT_SSL_CAINFO", "GIT_SSL_CAPATH", "GIT_PROXY_SSL_CAINFO"}
    | {"GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM", "GIT_CONFIG_COUNT", "GIT_CURL_VERBOSE"}
    | {f"GIT_CONFIG_{kind}_{number}" for kind in ("KEY", "VALUE") for number in range(20)}
)
"""Variables by which people tell git who they are. Others would lead it to another repository."""
