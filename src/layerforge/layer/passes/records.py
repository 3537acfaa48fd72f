"""RECORD: each distribution's list of files is written anew, so that it tells the truth about the layer."""

from __future__ import annotations

import base64
import csv
import io
import posixpath
from collections.abc import Iterator

from layerforge.core.paths import SITE
from layerforge.layer import tree as trees
from layerforge.layer.passes import priming
from layerforge.layer.passes.setting import LeftAlone, Setting
from layerforge.layer.tree import Edit, Entry, File, Link, Tree, swap

REASON = "RECORD tells what is in the layer"


def rewrite_records(tree: Tree, setting: Setting) -> Iterator[Edit | LeftAlone]:  # noqa: ARG001 - a pass takes both
    """Writes every RECORD from the files that the tree holds of that distribution."""
    by_package: dict[str, list[Entry]] = {}
    shared = [entry for entry in tree.entries if priming.is_shared(entry.path)]
    for entry in tree.entries:
        if entry not in shared:
            by_package.setdefault(entry.package, []).append(entry)
    for package in tree.packages:
        path = f"{package.info}/RECORD"
        old = tree.by_path.get(path)
        if not isinstance(old, File):
            continue
        more = shared if priming.is_primed(package.name, tree) else []
        blob = trees.blob(_record(path, [*by_package.get(package.name, []), *more]))
        if blob.sha256 != old.blob.sha256:
            yield swap(old, File(path=path, blob=blob, package=package.name), REASON)


def _record(own: str, entries: list[Entry]) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for entry in sorted(entries, key=lambda entry: entry.path):
        name = posixpath.relpath(entry.path, SITE)
        match entry:
            case File() if entry.path != own:
                writer.writerow([name, f"sha256={_base64(entry.blob.sha256)}", entry.size])
            case File() | Link():
                writer.writerow([name, "", ""])
    return out.getvalue().encode()


def _base64(sha256: str) -> str:
    return base64.urlsafe_b64encode(bytes.fromhex(sha256)).rstrip(b"=").decode()
