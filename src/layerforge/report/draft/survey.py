"""What a package's wheel holds that its recipe should speak of."""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import canonicalize_name

from layerforge.build.plan import Built, plan
from layerforge.core.metadata import fields_of
from layerforge.core.paths import SITE
from layerforge.core.runtimes import Target
from layerforge.layer.assemble import assemble
from layerforge.layer.passes.prune import prune
from layerforge.layer.passes.setting import Setting
from layerforge.layer.programs import BIN
from layerforge.layer.tree import Edit, File, Package, Tree, apply
from layerforge.report.draft.native import Native, SourceDistribution, native_code, source_distribution
from layerforge.report.draft.portions import MOST, Portion, largest, spare
from layerforge.resolve import markers
from layerforge.resolve.lock import Pin
from layerforge.resolve.recipe import Compression
from layerforge.resolve.request import Request
from layerforge.resolve.sources import Search
from layerforge.verify.imports import outermost, public

_MENTIONED = re.compile(
    rb"""(?:environ(?:\.get\(|\.setdefault\(|\.pop\(|\[)|getenv\()\s*["']([A-Za-z_][A-Za-z0-9_]{2,60})["']"""
)
_SYSTEMS = re.compile(
    r"PATH|HOME|TMPDIR|TEMP|TMP|USER|USERNAME|SHELL|LANG|PWD|COLUMNS|TERM|DISPLAY|CI|SOURCE_DATE_EPOCH|READTHEDOCS"
    r"|\w*SPHINX\w*|\w+_BUILD_DOCS?|LC_\w+|XDG_\w+|PYTHON\w*|\w*PYTEST\w*|AWS_\w+|LAMBDA_\w+|LD_LIBRARY_PATH|_\w+"
)
"""Variables that are no package's own."""


@dataclass(frozen=True, kw_only=True)
class PackageSurvey:
    """What a package's wheel holds. Sizes are bytes; files are those that the default rules leave."""

    name: str
    version: str
    target: Target
    files: int
    bytes: int
    dropped: int
    """Bytes that the default rules take."""
    layer_bytes: int
    """Of the package and all that it needs, behind the default rules."""
    modules: tuple[str, ...]
    """Those that the package is there for, as ``verify`` imports them where nobody says any."""
    others: tuple[str, ...]
    """More that lie at the top."""
    requires: tuple[str, ...]
    """Normalised names of the packages that it needs here."""
    extras: tuple[str, ...]
    largest: tuple[Portion, ...]
    spare: tuple[Portion, ...]
    """What looks as if no function needed it."""
    native: Native
    programs: tuple[str, ...]
    variables: tuple[str, ...]
    """Of the environment, that its code reads."""
    sdist: SourceDistribution | None
    """``None`` where the index has none; also where there is nothing to compile."""


def survey(
    request: Request, pins: Sequence[Pin], name: str, target: Target, search: Search, workspace: Path
) -> PackageSurvey:
    """Installs the locked wheels below ``workspace`` and looks at those of ``name``. Nothing of them is run.

    Raises ``LockError`` where a wheel cannot be had.
    """
    planned = plan(request.spec, target, pins, Compression.FAST, None, 0)
    whole = assemble(planned, Built(), workspace, search)
    with search.progress.step("prune") as step:
        setting = Setting(
            spec=request.spec, target=target, interpreter=None, store=search.store, step=step, progress=search.progress
        )
        tree = apply(whole, [one for one in prune(whole, setting) if isinstance(one, Edit)])
    package = next(one for one in whole.packages if one.name == name)
    own = [file for file in tree.files if file.package == name]
    before = sum(file.size for file in whole.files if file.package == name)
    native = native_code(own, tree, target)
    needed, others = _modules(own, name)
    metadata = whole.read(f"{package.info}/METADATA") or b""
    return PackageSurvey(
        name=name,
        version=package.version,
        target=target,
        files=len(own),
        bytes=sum(file.size for file in own),
        dropped=before - sum(file.size for file in own),
        layer_bytes=tree.size,
        modules=needed[:MOST],
        others=others[:MOST],
        requires=_requires(metadata, target),
        extras=tuple(sorted({str(one) for one in fields_of(metadata).get_all("Provides-Extra", ())})),
        largest=tuple(largest(own)),
        spare=tuple(spare(own)),
        native=native,
        programs=_programs(whole, package),
        variables=_variables(own),
        sdist=source_distribution(name, package.version, target, search) if native.files else None,
    )


def _requires(metadata: bytes, target: Target) -> tuple[str, ...]:
    asked = markers.asked(metadata, markers.environment(target))
    return tuple(sorted({canonicalize_name(one.name) for one in asked}))


def _modules(own: Iterable[File], package: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The outermost modules: those that have the package's name, else all that are there for others; and the rest."""
    found = sorted(outermost(own))
    named = [name for name in found if canonicalize_name(name.replace(".", "-")) == package]
    opened = [name for name in found if public(name)]
    needed = named or opened or found
    return tuple(needed), tuple(name for name in opened if name not in needed)


def _programs(tree: Tree, package: Package) -> tuple[str, ...]:
    """Programs that a wheel brings: files of its own, and those of its entry points, as they were installed."""
    files = (file.path for file in tree.files if file.package == package.name)
    return tuple(sorted(posixpath.basename(path) for path in files if path.startswith(BIN)))


def _variables(own: Iterable[File]) -> tuple[str, ...]:
    """Variables of the environment that the code reads, those first that are read most often."""
    found: Counter[str] = Counter()
    for file in own:
        if file.path.startswith(f"{SITE}/") and file.path.endswith(".py"):
            names = (name.decode() for name in _MENTIONED.findall(file.blob.read()))
            found.update(name for name in names if not _SYSTEMS.fullmatch(name))
    return tuple(name for name, _ in found.most_common(2 * MOST))
