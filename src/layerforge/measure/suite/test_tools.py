"""What test suites need to run: tools that the package itself declares, or this small table for those that do not."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from layerforge.core.metadata import fields_of
from layerforge.core.progress import Progress
from layerforge.core.runtimes import Target
from layerforge.core.text import counted
from layerforge.layer.distributions import Distribution, rows
from layerforge.resolve import lock, markers, uv, uv_install
from layerforge.resolve.errors import LockError
from layerforge.resolve.lock import Pin

TOOLS = ("pytest>=9", "pytest-xdist>=3.8", "pytest-timeout>=2.4", "hypothesis>=6.150")
"""What every suite is run with."""


@dataclass(frozen=True, kw_only=True)
class TestFacts:
    """What has to be known of a package's tests beyond what it declares."""

    requires: tuple[str, ...]
    """What they need, in the place of the package's own extra for tests."""
    env: Mapping[str, str] = field(default_factory=dict)


FACTS: Mapping[str, TestFacts] = {
    # What they list beyond these are compilers, linters and packages that only a few tests look for.
    # The memory is what their largest tests may take; they skip themselves above.
    "numpy": TestFacts(requires=("meson", "ninja"), env={"NPY_AVAILABLE_MEM": "2 GB"}),
    "scipy": TestFacts(
        requires=("mpmath", "threadpoolctl"), env={"SCIPY_AVAILABLE_MEM": "2G", "NPY_AVAILABLE_MEM": "2 GB"}
    ),
    "scikit-learn": TestFacts(requires=("pandas",)),
    "pyarrow": TestFacts(requires=("cffi", "pandas", "pytz")),  # it declares nothing, and skips what it does not find
}
"""By normalised name."""

_GROUPS = frozenset({"test", "tests", "testing"})

_NEEDLESS = re.compile(
    r"(?:coverage|coveralls|codecov|pytest-cov|ruff|mypy|black|flake8.*|pylint|pre-commit|tox|nox|asv)"
)
"""Tools of a test extra that no test imports."""


def tools(
    package: Distribution, metadata: str, held: Iterable[Distribution], target: Target, progress: Progress
) -> tuple[Pin, ...]:
    """Locks what the tests of ``package`` need, at the versions of what the layer holds.

    Where the package's own wishes cannot be met, its tests are run without them; those that need them skip.
    """
    same = [f"{one.name}=={one.version}" for one in held]
    known = FACTS.get(package.name)
    more = known.requires if known else tuple(declared(metadata, target))
    with progress.step("resolve") as step:
        try:
            found = _resolve([*TOOLS, *more, *same], target)
        except LockError as error:
            if not more:
                raise
            progress.warn(f"without what the tests of {package.name} ask for: {error.message}")
            found = _resolve([*TOOLS, *same], target)
        step.note(f"{counted(len(found), 'package')} to test {package.name} with")
    return found


def _resolve(requires: Sequence[str], target: Target) -> tuple[Pin, ...]:
    return lock.parse(uv.compile_lock(uv.Asked(source="\n".join(requires)), target), "the tools' lock").pins


def declared(metadata: str, target: Target) -> Iterator[str]:
    """Requirements of a package's extra for tests, from the text of its METADATA."""
    for requirement in markers.declared(metadata):
        name = canonicalize_name(requirement.name)
        if not _NEEDLESS.fullmatch(name) and _for_tests(requirement, target):
            requirement.marker = None
            yield str(requirement)


def _for_tests(requirement: Requirement, target: Target) -> bool:
    if requirement.marker is None:
        return False
    env = markers.environment(target)
    plain = markers.marker_applies(requirement.marker, env)
    return not plain and any(markers.marker_applies(requirement.marker, env, group) for group in _GROUPS)


def metadata_of(site: Path, package: Distribution) -> str:
    """METADATA of an installed package; empty where it has none."""
    name = package.info.rpartition("/")[2]
    files = [site / name / "METADATA", *site.glob("*.dist-info/METADATA")]
    for file in files:
        if file.is_file():
            text = file.read_text("utf-8", "replace")
            if canonicalize_name(fields_of(text).get("Name", "")) == package.name:
                return text
    return ""


def install(pins: Iterable[Pin], held: Iterable[Distribution], target: Target, env: Path) -> None:
    """Installs the tools, without what came along and the layer holds: nothing may stand in for what that lacks."""
    uv_install.install_for_image(lock.render(pins), target, env)
    for one in held:
        for path in recorded(env, one.name):
            if (env / path).is_file():
                (env / path).unlink()


def recorded(site: Path, name: str) -> list[str]:
    """Files of an installed distribution, below its site folder.

    What a RECORD lists outside of it is none of the distribution's: these files are read, copied and removed.
    """
    for file in site.glob("*.dist-info/RECORD"):
        if canonicalize_name(file.parent.name.partition("-")[0]) == name:
            paths = (posixpath.normpath(row.path) for row in rows(file.read_bytes()))
            return [path for path in paths if not path.startswith(("../", "/"))]
    return []
