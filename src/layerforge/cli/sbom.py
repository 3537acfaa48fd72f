"""``layerforge sbom``."""

from __future__ import annotations

from pathlib import Path

import click

from layerforge import examine, licences, sbom
from layerforge.cli import screen
from layerforge.errors import UsageError
from layerforge.examine import directory
from layerforge.model import Examination
from layerforge.page import beside
from layerforge.progress import counted
from layerforge.store import write_atomically, writing


@click.command("sbom")
@click.argument("zip_file", metavar="ZIP", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write it there.  [default: standard output]",
)
def command(zip_file: Path, output: Path | None) -> None:
    """Write the SBOM of a layer's ZIP, whoever built it, in CycloneDX 1.6, from what lies in the zip.

    Packages come from their .dist-info folders; so do their licences. Native code that no package lists is there with
    its hash and its soname.
    """
    if output and output.suffix == ".zip":
        raise UsageError(f"the SBOM would take the place of a zip: {output}", hint="name it layer.sbom.json")
    seen = examine.examine(zip_file)
    text = sbom.of_zip(seen, declared(seen))
    if output is None:
        click.echo(text, nl=False)
    else:
        with writing(output.parent):
            write_atomically(output, text.encode())
    tell(seen, output)


def declared(seen: Examination) -> dict[str, str]:
    """What the METADATA of each distribution says of its licence, by its ``.dist-info`` folder."""
    with directory.opened(seen.path) as data:
        entries = {entry.name: entry for entry in directory.entries(data, seen.path)}
        found = {one.info: entries.get(f"{one.info}/METADATA") for one in seen.distributions}
        return {
            info: licences.declared(directory.content(data, entry))
            for info, entry in found.items()
            if entry is not None and not entry.is_folder
        }


def tell(seen: Examination, output: Path | None) -> None:
    """Says on standard error what the SBOM lists, and whether a fuller one is there."""
    out = screen.console()
    unlisted = sum(not member.package and member.elf is not None for member in seen.members)
    more = f", {counted(unlisted, 'native file')} of no package" if unlisted else ""
    where = f"{output}: " if output else ""
    out.print(f"{where}{counted(len(seen.distributions), 'package')}{more}", markup=False, soft_wrap=True)
    known = beside(seen.path, seen.sha256).sbom
    if known and output != seen.path.with_name(known.name):
        out.print(f"  {known.name} beside the zip, from its build, says more", markup=False, soft_wrap=True)
