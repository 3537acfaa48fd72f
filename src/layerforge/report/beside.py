"""What lies beside a zip and speaks of these very bytes: manifest, verdict, SBOM, measured cold start."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from layerforge.core import guarded, runtimes
from layerforge.core.runtimes import Target
from layerforge.examine.examination import Examination
from layerforge.examine.guess import guess_target
from layerforge.measure.coldstart.reading import ColdStart, read_coldstart
from layerforge.report.manifest import Manifest, read_manifest, read_manifest_file
from layerforge.report.sbom.reading import Sbom, read_sbom
from layerforge.resolve.layer_spec import LayerSpec
from layerforge.verify.rules_table import Expect
from layerforge.verify.verdict import Verdict


@dataclass(frozen=True, kw_only=True)
class Beside:
    """What is known of a layer beyond its zip; ``None`` for what is not there."""

    manifest: Manifest | None = None
    verdict: Verdict | None = None
    sbom: Sbom | None = None
    coldstart: ColdStart | None = None
    refused: tuple[str, ...] = ()
    """Why a file that is there was not taken, one line each."""


NOTHING = Beside()
"""What is known of a zip that stands alone."""


class _Sealed(Protocol):
    @property
    def sha256(self) -> str:
        """Of the zip that this is about; empty where it does not say."""


Read = TypeVar("Read", bound=_Sealed)


def beside(zip_file: Path, sha256: str) -> Beside:
    """What lies beside ``zip_file``, whose digest is ``sha256``. What is about another zip is left out, and said."""
    refused: list[str] = []

    def take(tail: str, read: Callable[[str], Read]) -> Read | None:
        path = zip_file.with_suffix(tail)
        found = _read(path, read)
        if isinstance(found, str):
            refused.extend([found] * bool(found))
            return None
        if found.sha256 not in {"", sha256}:
            refused.append(f"{path.name} is about another zip (sha256 {found.sha256[:12]}…): left out")
            return None
        return found

    # A later build writes the zip last, so that its manifest may be newer than it.
    record = take(".manifest.json", read_manifest_file)
    return Beside(
        manifest=record.manifest if record else None,
        verdict=record.verdict if record else None,
        sbom=take(".sbom.json", lambda text: read_sbom(zip_file.with_suffix(".sbom.json").name, text)),
        coldstart=take(".coldstart.json", read_coldstart),
        refused=tuple(refused),
    )


def _read(path: Path, read: Callable[[str], Read]) -> Read | str:
    """What ``read`` makes of a file, or why it makes nothing of it; that is empty where there is no file."""
    try:
        text = guarded.text(path, guarded.MOST_JSON)
    except guarded.Unreadable as error:
        return "" if isinstance(error.__cause__, FileNotFoundError) else f"{path.name} cannot be read: {error}"
    try:
        return read(text)
    except guarded.Outdated as error:
        return f"{path.name} is of an earlier layerforge ({error}): left out; build the layer again to have it"
    except guarded.Unreadable as error:
        return f"{path.name} is not what its name says ({error}): left out"


def manifest(seen: Examination, say: Callable[[str], None]) -> Manifest | None:
    """The manifest beside a zip; ``None`` where there is none, and where one is not taken, which is said."""
    path = seen.path.with_suffix(".manifest.json")
    found = _read(path, read_manifest)
    if isinstance(found, str):
        if found:
            say(found)
        return None
    if found.sha256 != seen.sha256:
        say(f"{path.name} does not belong to {seen.path.name}: other bytes, or another layerforge, made it")
        return None
    return found


def target_of(
    seen: Examination, layer_manifest: Manifest | None, python: str | None = None, arch: str | None = None
) -> Target:
    """What a zip is for: as told, else as its manifest says, else as its files suggest."""
    guess = guess_target(seen)
    known = (layer_manifest.python, str(layer_manifest.arch)) if layer_manifest else (guess.python, str(guess.arch))
    return runtimes.target(python or known[0], arch or known[1])


def expected(layer_manifest: Manifest | None, target: Target) -> Expect:
    """What a layer is held against: for one of unknown make the rules alone, else what its manifest promises too."""
    if layer_manifest is None:
        return Expect(target=target)
    spec = LayerSpec(
        name=layer_manifest.name,
        requires=layer_manifest.requires,
        left_out=layer_manifest.left_out,
        budget=layer_manifest.budget,
        bytecode=layer_manifest.bytecode,
        check=layer_manifest.check,
        env=layer_manifest.env,
    )
    bad = layer_manifest.uncompilable
    return Expect(target=target, spec=spec, bytecode=spec.bytecode.mode, uncompilable=bad)
