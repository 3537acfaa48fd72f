"""Rules about the archive itself: its size, its names and modes, and where its files lie."""

from __future__ import annotations

import posixpath
import re
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence

from layerforge.core.findings import Finding, Severity
from layerforge.core.limits import LAMBDA_UNZIPPED_LIMIT
from layerforge.core.paths import site_dir
from layerforge.core.text import counted
from layerforge.examine.examination import Examination
from layerforge.layer.distributions import Distribution
from layerforge.layer.loader import follow
from layerforge.verify.budget import MOST_NAMED, largest
from layerforge.verify.layout import index
from layerforge.verify.rules_table import Expect, finding, named

_READ = ("python/", "lib/", "bin/", "extensions/")
"""Folders of a layer that a Python function reads of its own accord."""

_TWICE = re.compile(r"python/(?:lib/python3\.\d+/site-packages/)?(?:python|site-packages)/")
"""A folder of packages inside the folder of packages."""

_AT_TOP = re.compile(r"[^/]+\.(?:py|pyc|so)|[^/]+/__init__\.pyc?")
"""What makes something importable, if the top of the zip were on ``sys.path``."""


def too_large(examination: Examination, expect: Expect) -> Iterator[Finding]:  # noqa: ARG001 - a rule takes both
    """LF301: more than a function and all its layers may hold."""
    if examination.unzipped > LAMBDA_UNZIPPED_LIMIT:
        message = f"{examination.unzipped:,} bytes unzipped, of at most {LAMBDA_UNZIPPED_LIMIT:,}"
        yield finding("LF301", "", f"{message}; the largest packages are {largest(examination)}")


def unreadable(examination: Examination, expect: Expect) -> Iterator[Finding]:  # noqa: ARG001 - a rule takes both
    """LF304: what the unprivileged user of a function may not read; a mode of 0 comes from no unix and is fine."""
    files = [one for one in examination.members if one.mode and not one.link and not one.mode & stat.S_IROTH]
    needed = stat.S_IROTH | stat.S_IXOTH
    folders = [one for one in examination.folders if one.mode and one.mode & needed != needed]
    for what, members in (("file", files), ("folder", folders)):
        if members:
            first = members[0]
            others = f", and so are {len(members) - 1:,} more" if len(members) > 1 else ""
            message = f"{what} with mode {stat.S_IMODE(first.mode):04o} is closed to the function's user{others}"
            yield finding("LF304", first.path, message)


def dead_links(examination: Examination, expect: Expect) -> Iterator[Finding]:  # noqa: ARG001 - a rule takes both
    """LF305: links that leave the layer, go in circles or lead to nothing."""
    layer = index(examination)
    for member in examination.members:
        if not member.link:
            continue
        place = follow(layer.links, member.path)
        if place is None:
            yield finding("LF305", member.path, f"leads to {member.link}: out of the layer, or in circles")
        elif place and place not in layer.members and place not in layer.folders:
            yield finding("LF305", member.path, f"leads to {member.link}, which is not in the layer")


def misplaced(examination: Examination, expect: Expect) -> Iterator[Finding]:
    """LF306: files where no function looks for them."""
    paths = [member.path for member in examination.members]
    lost = _lost(examination)
    strays = _strays(examination, lost)
    if not paths:
        yield finding("LF306", "", "the archive holds no files")
    elif strays:
        yield _stray(strays, examination, lost)
    elif not any(path.startswith(_READ) for path in paths):
        yield finding("LF306", "", f"nothing lies in {', '.join(_READ)}; {_instead(paths)}")
    yield from _other_pythons(paths, expect)


def _other_pythons(paths: Iterable[str], expect: Expect) -> Iterator[Finding]:
    own = f"python{expect.target.python}"
    others = sorted({path.split("/")[2] for path in paths if path.startswith("python/lib/python3.")})
    if others and own not in others:
        message = (
            f"only {', '.join(others)} is served; Python {expect.target.python} looks in python/lib/{own}/site-packages"
        )
        yield finding("LF306", f"python/lib/{others[0]}", message)


def _lost(examination: Examination) -> Mapping[str, Distribution]:
    """The distributions that were installed where ``sys.path`` does not lead, by name.

    What lies deeper in a package than that, the package has brought for itself.
    """
    folders = [(one, one.info[: -len(posixpath.basename(one.info))]) for one in examination.distributions]
    return {one.name: one for one, folder in folders if not site_dir(f"{folder}x") or _TWICE.fullmatch(folder)}


def _strays(examination: Examination, lost: Mapping[str, Distribution]) -> list[str]:
    """Files of ``lost`` distributions, and modules and packages without any at the top of the zip; code first."""
    bare = {path.partition("/")[0] for member in examination.members if _AT_TOP.fullmatch(path := member.path)}
    tops = bare - {"bin", "extensions", "lib", "python"}
    folders = tuple(folder for one in lost.values() if (folder := f"{posixpath.dirname(one.info)}/") != "/")
    found = [
        member.path
        for member in examination.members
        if (member.package in lost or member.path.partition("/")[0] in tops or member.path.startswith(folders))
        and not member.path.startswith(("bin/", "extensions/"))
        and (not site_dir(member.path) or member.path.startswith(folders))
    ]
    return sorted(found, key=lambda path: (not path.endswith((".py", ".so")), path))


def _stray(strays: Sequence[str], examination: Examination, lost: Mapping[str, Distribution]) -> Finding:
    """One finding for all files that nobody finds; a warning where the packages lie right and something beside them."""
    verb = "lies" if len(strays) == 1 else "lie"
    message = f"{counted(len(strays), 'file')} {verb} where no function looks: {named(tuple(strays), MOST_NAMED)}"
    right = any(site_dir(member.path) for member in examination.members)
    severity = Severity.WARNING if right and not lost else Severity.ERROR
    return finding("LF306", strays[0], message, severity=severity, hint=_way_out(strays, examination, lost))


def _way_out(strays: Sequence[str], examination: Examination, lost: Mapping[str, Distribution]) -> str:
    """The command that puts packages where they belong; empty where they have no names."""
    first, _, rest = strays[0].partition("/")
    if rest.startswith("python/"):
        return f"the layer lies one folder too deep: zip from inside {first}/"
    # What pip was asked for, it marks; the rest came along.
    names = sorted(name for name, one in lost.items() if f"{one.info}/REQUESTED" in examination.by_path) or sorted(lost)
    if not names:
        return ""
    what = " ".join(names) if len(names) <= MOST_NAMED else "-r requirements.txt"
    return (
        f"`pip install --target python {what} && zip -r layer.zip python` puts them below python/; "
        f"`layerforge build {what.removeprefix('-r ')}` does that too"
    )


def _instead(paths: list[str]) -> str:
    """Where the files lie, and which folder to zip from if that is the whole mistake."""
    wrapped = sorted({path.partition("/")[0] for path in paths if path.partition("/")[2].startswith(_READ)})
    if wrapped:
        return f"the layer lies one folder too deep, in {wrapped[0]}/: zip from inside that folder"
    return f"the top of the zip holds {named(tuple(sorted({path.partition('/')[0] for path in paths})), 5)}"


def unsafe_names(examination: Examination, expect: Expect) -> Iterator[Finding]:  # noqa: ARG001 - a rule takes both
    """LF307: names that would be written outside the layer, or not as meant; one finding a reason."""
    reasons: dict[str, list[str]] = {}
    for member in (*examination.members, *examination.folders):
        if member.unsafe:
            reasons.setdefault(member.unsafe, []).append(ascii(member.path)[1:-1])
    for reason, paths in sorted(reasons.items()):
        others = f"; so {counted(len(paths) - 1, 'other name')}" if len(paths) > 1 else ""
        yield finding("LF307", paths[0], f"{reason}{others}")
