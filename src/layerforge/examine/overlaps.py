"""What stands twice among a function's code and its layers, and which of the two is imported."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from layerforge.core.paths import below_site
from layerforge.core.text import megabytes
from layerforge.examine.examination import Examination
from layerforge.examine.function_code import FunctionCode
from layerforge.layer import distributions as metadata
from layerforge.layer.imports import module_parts


@dataclass(frozen=True, kw_only=True)
class Overlap:
    """A package that stands in two places, of which one hides the other."""

    name: str
    """Of the package; of its module, where no metadata tells of which it is."""
    counts: str
    """What comes first: ``the code``, or the name of the later layer."""
    hidden: str
    """Name of the layer whose package is not imported, or not as it was made."""
    version: str
    """Of what counts; empty where no metadata tells it."""
    hidden_version: str
    size: int
    """Bytes that what counts takes."""

    @property
    def told(self) -> str:
        """What people have to know of it."""
        both = self.version and self.hidden_version and self.version != self.hidden_version
        other = f" as {self.hidden_version}" if both else ""
        what = f"{self.name} {self.version}".strip()
        if self.counts == CODE:
            return (
                f"the code carries {what} ({megabytes(self.size)}), which {self.hidden} has{other}: "
                "the code's is imported, since /var/task comes before /opt; leave it out of the code"
            )
        return (
            f"{self.counts} carries {what} ({megabytes(self.size)}), which {self.hidden} has{other}: it lies over that"
        )


CODE = "the code"


def overlaps(code: FunctionCode | None, layers: Sequence[Examination]) -> tuple[Overlap, ...]:
    """Packages that code carries though a layer has them, and packages of several layers; the largest first."""
    found = [*(_of_code(code, layers) if code else ()), *_of_layers(layers)]
    return tuple(sorted(found, key=lambda one: (one.counts != CODE, -one.size, one.name)))


def _of_code(code: FunctionCode, layers: Sequence[Examination]) -> Iterator[Overlap]:
    found = metadata.distributions(code)
    owners = metadata.owners(code.paths, found, code)
    versions = {one.name: one.version for one in found}
    own = _modules((path, owners.get(path, "")) for path in code.paths)
    for layer in layers:
        theirs = {one.name: one.version for one in layer.distributions}
        hidden = _hidden(own, _modules((below_site(one.path), one.package) for one in layer.members))
        for name, other in hidden.items():
            yield Overlap(
                name=name,
                counts=CODE,
                hidden=layer.path.name,
                version=versions.get(name, ""),
                hidden_version=theirs.get(other, ""),
                size=sum(one.size for path, one in code.files.items() if name in {owners.get(path), _top(path)}),
            )


def _modules(files: Iterable[tuple[str, str]]) -> Mapping[str, str]:
    """The outermost modules and true packages among paths, ``a/b`` for ``a.b``, with the package that each is of.

    Folders of a namespace hide nothing, and what lies in them stands for itself.
    """
    known = {parts: owner for path, owner in files if (parts := module_parts(path))}
    packages = {parts[:-1] for parts in known if parts[-1] == "__init__"}
    found: dict[str, str] = {}
    for parts, owner in known.items():
        outer = next((parts[:count] for count in range(1, len(parts)) if parts[:count] in packages), parts)
        found["/".join(outer)] = found.get("/".join(outer)) or owner
    return found


def _hidden(own: Mapping[str, str], theirs: Mapping[str, str]) -> Mapping[str, str]:
    """Names of packages, or modules, of the code that are imported instead of a layer's, with the names of these."""
    found: dict[str, str] = {}
    for path, other in theirs.items():
        parts = path.split("/")
        place = next((one for one in ("/".join(parts[:count]) for count in range(1, len(parts) + 1)) if one in own), "")
        if place:
            found.setdefault(own[place] or parts[0], other or parts[0])
    return found


def _top(path: str) -> str:
    """Name of the folder or module that a path begins with."""
    return path.partition("/")[0].partition(".")[0]


def _of_layers(layers: Sequence[Examination]) -> Iterator[Overlap]:
    for number, later in enumerate(layers):
        for earlier in layers[:number]:
            before = {one.name: one.version for one in earlier.distributions}
            for one in later.distributions:
                if one.name in before:
                    yield Overlap(
                        name=one.name,
                        counts=later.path.name,
                        hidden=earlier.path.name,
                        version=one.version,
                        hidden_version=before[one.name],
                        size=sum(file.size for file in later.members if file.package == one.name),
                    )
