"""``layerforge sbom``."""

from __future__ import annotations

from pathlib import Path

import click

from layerforge.cli import output_files, terminal
from layerforge.core.text import counted
from layerforge.examine import examine, zip_content
from layerforge.examine.examination import Examination
from layerforge.examine.guess import guess_target
from layerforge.report.beside import beside
from layerforge.report.sbom import of_zip as sbom_of_zip
from layerforge.report.sbom.of_zip import of_zip, without_metadata


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
        output_files.check(output, "layer.sbom.json")
    seen = examine.examine(zip_file)
    text = of_zip(seen, guess_target(seen), contents(seen))
    if str(output) == "-":
        click.echo(text, nl=False)
    else:
        output_files.write(output, text.encode())
    tell(seen, output)


def contents(seen: Examination) -> dict[str, bytes]:
    """The files that say what a layer's packages are and carry, by path."""
    wanted = [member.path for member in seen.members if sbom_of_zip.wanted(member.path) and not member.link]
    with zip_content.reader(seen.path) as read:
        return {path: read(path) for path in wanted}


def tell(seen: Examination, output: Path) -> None:
    """Says on standard error what the SBOM lists, and whether a fuller one is there."""
    out = terminal.notes()
    unlisted = sum(not member.package and member.elf is not None for member in seen.members)
    nameless = len(without_metadata(seen))
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
