"""``layerforge sbom``."""

from __future__ import annotations

from pathlib import Path

import click

from layerforge import examine, sbom
from layerforge.cli import places, screen
from layerforge.examine import directory
from layerforge.model import Examination
from layerforge.page import beside
from layerforge.progress import counted


@click.command("sbom")
@click.argument("zip_file", metavar="ZIP", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    default="-",
    help="Write it there; - is standard output, and the default.",
)
def command(zip_file: Path, output: Path) -> None:
    """Write the SBOM of a layer's ZIP, whoever built it, in CycloneDX 1.6, from what lies in the zip.

    Packages come from their .dist-info folders; so do their licences, what they require, and what they say that they
    carry. Native code that no package lists is there with its hash and its soname.
    """
    if str(output) != "-":
        places.check(output, "layer.sbom.json")
    seen = examine.examine(zip_file)
    text = sbom.of_zip(seen, examine.guess_target(seen), contents(seen))
    if str(output) == "-":
        click.echo(text, nl=False)
    else:
        places.write(output, text.encode())
    tell(seen, output)


def contents(seen: Examination) -> dict[str, bytes]:
    """The files that say what a layer's packages are and carry, by path."""
    wanted = [member.path for member in seen.members if sbom.wanted(member.path) and not member.link]
    with directory.reader(seen.path) as read:
        return {path: read(path) for path in wanted}


def tell(seen: Examination, output: Path) -> None:
    """Says on standard error what the SBOM lists, and whether a fuller one is there."""
    out = screen.notes()
    unlisted = sum(not member.package and member.elf is not None for member in seen.members)
    nameless = len(sbom.without_metadata(seen))
    parts = (
        counted(len(seen.distributions), "package"),
        f"{counted(nameless, 'top-level module')} without metadata" if nameless else "",
        f"{counted(unlisted, 'native file')} of no package" if unlisted else "",
    )
    where = "" if str(output) == "-" else f"{output}: "
    out.line(f"{where}{', '.join(filter(None, parts))}")
    known = beside(seen.path, seen.sha256).sbom
    if known and output != seen.path.with_name(known.name):
        out.line(f"  {known.name} beside the zip, from its build, says more")
