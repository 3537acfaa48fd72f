"""What ``layerforge inspect --code`` tells: what of a layer a function's own code carries too."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from layerforge.cli import code_options, sharing, terminal
from layerforge.cli.screen import Screen
from layerforge.core.limits import LAMBDA_UNZIPPED_LIMIT
from layerforge.core.text import counted, megabytes
from layerforge.examine.examination import Examination
from layerforge.examine.function_code import function_code
from layerforge.examine.overlaps import Overlap, overlaps


@dataclass(frozen=True, kw_only=True)
class CodeBeside:
    """A function's code, held against a layer."""

    path: Path
    files: int
    size: int
    left: int
    """Bytes that Lambda has room for beside code and layer."""
    twice: tuple[Overlap, ...]


def beside(code: Path, layer: Examination) -> CodeBeside:
    """The code in a folder or zip, beside a layer. Raises what ``function_code`` raises."""
    with sharing.near_store(terminal.progress()).workspace() as workspace:
        found = function_code(code, workspace / "code", [layer])
        return CodeBeside(
            path=code,
            files=len(found.files),
            size=found.size,
            left=LAMBDA_UNZIPPED_LIMIT - found.size - layer.unzipped,
            twice=overlaps(found, [layer]),
        )


def show(out: Screen, found: CodeBeside) -> None:
    """The code's size, and what it carries though the layer has it."""
    left = f"{megabytes(found.left)} of what Lambda takes are left"
    told = f" {found.path}: {counted(found.files, 'file')}, {megabytes(found.size)}; {left}"
    out.line("\n", ("the function's code", "bold"), told)
    for one in found.twice:
        out.line(("!", "yellow"), f" {one.told}")
    if not found.twice:
        out.line("  it carries nothing that the layer has")


def as_data(found: CodeBeside) -> dict[str, Any]:
    """The same for JSON."""
    return {
        "path": str(found.path),
        "files": found.files,
        "bytes": found.size,
        "bytes_left": found.left,
        "twice": code_options.overlaps_as_data(found.twice),
    }
